"""The playbook's record: what each measure did over all dealers, and which is proposed first (domain.md section 10).

Measures of one scheme may be judged by different indicators, and five points of "answered within an hour" are not five
points of close rate. So measures are compared by the part of what was promised that they attained: pooled effect
divided by the mean target of the dealers behind it. That part is shrunk: every measure starts with the prior (half the
measures attain more than ``TYPICAL_MEAN``, two thirds of them within ``TYPICAL_SD``), which the measures with a record
move as they become many, and keeps as much of its own record as that record is sure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from models.enums import EffectVerdict
from tasks.compute.judgement.model import Floats
from tasks.compute.judgement.pool import POOL_COLUMNS, paule_mandel, pool

TYPICAL_MEAN = 0.0  # part of the promise a measure attains, before anything is known
TYPICAL_SD = 0.67  # two points where three were promised
TYPICAL_WEIGHT = 5  # so many measures with a record weigh as much as the prior
HALF_90 = 1.645
RECORD_COLUMNS = [
    *POOL_COLUMNS,
    "indicator",
    "target_points",
    "attained",
    "attained_sd",
    "shrunk_lo90",
    "shrunk_hi90",
    "best_chance",
    "because",
]


@dataclass(frozen=True)
class Beliefs:
    """How measures differ in the part of the promise they attain: mean and sd over measures."""

    mean: float
    sd: float


def record(
    effects: pd.DataFrame,
    schemes: Mapping[str, Sequence[str]],
    *,
    cycle: str = "",
    explore: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """The record of every measure of ``schemes`` (reason -> measures in the playbook's order) and of any other tried.

    ``effects``: rows of ``judgement.verify`` of all cycles with the columns reason, measure and indicator. Returns
    RECORD_COLUMNS, one row per reason and measure:

    - dealers, executed, pooled, shared, basis, effect_points with lo90, hi90, se_points, between_points, verdict: as
      ``pool`` gives them, by the indicator that judged most of the measure's dealers; empty where nothing was judged
      yet. target_points: mean promise behind them.
    - attained, attained_sd: shrunk part of the promise attained, and how sure that is; a measure without a record has
      the prior. shrunk_points, shrunk_lo90, shrunk_hi90: the same in points; empty without a record.
    - best_chance: probability of being the best of its reason.
    - rank within the reason: 1 = proposed first, by ``attained``, then the playbook's order. With ``explore`` by one
      draw from each measure's ``attained`` (Thompson sampling), the same whenever repeated for ``cycle`` and ``seed``.
    - because: for rank 1 the message that says why (``reports.verdicts.because``), else empty.
    """
    table = _with_untried(_by_main_indicator(effects), schemes)
    beliefs = _beliefs(table)
    y = (table["effect_points"] / table["target_points"]).to_numpy(float)
    v = ((table["se_points"] / table["target_points"]) ** 2).to_numpy(float)
    known = ~np.isnan(y) & ~np.isnan(v)
    keep = np.where(known, beliefs.sd**2 / (beliefs.sd**2 + np.where(known, v, 1.0)), 0.0)
    table["attained"] = keep * np.where(known, y, 0.0) + (1 - keep) * beliefs.mean
    table["attained_sd"] = beliefs.sd * np.sqrt(1 - keep)
    promise = table["target_points"].where(known)
    table["shrunk_points"] = table["attained"] * promise
    for name, side in (("shrunk_lo90", -1), ("shrunk_hi90", 1)):
        table[name] = (table["attained"] + side * HALF_90 * table["attained_sd"]) * promise
    table["best_chance"] = _chances(table)
    score = _draws(table, cycle, seed) if explore else table["attained"]
    order = np.lexsort([table["_place"], -score, table["reason"]])
    table = table.iloc[order].reset_index(drop=True)
    table["rank"] = (table.groupby("reason").cumcount() + 1).astype("Int64")
    table["because"] = _because(table, explored=explore)
    return table[RECORD_COLUMNS]


def _by_main_indicator(effects: pd.DataFrame) -> pd.DataFrame:
    """``pool`` over the effects on the indicator that judged most dealers of a measure; the others count as tried."""
    judged = effects[effects["effect_points"].notna() & effects["executed"].ne(False).fillna(True)]
    counts = judged.groupby(["reason", "measure", "indicator"])["dealer_id"].nunique().reset_index(name="_n")
    main = counts.sort_values(["_n", "indicator"], ascending=[False, True]).drop_duplicates(["reason", "measure"])
    keyed = effects.merge(main[["reason", "measure", "indicator"]].rename(columns={"indicator": "_main"}), how="left")
    keyed["effect_points"] = keyed["effect_points"].where(keyed["indicator"].eq(keyed["_main"]))
    table = pool(keyed)
    behind = keyed[keyed["effect_points"].notna() & keyed["executed"].ne(False).fillna(True)]
    target = behind.groupby(["reason", "measure"])["target_points"].mean().reset_index()
    return table.merge(target, how="left").merge(main[["reason", "measure", "indicator"]], how="left")


def _with_untried(table: pd.DataFrame, schemes: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    places = pd.DataFrame(
        [(reason, measure, place) for reason, scheme in schemes.items() for place, measure in enumerate(scheme)],
        columns=["reason", "measure", "_place"],
    ).astype({"reason": "str", "measure": "str", "_place": "int64"})
    table = table.astype({"reason": "str", "measure": "str"}).merge(places, how="outer", on=["reason", "measure"])
    table["basis"] = table["basis"].fillna("")
    for name in ("dealers", "executed", "pooled", "shared"):
        table[name] = table[name].astype("Int64").fillna(0)
    table["verdict"] = table["verdict"].fillna(EffectVerdict.NOT_ENOUGH.value)
    numbers = ["effect_points", "lo90", "hi90", "se_points", "between_points", "shrunk_points", "target_points"]
    table[numbers] = table[numbers].astype(float)
    return table.assign(_place=table["_place"].fillna(len(places)).astype(float))


def _beliefs(table: pd.DataFrame) -> Beliefs:
    """The prior moved by the measures with a record, as a weighted mean of both."""
    known = table[table["effect_points"].notna() & table["se_points"].notna() & (table["target_points"] > 0)]
    if known.empty:
        return Beliefs(TYPICAL_MEAN, TYPICAL_SD)
    promise = known["target_points"].to_numpy(float)
    attained, se = (known[name].to_numpy(float) / promise for name in ("effect_points", "se_points"))
    found = paule_mandel(attained, se**2)
    own = found.studies / (found.studies + TYPICAL_WEIGHT)
    variance = own * found.between + (1 - own) * TYPICAL_SD**2
    return Beliefs(own * found.mean + (1 - own) * TYPICAL_MEAN, float(np.sqrt(variance)))


def _chances(table: pd.DataFrame) -> pd.Series[float]:
    """Probability of having the largest part attained within a reason, by quadrature over normal beliefs."""
    chance = pd.Series(1.0, index=table.index)
    for rows in table.groupby("reason").groups.values():
        chance[rows] = _largest(*(table.loc[rows, name].to_numpy(float) for name in ("attained", "attained_sd")))
    return chance


def _largest(mean: Floats, sd: Floats) -> Floats:
    if len(mean) == 1:
        return np.ones(1)
    sd = np.maximum(sd, 1e-6)
    low, high = (mean - 5 * sd).min(), (mean + 5 * sd).max()
    grid = np.linspace(low, high, max(200, int(10 * (high - low) / sd.min())))
    z = (grid[:, None] - mean) / sd
    below = stats.norm.logcdf(z)
    density = stats.norm.pdf(z) / sd * np.exp(below.sum(1, keepdims=True) - below)
    chance = density.sum(0)
    return np.asarray(chance / chance.sum())


def _draws(table: pd.DataFrame, cycle: str, seed: int) -> pd.Series[float]:
    """One draw per measure; each measure has a generator of its own, so that a new one leaves the others' draws."""
    drawn = [
        np.random.default_rng(stable_number("explore", seed, cycle, reason, measure)).normal(mean, sd)
        for reason, measure, mean, sd in zip(
            table["reason"], table["measure"], table["attained"], table["attained_sd"], strict=True
        )
    ]
    return pd.Series(drawn, index=table.index, dtype=float)


def stable_number(*parts: object) -> int:
    """A whole number that follows from ``parts`` alone, the same on every machine."""
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()[:8], "big")


def _because(table: pd.DataFrame, *, explored: bool) -> pd.Series[str]:
    judged = table["effect_points"].notna()
    of_reason = table.groupby("reason")
    any_record = judged.groupby(table["reason"]).transform("any")
    best = table["attained"] >= of_reason["attained"].transform("max")
    facts = [
        table["rank"].ne(1).to_numpy(bool),
        (of_reason["measure"].transform("size") == 1).to_numpy(),
        ~any_record.to_numpy() & (not explored),
        explored & ~(best & any_record).to_numpy(),
        judged.to_numpy(),
    ]
    keys = [
        "",
        "learning.because.only",
        "learning.because.playbook",
        "learning.because.explored",
        "learning.because.record",
    ]
    return pd.Series(np.select(facts, keys, "learning.because.untried"), index=table.index, dtype="str")
