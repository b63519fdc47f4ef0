"""False alarms, detection and time of the authenticity signals (docs/benchmarks.md, "Authenticity signals").

``python tests/bench/bench_signals.py honest --networks 100`` simulates networks without fakery and counts those with
any alarm; ``planted`` rewrites a tenth of the rows of some dealers, one sign at a time, and counts how many are found;
``speed`` times all signals on 1,000,000 leads of 1,000 dealers. Everything is made from seeds.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from expectations.authenticity import SignalOptions, Signals, find_signals
from expectations.authenticity.find import DETECTORS
from tasks.compute.simulation.months import Simulation
from tasks.compute.simulation.network import Network

Tables = dict[str, pd.DataFrame]
USED = ("dealers", "leads", "defeats", "revisits", "sales")
KEYS = {"dealers": ["dealer_id"], "leads": ["lead_id"], "defeats": ["lead_id", "defeated_at"]}
SHARE = 0.1  # of a dealer's rows that are rewritten
PLANTED_DEALERS = 0.08
PERSONAL = ("phone", "customer_name")


def simulated(dealers: int, seed: int, months: int, fakery: float = 0.0) -> tuple[Network, Tables]:
    """The accepted tables of a simulated network, as the lake would hold them."""
    network = Network.build(dealers, seed, "2025-01", fakery=fakery)
    simulation = Simulation(network)
    exports = [simulation.month(month) for month in range(months)]
    return network, {table: folded(table, [export[table] for export in exports]) for table in USED}


def folded(table: str, parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Monthly exports as one table: the later row of a key wins; file, row and a stand-in for the phone's hash."""
    origin = [
        part.assign(_file=f"{table}_{number}.csv", _row=np.arange(1, len(part) + 1))
        for number, part in enumerate(parts)
    ]
    frame = pd.concat(origin, ignore_index=True)
    if table in KEYS:
        frame = frame.drop_duplicates(KEYS[table], keep="last", ignore_index=True)
    return frame.assign(phone_key="k" + frame["phone"]) if "phone" in frame else frame


def until(months: int) -> SignalOptions:
    """The end of the simulated months."""
    return SignalOptions(until=(pd.Timestamp("2025-01-01") + pd.DateOffset(months=months)).to_pydatetime())


# Planting: each takes the tables and the positions (in its table) of the rows to rewrite, and the generator.


def _phones(tables: Tables, rows: np.ndarray, numbers: np.ndarray) -> None:
    for column, text in (("phone", "{}"), ("phone_key", "k{}")):
        values = tables["leads"][column].to_numpy(object).copy()
        values[rows] = [text.format(number) for number in numbers]
        tables["leads"][column] = pd.Series(values, dtype="str")


def shared_phone(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    dealer = pd.factorize(tables["leads"]["dealer_id"])[0][rows]
    _phones(tables, rows, 13_000_000_000 + dealer * 1009 * 97 + rng.integers(0, 4, len(rows)) * 31_337)


def staff_phone(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    consultant = pd.factorize(tables["leads"]["consultant_id"])[0][rows]
    _phones(tables, rows, 13_000_000_000 + (consultant + 1) * 1009 * 97)


def sequential_phone(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    dealer = pd.factorize(tables["leads"]["dealer_id"])[0][rows]
    order = pd.Series(dealer).groupby(dealer).cumcount().to_numpy()
    _phones(tables, rows, 13_000_001_000 + dealer * 1_000_003 + order * 3)


def _set(tables: Tables, table: str, column: str, rows: np.ndarray, values: object) -> None:
    series = tables[table][column].copy()
    series.iloc[rows] = values
    tables[table][column] = series


def phone_changed(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    _set(tables, "sales", "phone_key", rows, [f"other{row}" for row in rows])


def revisit_seconds(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    _set(tables, "revisits", "duration_s", rows, rng.integers(2, 15, len(rows)))


def straight_top_marks(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    for name in ("reception", "presentation", "test_drive", "price", "follow_up"):
        _set(tables, "revisits", f"satisfaction_{name}", rows, 10.0)


def revisit_success(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    _set(tables, "revisits", "reached", rows, True)


def deadline_burst(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    at = tables["defeats"]["defeated_at"].to_numpy()[rows].astype("datetime64[M]") + np.timedelta64(1, "M")
    before = rng.integers(1, 3600, len(rows)).astype("timedelta64[s]")
    _set(tables, "defeats", "defeated_at", rows, at.astype("datetime64[us]") - before)


def back_dated(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    late = tables["defeats"]["defeated_at"].to_numpy()[rows] + rng.integers(20, 60, len(rows)).astype("timedelta64[D]")
    _set(tables, "defeats", "reviewed_at", rows, late)


def revisit_invented(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    """Reached, with length and answers as some other customer gave them, and no call after: only the share is left."""
    revisits = tables["revisits"]
    spoken = rng.choice(np.flatnonzero(_reached(revisits)), len(rows))
    for name in revisits.columns.difference(["lead_id", "called_at", "attempt", "agent_id", "_file", "_row"]):
        _set(tables, "revisits", name, rows, revisits[name].iloc[spoken].to_numpy())
    ended = revisits.iloc[rows].groupby("lead_id")["called_at"].min()
    later = revisits["called_at"] > revisits["lead_id"].map(ended)  # never where the lead has no such end
    tables["revisits"] = revisits[~later].reset_index(drop=True)


def one_reason(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    _set(tables, "defeats", "reason_code", rows, "customer_plan_postponed")


def one_sitting(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    """The same reason, filed in one afternoon of the dealer."""
    one_reason(tables, rows, rng)
    after_noon = rng.integers(13 * 3600, 17 * 3600, len(rows)).astype("timedelta64[s]")
    _set(tables, "defeats", "defeated_at", rows, np.datetime64("2025-05-14", "us") + after_noon)


def copied_text(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    _set(tables, "defeats", "reason_text", rows, "客户暂不考虑购车,后续持续保持联系跟进")


def digit_anomaly(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    price = tables["leads"]["quoted_price"].to_numpy()[rows]
    _set(tables, "leads", "quoted_price", rows, price // 100 * 100 + 88)


def no_contact(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    _set(tables, "leads", "contact_count", rows, 0)


def never_moves(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    _set(tables, "leads", "status", rows, "open")
    for name in (
        "first_contact",
        "visited",
        "test_drive",
        "quoted",
        "ordered",
        "delivered",
        "defeated",
        "last_contact",
    ):
        _set(tables, "leads", f"{name}_at", rows, pd.NaT)
    _set(tables, "leads", "contact_count", rows, 0)


Planting = Callable[[Tables, np.ndarray, np.random.Generator], None]


def _any(frame: pd.DataFrame) -> np.ndarray:
    return np.ones(len(frame), bool)


def _reached(frame: pd.DataFrame) -> np.ndarray:
    return frame["reached"].to_numpy(bool)


def _later(frame: pd.DataFrame) -> np.ndarray:
    return (frame["defeated_at"] >= pd.Timestamp("2025-04-01")).to_numpy()


def _unreached(frame: pd.DataFrame) -> np.ndarray:
    return ~_reached(frame)


@dataclass(frozen=True)
class Planted:
    """How a sign is planted: in which rows of which table, how many of the dealer's, whether of one consultant."""

    table: str
    rewrite: Planting
    may: Callable[[pd.DataFrame], np.ndarray] = _any
    one_consultant: bool = False


def _has(column: str) -> Callable[[pd.DataFrame], np.ndarray]:
    return lambda frame: frame[column].notna().to_numpy()


PLANTINGS: Mapping[str, Planted] = {
    "shared_phone": Planted("leads", shared_phone),
    "staff_phone": Planted("leads", staff_phone, _has("consultant_id")),
    "sequential_phone": Planted("leads", sequential_phone),
    "phone_changed": Planted("sales", phone_changed, _has("lead_id")),
    "revisit_seconds": Planted("revisits", revisit_seconds, _reached),
    "straight_top_marks": Planted("revisits", straight_top_marks, _reached),
    "revisit_success_improbable (ticked)": Planted("revisits", revisit_success, _unreached),
    "revisit_success_improbable (with answers)": Planted("revisits", revisit_invented, _unreached),
    "deadline_burst": Planted("defeats", deadline_burst),
    "back_dated": Planted("defeats", back_dated, _has("reviewed_at")),
    "one_reason (scattered)": Planted("defeats", one_reason),
    "one_reason (one consultant)": Planted("defeats", one_reason, one_consultant=True),
    "one_reason (one day)": Planted("defeats", one_sitting),
    "reason_shift (scattered)": Planted("defeats", one_reason, _later),
    "reason_shift (one consultant)": Planted("defeats", one_reason, _later, one_consultant=True),
    "copied_text": Planted("defeats", copied_text),
    "digit_anomaly": Planted("leads", digit_anomaly, _has("quoted_price")),
    "no_contact": Planted("leads", no_contact, _has("defeated_at")),
    "never_moves": Planted("leads", never_moves),
}
#: what a tenth of the rows is not enough for, and may be planted more often
SHARES = {name: (SHARE, 0.2, 0.3) for name in PLANTINGS if name.endswith(("scattered)", "with answers)"))}


def plant(tables: Tables, name: str, share: float, rng: np.random.Generator) -> tuple[Tables, set[str]]:
    """The tables with ``name`` planted in ``share`` of the rows of some dealers, and those dealers."""
    planted = PLANTINGS[name]
    changed = {key: frame.copy() for key, frame in tables.items()}
    frame, leads = changed[planted.table], tables["leads"].set_index("lead_id")
    ids = (frame["dealer_id"] if "dealer_id" in frame else frame["lead_id"].map(leads["dealer_id"])).to_numpy(object)
    dealers = tables["dealers"]["dealer_id"].to_numpy(object)
    chosen = rng.choice(dealers, max(1, round(PLANTED_DEALERS * len(dealers))), replace=False).tolist()
    order = rng.random(len(frame))
    if planted.one_consultant:
        consultant = frame["lead_id"].map(leads["consultant_id"])
        order += consultant.map({each: rng.random() * 10**6 for each in consultant.unique()}).to_numpy()
    may = planted.may(frame)
    rows = []
    for dealer in chosen:
        own = np.flatnonzero((ids == dealer) & may)
        rows.append(own[np.argsort(order[own])][: round(share * (ids == dealer).sum())])
    planted.rewrite(changed, np.concatenate(rows), rng)
    return changed, set(chosen)


def alarms(signals: Signals) -> pd.DataFrame:
    """The flagged rows."""
    return signals.found[signals.found["flagged"].fillna(False).astype(bool)]


def honest_network(seed: int, dealers: int, months: int) -> tuple[pd.DataFrame, pd.Series]:
    """The alarms of a network without fakery, and the smallest p of each signal."""
    _, tables = simulated(dealers, seed, months)
    signals = find_signals(tables, months, until(months))
    return alarms(signals).assign(seed=seed), signals.found.groupby("signal")["p_value"].min()


def honest(seeds: range, dealers: int, months: int) -> None:
    """Networks without fakery: how many show any alarm, and of which signal. On two cores."""
    with ProcessPoolExecutor(2) as pool:
        each = list(pool.map(partial(honest_network, dealers=dealers, months=months), seeds))
    false = pd.concat([flagged for flagged, _ in each])
    smallest = pd.concat([p for _, p in each], axis=1).min(axis=1)
    many, networks = false["seed"].nunique(), len(seeds)
    low, high = binomtest(many, networks).proportion_ci()
    print(f"{networks} networks (seeds {seeds[0]}-{seeds[-1]}) of {dealers} dealers, {months} months, no fakery: "
          f"{many} with any alarm, 95 % interval {low:.1%} to {high:.1%}")  # fmt: skip
    print("| signal | networks with a false alarm | smallest p |\n|---|---|---|")
    for code in DETECTORS:
        print(f"| {code} | {false.loc[false['signal'] == code, 'seed'].nunique()} | {smallest[code]:.1e} |")
    print(false.to_string(index=False) if len(false) else "", flush=True)


def planted(networks: int, dealers: int, months: int, only: str) -> None:
    """Every sign planted at some dealers of each network: how many of those with 100+ rows are found."""
    cases = [(name, share) for name in PLANTINGS if only in name for share in SHARES.get(name, (SHARE,))]
    found = {case: np.zeros(5, int) for case in cases}
    for seed in range(networks):
        _, tables = simulated(dealers, 2000 + seed, months)
        for name, share in cases:
            changed, chosen = plant(tables, name, share, np.random.default_rng([seed, len(name)]))
            signals = find_signals(changed, months, until(months))
            code = name.partition(" ")[0]
            own = signals.found[(signals.found["signal"] == code) & signals.found["dealer_id"].isin(chosen)]
            caught = own["flagged"].fillna(False).to_numpy(bool)
            rows = own["dealer_id"].map(rows_of(changed, PLANTINGS[name].table)).to_numpy()
            large, larger = rows >= 100, rows >= 300
            others = (~alarms(signals)["dealer_id"].isin(chosen)).sum()
            found[name, share] += [large.sum(), (caught & large).sum(), larger.sum(), (caught & larger).sum(), others]
    print(f"{networks} networks of {dealers} dealers, {months} months; {PLANTED_DEALERS:.0%} of the dealers planted")
    print("| planted | share of rows | dealers with 100+ rows | found | with 300+ rows | found | alarms elsewhere |")
    print("|---|---|---|---|---|---|---|")
    for (name, share), (large, caught, larger, caught_larger, others) in found.items():
        shares = caught / max(large, 1), caught_larger / max(larger, 1)
        print(
            f"| {name} | {share:.0%} | {large} | {shares[0]:.0%} | {larger} | {shares[1]:.0%} | {others} |", flush=True
        )


def rows_of(tables: Tables, table: str) -> dict[str, int]:
    """How many rows of ``table`` each dealer has."""
    frame = tables[table]
    homes = frame["dealer_id"] if "dealer_id" in frame else frame["lead_id"].map(
        tables["leads"].set_index("lead_id")["dealer_id"]
    )  # fmt: skip
    return homes.value_counts().to_dict()


def speed(dealers: int, leads: int) -> None:
    """Time and memory of all signals."""
    network, tables = simulated(dealers, 1, 12, fakery=0.06)
    tables["leads"] = tables["leads"].tail(leads).reset_index(drop=True)
    print({name: len(frame) for name, frame in tables.items()})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    wall, cpu = time.perf_counter(), time.process_time()
    signals = find_signals(tables, 12, until(12))
    print(f"all signals: {time.perf_counter() - wall:.1f} s wall, {time.process_time() - cpu:.1f} s CPU")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB, before {before:.2f}")
    print(signals.counts(), len(signals.evidence))
    truth = {(dealer, sign) for dealer, signs in zip(network.dealers.ids, network.dealers.fakery, strict=True)
             for sign in signs}  # fmt: skip
    flagged = set(alarms(signals)[["dealer_id", "signal"]].itertuples(index=False, name=None))
    embellishing = {dealer for dealer, _ in truth}
    print(f"planted by the sample {len(truth)}, found {len(truth & flagged)}; "
          f"alarms at dealers without any {sum(dealer not in embellishing for dealer, _ in flagged)}")  # fmt: skip


def main() -> None:
    """Print the figures asked for."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("what", choices=["honest", "planted", "speed"])
    options.add_argument("--networks", type=int, default=100)
    options.add_argument("--first", type=int, default=5000, help="seed of the first network without fakery")
    options.add_argument("--dealers", type=int, default=60)
    options.add_argument("--months", type=int, default=6)
    options.add_argument("--leads", type=int, default=1_000_000)
    options.add_argument("--only", default="", help="plantings whose name holds this")
    asked = options.parse_args()
    if asked.what == "honest":
        honest(range(asked.first, asked.first + asked.networks), asked.dealers, asked.months)
    elif asked.what == "planted":
        planted(asked.networks, asked.dealers, asked.months, asked.only)
    else:
        speed(max(asked.dealers, 1_000), asked.leads)


if __name__ == "__main__":
    main()
