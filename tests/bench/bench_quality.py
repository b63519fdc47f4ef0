"""Time and memory of the quality check: 1,000,000 leads x 41 columns, 1,000 dealers (docs/benchmarks.md, "Quality").

Run as ``python tests/bench/bench_quality.py [--rows N] [--stock] [--no-guards]``. Everything is made here from a seed,
every figure comes from one run on one machine: compare the ratios, not the seconds. ``--stock`` also times Great
Expectations as it comes (COMPLETE with index columns, on the whole frame), which takes minutes. The last month is
compared with the eleven before (``expectations.months``) unless ``--no-guards`` is given; that is timed apart as well.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from expectations import suites
from expectations.declare import great_expectations
from expectations.months import against_months
from expectations.runner import CheckContext, CheckResult, run_suites
from expectations.standard import standard_until
from expectations.view import UNASSIGNED, Links, View
from models.catalogue.contract import contract

DEALERS = 1_000
COLUMNS = 41
AS_OF = datetime(2026, 1, 1)
MONTH = "2025-12"
START = np.datetime64("2025-01-01", "us")
MINUTE = np.timedelta64(1, "m")
TIMES = ("first_contact_at", "visited_at", "test_drive_at", "quoted_at")
WORDS = ("source", "series", "model", "gender", "occupation", "owned_brand", "owned_series", "purpose", "city")


def dealers() -> pd.DataFrame:
    """The dealer list."""
    ids = [f"D{number:04d}" for number in range(DEALERS)]
    blank = pd.Series([pd.NA] * DEALERS, dtype="str")
    frame = dict.fromkeys(contract().tables["dealers"].fields, blank)
    frame |= {"dealer_id": pd.Series(ids, dtype="str"), "name": pd.Series(ids, dtype="str")}
    frame |= {"region_id": pd.Series([f"R{number % 20}" for number in range(DEALERS)], dtype="str")}
    frame |= {"opened_on": pd.Series([pd.NaT] * DEALERS, dtype="datetime64[us]")}
    return _with_origin(pd.DataFrame(frame))


def leads(rows: int, bad: float, seed: int = 1) -> pd.DataFrame:
    """``rows`` leads in the lake's dtypes, 41 columns, a share ``bad`` of them with one defect each."""
    rng = np.random.default_rng(seed)
    status = rng.choice(["won", "defeated", "open"], rows, p=[0.2, 0.7, 0.1])
    created = START + rng.integers(0, 360 * 1440, rows) * MINUTE
    frame: dict[str, Any] = {
        "lead_id": pd.Series([f"L{number:08d}" for number in range(rows)], dtype="str"),
        "dealer_id": _words(rng, rows, "D{:04d}", DEALERS),
        "phone_key": pd.Series([f"{number:032x}" for number in rng.integers(0, 2**60, rows)], dtype="str"),
        "consultant_id": _words(rng, rows, "C{:05d}", 8 * DEALERS),
        "created_at": created,
        "status": pd.Series(status, dtype="str"),
        "contact_count": pd.Series(rng.integers(0, 12, rows), dtype="Int64"),
        "age": pd.Series(rng.integers(18, 75, rows), dtype="Int64"),
        "quoted_price": rng.uniform(9e4, 2.4e5, rows).round(-2),
        "budget": rng.uniform(8e4, 3e5, rows).round(-3),
        "purchase_type": pd.Series(rng.choice(contract().codes("purchase_type"), rows), dtype="str"),
        "intent_level": _words(rng, rows, "I{}", 4),
    }
    frame["list_price"] = frame["quoted_price"] * rng.uniform(0.95, 1.2, rows)
    frame |= {name: _words(rng, rows, name + "{}", 12) for name in WORDS}
    moment = created
    for name in TIMES:
        moment = moment + rng.integers(1, 2000, rows) * MINUTE
        frame[name] = np.where(rng.random(rows) < 0.6, moment, np.datetime64("NaT", "us"))
    closed = moment + rng.integers(1, 2000, rows) * MINUTE
    closed = np.minimum(closed, np.datetime64(AS_OF, "us"))
    nat = np.datetime64("NaT", "us")
    frame["ordered_at"] = np.where(status == "won", closed, nat)
    frame["delivered_at"] = np.where((status == "won") & (rng.random(rows) < 0.5), closed, nat)
    frame["defeated_at"] = np.where(status == "defeated", closed, nat)
    frame["last_contact_at"], frame["next_contact_at"] = moment, np.where(status == "open", closed, nat)
    frame |= {f"note_{number}": _words(rng, rows, "text {}", 50) for number in range(COLUMNS - len(frame) - 2)}
    table = _with_origin(pd.DataFrame(frame))
    _spoil(table, rng, int(rows * bad))
    return table


def _words(rng: np.random.Generator, rows: int, pattern: str, many: int) -> pd.Series:
    names = pd.Series([pattern.format(number) for number in range(many)], dtype="str")
    return names.take(rng.integers(0, many, rows)).reset_index(drop=True)


def _with_origin(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(
        _file=pd.Series(["leads.csv"] * len(frame), dtype="str"),
        _row=pd.Series(np.arange(1, len(frame) + 1), dtype="Int64"),
    )


def _spoil(frame: pd.DataFrame, rng: np.random.Generator, many: int) -> None:
    """Ten kinds of defects, spread over different rows."""
    rows = rng.choice(len(frame), many, replace=False)
    parts = np.array_split(rows, 10)
    for part, (column, value) in zip(
        parts,
        [
            ("dealer_id", "D9999"),
            ("status", "won"),
            ("age", 250),
            ("quoted_price", -1.0),
            ("created_at", pd.Timestamp("2099-01-01")),
            ("series", pd.NA),
            ("purchase_type", "rent"),
            ("phone_key", pd.NA),
            ("test_drive_at", pd.Timestamp("2025-01-01")),
            ("lead_id", None),
        ],
        strict=True,
    ):
        frame.iloc[part, frame.columns.get_loc(column)] = frame["lead_id"].iloc[0] if value is None else value


def plain(frame: pd.DataFrame, dealer_ids: pd.Series) -> dict[str, np.ndarray]:
    """The same rules as straightforward pandas on the whole frame, and the failing rows counted per dealer."""
    horizon, earliest = pd.Timestamp(AS_OF), pd.Timestamp("2000-01-01")
    found: dict[str, pd.Series] = {}
    for column in ("lead_id", "dealer_id", "phone_key", "series", "created_at", "status", "consultant_id", "source"):
        found[f"missing.{column}"] = frame[column].isna()
    found["duplicate"] = frame["lead_id"].notna() & frame["lead_id"].duplicated(keep=False)
    found["dealer"] = frame["dealer_id"].notna() & ~frame["dealer_id"].isin(dealer_ids)
    for column, codes in (("status", "status"), ("purchase_type", "purchase_type")):
        found[f"code.{column}"] = frame[column].notna() & ~frame[column].isin(contract().codes(codes))
    for column in (*TIMES, "created_at", "ordered_at", "delivered_at", "defeated_at", "last_contact_at"):
        found[f"date.{column}"] = (frame[column] < earliest) | (frame[column] > horizon)
    found["date.next"] = (frame["next_contact_at"] < earliest) | (
        frame["next_contact_at"] > horizon + pd.Timedelta(days=1100)
    )
    ordered, defeated = frame["ordered_at"].notna(), frame["defeated_at"].notna()
    found["status"] = (
        ((frame["status"] == "won") & (~ordered | defeated))
        | ((frame["status"] == "defeated") & (~defeated | frame["delivered_at"].notna()))
        | ((frame["status"] == "open") & (ordered | defeated | frame["delivered_at"].notna()))
    )
    for later, earlier in (
        ("defeated_at", "created_at"),
        ("ordered_at", "created_at"),
        ("delivered_at", "ordered_at"),
        ("first_contact_at", "created_at"),
        ("test_drive_at", "visited_at"),
    ):
        found[f"order.{later}"] = frame[later] < frame[earlier]
    found["age"] = (frame["age"].lt(16) | frame["age"].gt(100)).fillna(False)
    found["contacts"] = (frame["contact_count"].lt(0) | frame["contact_count"].gt(1000)).fillna(False)
    for column in ("quoted_price", "list_price", "budget"):
        found[f"price.{column}"] = frame[column] <= 0
    ratio = frame["quoted_price"] / frame["list_price"]
    found["ratio"] = (frame["quoted_price"] > 0) & ((ratio < 0.5) | (ratio > 1.5))
    again = frame[frame["phone_key"].duplicated(keep=False) & frame["phone_key"].notna()]
    again = again.sort_values(["phone_key", "dealer_id", "created_at"])
    days = again.groupby(["phone_key", "dealer_id"], sort=False, observed=True)["created_at"].diff()
    found["again"] = (days <= pd.Timedelta(days=7)).reindex(frame.index, fill_value=False)
    dealer, _ = pd.factorize(frame["dealer_id"])
    return {
        name: np.bincount(dealer[mask.to_numpy(bool) & (dealer >= 0)], minlength=DEALERS)
        for name, mask in found.items()
        if mask.any()
    }


def stock(frame: pd.DataFrame, dealer_list: pd.DataFrame) -> None:
    """Great Expectations as it comes: the native rules on the whole frame, COMPLETE with index columns."""
    gx = great_expectations()
    asked = suites.declared("leads", standard_until(AS_OF))
    own = [each for each in asked if set(_columns(each)) <= set(frame.columns)]
    own.append(
        gx.expectations.ExpectColumnValuesToBeInSet(column="dealer_id", value_set=dealer_list["dealer_id"].tolist())
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        asset = context.data_sources.add_pandas("stock").add_dataframe_asset("leads")
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
        suite = gx.ExpectationSuite(name="stock", expectations=own)
        batch.validate(
            suite,
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["lead_id", "dealer_id"]},
        )
    print(f"  (stock: {len(own)} expectations that need no helper column)")


def _columns(expectation: Any) -> tuple[str, ...]:
    from expectations.masks import columns_used

    return columns_used(expectation)


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall and CPU seconds of ``work`` and what it returned."""
    wall, cpu = time.perf_counter(), time.process_time()
    answer = work()
    return time.perf_counter() - wall, time.process_time() - cpu, answer


def best(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """The run of three that took the least CPU, as ``timed``."""
    return min((timed(work) for _ in range(3)), key=lambda run: run[1])


def peak() -> float:
    """Most memory the process has held so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def guards(dealer_list: pd.DataFrame, frame: pd.DataFrame) -> list[Any]:
    """The month against those before, alone; the view's codes of dealers are made before and not counted."""
    ids = pd.Index([*dealer_list["dealer_id"], UNASSIGNED], dtype="str")
    view = View("leads", frame, Links(standard_until(AS_OF), ids))
    view.dealer  # noqa: B018
    wall, cpu, judged = best(lambda: against_months(view, MONTH, AS_OF, frozenset(), len(ids)))
    print(f"  of that the months' guards    {wall:6.2f} s wall {cpu:6.2f} s CPU  ({len(judged)} expectations)")
    return judged


def measure(rows: int, bad: float, with_stock: bool, with_guards: bool) -> float:
    """Print the figures of one share of bad rows; returns the CPU seconds of our check."""
    dealer_list, frame = dealers(), leads(rows, bad)
    great_expectations()
    print(f"{len(frame):,} leads x {len(frame.columns)} columns, {bad:.0%} bad; memory before {peak():.2f} GB")
    wall, plain_cpu, counts = best(lambda: plain(frame, dealer_list["dealer_id"]))
    print(
        f"  plain pandas masks + counts   {wall:6.2f} s wall {plain_cpu:6.2f} s CPU  ({len(counts)} rules found rows)"
    )

    def check() -> CheckResult:
        month = MONTH if with_guards else ""
        result = run_suites({"dealers": dealer_list, "leads": frame}, CheckContext(AS_OF, month=month))
        result.per_dealer()
        return result

    wall, ours, result = best(check)
    judged = result.expectations()
    many = int((judged["table"] == "leads").sum())
    print(f"  suites + masks + counts       {wall:6.2f} s wall {ours:6.2f} s CPU  ({many} expectations)")
    print(f"  = {ours / plain_cpu:.1f} x plain; peak {peak():.2f} GB")
    if with_guards:
        guards(dealer_list, frame)
    wall, cpu, problems = timed(result.problems)
    print(f"  problems frame                {wall:6.2f} s wall {cpu:6.2f} s CPU  ({len(problems):,} rows)")
    wall, cpu, _ = timed(result.tables["leads"].accepted)
    print(f"  accepted frame                {wall:6.2f} s wall {cpu:6.2f} s CPU; peak {peak():.2f} GB")
    if with_stock:
        wall, cpu, _ = timed(lambda: stock(frame, dealer_list))
        print(
            f"  stock GX, COMPLETE            {wall:6.2f} s wall {cpu:6.2f} s CPU = {cpu / ours:.1f} x ours", flush=True
        )
    return ours


def main() -> None:
    """Print the figures; every share of bad rows in a process of its own, so that peaks are its own."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--stock", action="store_true", help="also time stock Great Expectations (minutes)")
    options.add_argument("--no-guards", action="store_true", help="do not compare the month with those before")
    asked = options.parse_args()
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as pool:
        few = pool.submit(measure, asked.rows, 0.01, asked.stock, not asked.no_guards).result()
        many = pool.submit(measure, asked.rows, 0.10, False, not asked.no_guards).result()
    print(f"10 % bad costs {many / few:.2f} x 1 % bad")


if __name__ == "__main__":
    main()
