"""Time and memory of the whole analysis of a network: 1,000 dealers, 12 months, 1,000,000 leads and three times that.

Run as ``python tests/bench/bench_analysis.py [--dealers N] [--leads N] [--folder DIR]`` (docs/benchmarks.md, "The whole
analysis"). The steps are the product's own (filter, measure, diagnose with the analyses) on a lake made from a seed;
``plain`` is the same group-bys alone in plain pandas, in the same run. Every part is a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.catalogue.contract import contract
from models.catalogue.filter_rules import filter_rules
from models.catalogue.indicators import Base, indicators
from models.database import migrate
from models.facts import Cycle
from models.workspace import Workspace
from tasks.compute.fact_sums import MONTH_COLUMN
from tasks.compute.frames import lake_dtypes, personal_columns
from tasks.compute.simulation.months import Simulation
from tasks.compute.simulation.network import Network
from tasks.job import Job
from tasks.results import Results

MONTHS = 12
FIRST = "2025-01"
CYCLE = Cycle("2025-12", datetime(2025, 12, 31, 23, 59, 59))
TABLES = ("dealers", "leads", "defeats", "revisits", "sales")
KEYS = {"dealers": ["dealer_id"], "leads": ["lead_id"], "defeats": ["lead_id", "defeated_at"]}
SCOPES = (None, "region_id", "dealer_id", "consultant_id", "series", "source")


def simulated(dealers: int, leads: int) -> dict[str, pd.DataFrame]:
    """The accepted tables of a simulated network with about ``leads`` leads, as the lake holds them."""
    simulation = Simulation(Network.build(dealers, 1, FIRST))
    exports = [simulation.month(month) for month in range(MONTHS)]
    tables = {name: folded(name, [export.pop(name) for export in exports]) for name in TABLES}
    rng = np.random.default_rng(1)
    ids = tables["leads"]["lead_id"]
    kept = set(ids[rng.random(len(ids)) < leads / len(ids)])
    for name in ("leads", "defeats", "revisits"):
        tables[name] = tables[name][tables[name]["lead_id"].isin(kept)].reset_index(drop=True)
    return tables


def folded(table: str, parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Monthly exports as one table: the later row of a key wins; a stand-in for the phone's hash, and none in clear."""
    frame = pd.concat(parts, ignore_index=True)
    if table in KEYS:
        frame = frame.drop_duplicates(KEYS[table], keep="last", ignore_index=True)
    frame = frame.assign(_file=f"{table}.csv", _row=np.arange(1, len(frame) + 1))
    personal = [name for name in ("phone", "customer_name", "referrer_phone") if name in frame]
    keyed = frame.assign(phone_key="k" + frame["phone"]) if "phone" in frame else frame
    return keyed.assign(**dict.fromkeys(personal, pd.Series(None, index=frame.index, dtype="str")))


def copies(table: pd.DataFrame, many: int) -> pd.DataFrame:
    """``many`` networks of the same dealers one over the other: other leads, sales and customers."""
    names = [name for name in ("lead_id", "sale_id", "phone_key") if name in table]
    parts = [table.assign(**{name: table[name] + f"~{copy}" for name in names}) for copy in range(many)]
    return pd.concat(parts, ignore_index=True)


def make(folder: str, dealers: int, leads: int) -> None:
    """Two workspaces: ``one`` with the leads, ``three`` with three times as many."""
    tables = simulated(dealers, leads)
    for name, many in (("one", 1), ("three", 3)):
        job = job_of(folder, name)
        for table, frame in tables.items():
            job.lake.replace("accepted", table, frame if table == "dealers" else copies(frame, many))
        gates = pd.DataFrame({"dealer_id": tables["dealers"]["dealer_id"], "gate": "pass", "score": 95.0})
        job.results.write("quality", gates)
        print(name, {table: len(job.lake.read("accepted", table, columns=["dealer_id"] if table in ("dealers", "leads")
              else None)) for table in TABLES}, flush=True)  # fmt: skip


def job_of(folder: str, name: str) -> Job:
    """The job of the cycle in workspace ``name``."""
    workspace = Workspace.open(Path(folder) / name)
    workspace.create()
    migrate(workspace.database_url)
    return Job(workspace, CYCLE, Results.of(workspace.results, CYCLE, "bench"), "bench")


def steps(folder: str, name: str) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds of each step of the product, and the peak in GB under ``peak``."""
    from tasks.analysing import analyse
    from tasks.measuring import judge_filings, measure
    from tasks.planning import compare_dealers

    job, found = job_of(folder, name), {}
    for step in (judge_filings, measure, compare_dealers, analyse):
        wall, cpu, _ = timed(lambda step=step: step(job))
        found[step.__name__] = (wall, cpu)
        print(f"  {name} {step.__name__:16} {wall:6.1f} s wall {cpu:6.1f} s CPU; peak {peak():.2f} GB", flush=True)
    return found | {"peak": (peak(), peak())}


def plain(folder: str, name: str) -> tuple[float, float]:
    """Wall and CPU seconds of the same group-bys alone; the facts they add up are ready in memory."""
    from tasks.compute.lead_facts import lead_facts, open_facts
    from tasks.measuring import known_tables
    from tasks.planning import months_back

    job = job_of(folder, name)
    as_of = pd.Timestamp(CYCLE.as_of)
    every = {name: contract().tables[name] for name in TABLES}
    readable = {name: set(lake_dtypes(table)) - set(personal_columns(table)) for name, table in every.items()}
    tables = known_tables(job, {name: tuple(columns) for name, columns in readable.items()})
    defeats = job.results.read("defeats")
    facts = lead_facts(tables, defeats, filter_rules(), as_of)
    still_open = open_facts(facts, tuple(months_back(CYCLE, 24)), as_of, filter_rules())
    wall, cpu, groups = timed(lambda: sum(1 for _ in group_bys(tables, facts, still_open, defeats)))
    print(f"  {name} plain pandas     {wall:6.1f} s wall {cpu:6.1f} s CPU  ({groups} group-bys)", flush=True)
    return wall, cpu


def group_bys(
    tables: dict[str, pd.DataFrame], facts: pd.DataFrame, still_open: pd.DataFrame, defeats: pd.DataFrame
) -> Iterator[pd.DataFrame | pd.Series]:
    """Every sum and count the results hold, as straightforward pandas on ready columns."""
    mix = ["dealer_id", "series", "source"]
    for base in MONTH_COLUMN:
        rows, month = still_open if base is Base.MONTH_END else facts, MONTH_COLUMN[base][0]
        rows = rows[rows["counted"].to_numpy(bool)]
        declared = [one for one in indicators().summed if one.base is base]
        names = sorted({name for one in declared for name in (one.numerator, one.denominator)})
        for scope in SCOPES:
            keys = [month] if scope is None else [month, *dict.fromkeys(["dealer_id", scope])] \
                if scope == "consultant_id" else [month, scope]  # fmt: skip
            yield rows.groupby(keys, observed=True)[names].sum()
        for one in declared:
            yield rows.groupby([month, *mix], observed=True)[[one.numerator, one.denominator]].sum()
    closed = facts[facts["closed_month"].notna()]
    for reason in ("declared_reason", "confirmed_reason", "reason"):
        for scope in SCOPES:
            yield closed.groupby(["closed_month", *([scope] if scope else []), reason], observed=True).size()
    yield closed.groupby(["closed_month", *mix, "reason"], observed=True).size()
    yield closed.groupby(["created_month", "closed_month", *mix], observed=True)[["won", "defeated"]].sum()
    leads = tables["leads"]
    for scope in ("dealer_id", "series", None):
        for attribute in ("age", "occupation", "owned_brand", "purchase_type", "purpose", "budget", "source", "gender"):
            yield leads.groupby([*([scope] if scope else []), attribute, "status"], observed=True).size()
    for keys in (["series", "competitor_brand"], ["series", "destination"], ["dealer_id", "verdict"],
                 ["series", "dealer_id", "reason"], ["declared_reason", "confirmed_reason"]):  # fmt: skip
        yield defeats.groupby(["filed_month", *keys], observed=True).size()
    yield tables["revisits"].groupby("lead_id")["called_at"].agg(["min", "max"])
    yield tables["defeats"].groupby("lead_id")["defeated_at"].agg(["min", "max", "size"])
    yield tables["sales"].groupby("phone_key")["sold_at"].agg(["min", "max"])
    yield leads.groupby("phone_key")["created_at"].agg(["min", "max", "size"])
    yield leads.groupby(["series", "model", "dealer_id"])[["quoted_price", "list_price"]].median()


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall and CPU seconds of ``work`` and what it returned."""
    wall, cpu = time.perf_counter(), time.process_time()
    answer = work()
    return time.perf_counter() - wall, time.process_time() - cpu, answer


def peak() -> float:
    """Most memory the process has held so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """What ``work`` returns in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        return pool.submit(work, *arguments).result()


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--dealers", type=int, default=1_000)
    options.add_argument("--leads", type=int, default=1_000_000)
    options.add_argument("--folder", help="where the lake is kept, to measure again without simulating it")
    options.add_argument("--only", choices=["one", "three"])
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as fresh:
        folder = asked.folder or fresh
        if not (Path(folder) / "three").is_dir():
            apart(make, folder, asked.dealers, asked.leads)
        total = {}
        for name in [asked.only] if asked.only else ["one", "three"]:
            found = apart(steps, folder, name)
            alone = apart(plain, folder, name)
            most = found.pop("peak")[0]
            total[name] = [sum(times[kind] for times in found.values()) for kind in (0, 1)]
            print(f"{name}: {total[name][0]:.1f} s wall, {total[name][1]:.1f} s CPU, peak {most:.2f} GB; "
                  f"{total[name][0] / alone[0]:.1f} x plain wall, {total[name][1] / alone[1]:.1f} x CPU")  # fmt: skip
        if len(total) == 2:
            print(f"3 x the rows: {total['three'][0] / total['one'][0]:.2f} x wall, "
                  f"{total['three'][1] / total['one'][1]:.2f} x CPU")  # fmt: skip


if __name__ == "__main__":
    main()
