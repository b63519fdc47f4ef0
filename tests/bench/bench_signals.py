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

import numpy as np
import pandas as pd

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


def one_reason(tables: Tables, rows: np.ndarray, rng: np.random.Generator) -> None:
    _set(tables, "defeats", "reason_code", rows, "customer_plan_postponed")


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


#: signal -> table, the rows its planting may rewrite, the planting, the share of them that is rewritten
PLANTINGS: Mapping[str, tuple[str, Callable[[pd.DataFrame], np.ndarray], Planting, float]] = {
    "shared_phone": ("leads", _any, shared_phone, SHARE),
    "staff_phone": ("leads", lambda f: f["consultant_id"].notna().to_numpy(), staff_phone, SHARE),
    "sequential_phone": ("leads", _any, sequential_phone, SHARE),
    "phone_changed": ("sales", lambda f: f["lead_id"].notna().to_numpy(), phone_changed, SHARE),
    "revisit_seconds": ("revisits", _reached, revisit_seconds, SHARE),
    "straight_top_marks": ("revisits", _reached, straight_top_marks, SHARE),
    "revisit_success_improbable": ("revisits", _any, revisit_success, SHARE),
    "revisit_success_improbable (all reached)": ("revisits", _any, revisit_success, 1.0),
    "deadline_burst": ("defeats", _any, deadline_burst, SHARE),
    "back_dated": ("defeats", lambda f: f["reviewed_at"].notna().to_numpy(), back_dated, SHARE),
    "one_reason": ("defeats", _any, one_reason, SHARE),
    "one_reason (80 % of the rows)": ("defeats", _any, one_reason, 0.8),
    "reason_shift (half of the later rows)": (
        "defeats",
        lambda f: (f["defeated_at"] >= pd.Timestamp("2025-04-01")).to_numpy(),
        one_reason,
        0.5,
    ),
    "copied_text": ("defeats", _any, copied_text, SHARE),
    "digit_anomaly": ("leads", lambda f: f["quoted_price"].notna().to_numpy(), digit_anomaly, SHARE),
    "no_contact": ("leads", lambda f: f["defeated_at"].notna().to_numpy(), no_contact, SHARE),
    "never_moves": ("leads", _any, never_moves, SHARE),
}


def plant(tables: Tables, name: str, rng: np.random.Generator) -> tuple[Tables, set[str]]:
    """The tables with ``name`` planted at some dealers, and those dealers."""
    table, may, rewrite, share = PLANTINGS[name]
    changed = {key: frame.copy() for key, frame in tables.items()}
    frame = changed[table]
    ids = frame["dealer_id"] if "dealer_id" in frame else frame["lead_id"].map(
        tables["leads"].set_index("lead_id")["dealer_id"]
    )  # fmt: skip
    dealers = tables["dealers"]["dealer_id"].to_numpy(object)
    chosen = set(rng.choice(dealers, max(1, round(PLANTED_DEALERS * len(dealers))), replace=False).tolist())
    rows = np.flatnonzero(ids.isin(chosen).to_numpy() & may(frame))
    rewrite(changed, rows[rng.random(len(rows)) < share], rng)
    return changed, chosen


def alarms(signals: Signals) -> pd.DataFrame:
    """The flagged rows."""
    return signals.found[signals.found["flagged"].fillna(False).astype(bool)]


def honest(networks: int, dealers: int, months: int) -> None:
    """Networks without fakery: how many show any alarm, and of which signal."""
    with_alarm, by_signal, smallest = 0, dict.fromkeys(DETECTORS, 0), dict.fromkeys(DETECTORS, 1.0)
    for seed in range(networks):
        _, tables = simulated(dealers, 1000 + seed, months)
        signals = find_signals(tables, months, until(months))
        flagged = alarms(signals)
        with_alarm += len(flagged) > 0
        for code in flagged["signal"].unique():
            by_signal[code] += 1
        for code, p in signals.found.groupby("signal")["p_value"].min().items():
            smallest[code] = min(smallest[code], p)
    print(f"{networks} networks of {dealers} dealers, {months} months, no fakery: {with_alarm} with any alarm")
    print("| signal | networks with a false alarm | smallest p |\n|---|---|---|")
    for code, many in by_signal.items():
        print(f"| {code} | {many} ({many / networks:.1%}) | {smallest[code]:.1e} |", flush=True)


def planted(networks: int, dealers: int, months: int) -> None:
    """Every sign planted at some dealers of each network: how many of those with 100+ rows are found."""
    found = {name: [0, 0, 0, 0, 0] for name in PLANTINGS}
    for seed in range(networks):
        _, tables = simulated(dealers, 2000 + seed, months)
        for name in PLANTINGS:
            rng = np.random.default_rng([seed, len(name)])
            changed, chosen = plant(tables, name, rng)
            signals = find_signals(changed, months, until(months))
            code = name.partition(" ")[0]
            own = signals.found[(signals.found["signal"] == code) & signals.found["dealer_id"].isin(chosen)]
            caught = own["flagged"].fillna(False).to_numpy(bool)
            large, larger = (own["rows"] >= 100).to_numpy(), (own["rows"] >= 300).to_numpy()
            others = alarms(signals)
            others = int((~others["dealer_id"].isin(chosen)).sum())
            for place, many in enumerate(
                (large.sum(), (caught & large).sum(), larger.sum(), (caught & larger).sum(), others)
            ):
                found[name][place] += int(many)
    print(f"{networks} networks of {dealers} dealers, {months} months; {PLANTED_DEALERS:.0%} of the dealers planted")
    print("| planted | dealers with 100+ rows | found | with 300+ rows | found | alarms elsewhere |")
    print("|---|---|---|---|---|---|")
    for name, (large, caught, larger, caught_larger, others) in found.items():
        shares = caught / max(large, 1), caught_larger / max(larger, 1)
        print(f"| {name} | {large} | {shares[0]:.0%} | {larger} | {shares[1]:.0%} | {others} |", flush=True)


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
    options.add_argument("--dealers", type=int, default=60)
    options.add_argument("--months", type=int, default=6)
    options.add_argument("--leads", type=int, default=1_000_000)
    asked = options.parse_args()
    if asked.what == "honest":
        honest(asked.networks, asked.dealers, asked.months)
    elif asked.what == "planted":
        planted(asked.networks, asked.dealers, asked.months)
    else:
        speed(max(asked.dealers, 1_000), asked.leads)


if __name__ == "__main__":
    main()
