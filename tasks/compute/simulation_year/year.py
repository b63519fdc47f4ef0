"""One network through the year, by each way of running the loop; and many networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from tasks.compute.judgement.model import Floats
from tasks.compute.learning.self_checks import programme
from tasks.compute.simulation_year.loops import Loop, Naive, Rematch
from tasks.compute.simulation_year.world import Setting, World, create

LAST_MONTHS = 3
YEAR_COLUMNS = [
    "network",
    "loop",
    "close_rate",
    "gain_year",
    "gain_last",
    "plans",
    "right",
    "worked",
    "estimate",
    "lo90",
    "hi90",
    "truth",
    "false_effective",
    "effective",
]

LOOPS: dict[str, Callable[[World], Loop]] = {
    "naive": lambda world: Naive(world.schemes, _capacity(world)),
    "rematch": lambda world: Rematch(world.schemes, _capacity(world)),
    "rematch_exploring": lambda world: Rematch(world.schemes, _capacity(world), explore=True, seed=world.seed),
}


def _capacity(world: World) -> int:
    return max(1, round(world.setting.capacity * world.setting.dealers))


def simulate_year(setting: Setting, seeds: Iterable[int], loops: Iterable[str] = tuple(LOOPS)) -> pd.DataFrame:
    """Every network of ``seeds`` by every loop, YEAR_COLUMNS, a row each; rates and gains in percentage points.

    - close_rate: of the last three months; gain_year, gain_last: true gain over no loop, over the year and over the
      last three months, all leads of the network.
    - plans made; right: share of them for the dealer's true cause; worked: share that repaired something.
    - estimate, lo90, hi90: what the loop itself says the programme brought since its first measure (before/after of
      the dealers with plans for the naive one, without an interval); truth: what it did bring, in the same leads.
    - effective: verdicts "effective"; false_effective: share of them where nothing was repaired (naive: not counted).
    """
    rows = [_one(create(setting, seed), name) for seed in seeds for name in loops]
    return pd.DataFrame(rows, columns=YEAR_COLUMNS)


def _one(world: World, name: str) -> dict[str, object]:
    s = world.setting
    loop = LOOPS[name](world)
    months = s.history + s.year
    rng = np.random.default_rng([world.seed, 7])
    place = {dealer: number for number, dealer in enumerate(world.ids)}
    code = {reason: number for number, reason in enumerate(world.reasons)}
    repaired = np.zeros((s.dealers, months))
    parts = [world.month(month, repaired[:, month - 1]) for month in range(1, s.history + 1)]
    plans, gains = [], {}
    for month in range(s.history, months):
        if month > s.history:
            parts.append(world.month(month, repaired[:, month - 1]))
        for plan in loop.plans(pd.concat(parts, ignore_index=True), month):
            done = bool(rng.random() < s.executed)
            loop.executed(plan, done)
            i, reason = place[plan.dealer_id], code[plan.reason]
            part = world.repair[reason, world.schemes[plan.reason].index(plan.measure)]
            part = part if done and world.cause[i] == reason else 0.0
            gains[f"{plan.dealer_id}-{plan.month}"] = part - repaired[i, month]
            repaired[i, month:] = np.maximum(repaired[i, month:], part)
            plans.append((plan, bool(world.cause[i] == reason), part > 0))
    parts.append(world.month(months, repaired[:, -1]))
    counts = pd.concat(parts, ignore_index=True)
    table = pd.DataFrame(
        [(plan.dealer_id, plan.month + 1, plan.month) for plan, _, _ in plans],
        columns=["dealer_id", "start", "issued_after"],
    )
    gained = (world.close_rate(repaired) - world.close_rate(np.zeros_like(repaired))) * world.leads
    return {
        "network": world.seed,
        "loop": name,
        "close_rate": 100 * _rate(world.close_rate(repaired) * world.leads, world.leads, months - LAST_MONTHS),
        "gain_year": 100 * _rate(gained, world.leads, s.history),
        "gain_last": 100 * _rate(gained, world.leads, months - LAST_MONTHS),
        "plans": len(plans),
        "right": float(np.mean([right for _, right, _ in plans])) if plans else np.nan,
        "worked": float(np.mean([worked for _, _, worked in plans])) if plans else np.nan,
        **_own_estimate(name, counts, table, gained, world.leads),
        **_verdicts(loop, gains),
    }


def _rate(part: Floats, whole: Floats, first: int) -> float:
    return float(part[:, first:].sum() / whole[:, first:].sum())


def _own_estimate(
    name: str, counts: pd.DataFrame, treated: pd.DataFrame, gained: Floats, leads: Floats
) -> dict[str, float]:
    if treated.empty:
        return {}
    start = int(treated["start"].min())
    truth = 100 * _rate(gained, leads, start - 1)
    if name == "naive":
        return {"estimate": _before_after(counts, treated.drop_duplicates("dealer_id"), start), "truth": truth}
    network = programme(counts, treated)[1]
    return {"estimate": network.value, "lo90": network.lo90, "hi90": network.hi90, "truth": truth}


def _before_after(counts: pd.DataFrame, first: pd.DataFrame, start: int) -> float:
    """Gain as usually claimed: each dealer's rate since its plan less that of three months before, over all leads."""
    begun = counts.merge(first, on="dealer_id")
    after = begun[begun["month"] >= begun["start"]].groupby("dealer_id")[["n", "x"]].sum()
    span = begun["month"].between(begun["start"] - 3, begun["start"] - 1)
    before = begun[span].groupby("dealer_id")[["n", "x"]].sum().reindex(after.index)
    gained = (after["x"] - after["n"] * before["x"] / before["n"]).sum()
    return float(100 * gained / counts.loc[counts["month"] >= start, "n"].sum())


def _verdicts(loop: Loop, gains: dict[str, float]) -> dict[str, float]:
    effects = getattr(loop, "effects", pd.DataFrame())
    if effects.empty:
        return {"effective": 0, "false_effective": np.nan}
    called = effects[effects["verdict"] == "effective"]
    wrong = called["measure_id"].map(gains) <= 0
    return {"effective": len(called), "false_effective": float(wrong.mean()) if len(called) else np.nan}


def summary(year: pd.DataFrame) -> pd.DataFrame:
    """Means per loop over the networks, ``times_naive`` = gain over the naive loop's, ``covered`` = share of networks
    whose own estimate's 90 % interval holds the truth, ``bias`` = estimate less truth.
    """
    table = year.groupby("loop", sort=False).agg(
        networks=("network", "size"),
        close_rate=("close_rate", "mean"),
        gain_year=("gain_year", "mean"),
        gain_last=("gain_last", "mean"),
        plans=("plans", "mean"),
        right=("right", "mean"),
        worked=("worked", "mean"),
        false_effective=("false_effective", "mean"),
    )
    known = year[year["lo90"].notna()]
    inside = known["lo90"].le(known["truth"]) & known["hi90"].ge(known["truth"])
    table["covered"] = inside.groupby(known["loop"]).mean().reindex(table.index)
    table["bias"] = (year["estimate"] - year["truth"]).groupby(year["loop"]).mean().reindex(table.index)
    if "naive" in table.index:
        table["times_naive"] = table["gain_last"] / table["gain_last"].to_dict()["naive"]
    return table.reset_index()
