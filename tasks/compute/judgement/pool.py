"""Many tests and many dealers at once: false discovery rates, pooled effects, shrinkage (verification.md 8, 10)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from models.catalogue.doubts import doubts
from models.enums import EffectVerdict
from tasks.compute.judgement.model import TINY, Floats

STOREY_LAMBDA = 0.5
LEAST_NULL_SHARE = 0.3
FEW_EFFECTS = 5
TYPICAL_EFFECT_POINTS = 2.0  # sd of true effects assumed while fewer than FEW_EFFECTS are known


def storey(p: Floats) -> Floats:
    """Adaptive false-discovery q-values of one-sided p-values (Storey 2002: lambda .5, pi0 >= .3); NaN stays NaN."""
    q = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if not known.size:
        return q
    values = p[known]
    null_share = (1 + (values > STOREY_LAMBDA).sum()) / (known.size * (1 - STOREY_LAMBDA))
    null_share = min(1.0, max(LEAST_NULL_SHARE, float(null_share)))
    order = np.argsort(values, kind="stable")
    ranked = null_share * values[order] * known.size / np.arange(1, known.size + 1)
    q[known[order]] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    return q


@dataclass(frozen=True)
class Common:
    """A mean over studies: value, variance between studies, standard error of the mean (Hartung-Knapp), studies."""

    mean: float
    between: float
    se: float
    studies: int


def paule_mandel(y: Floats, v: Floats) -> Common:
    """Random-effects mean: between-study variance by Paule-Mandel, standard error by Hartung-Knapp.

    The standard error is never taken below that of the plain random-effects mean: a few effects that happen to agree
    are no proof. ``y`` estimates, ``v`` their variances, at least one.
    """
    v = np.maximum(v, TINY)
    k = len(y)

    def excess(between: float) -> float:
        w = 1 / (v + between)
        mean = (w * y).sum() / w.sum()
        return float((w * (y - mean) ** 2).sum() - (k - 1))

    between = 0.0
    if k > 1 and excess(0.0) > 0:
        top = float(np.var(y) * k + v.max())
        between = float(optimize.brentq(excess, 0.0, top))
    w = 1 / (v + between)
    mean = float((w * y).sum() / w.sum())
    knapp = float((w * (y - mean) ** 2).sum() / (k - 1)) if k > 1 else 1.0
    return Common(mean, between, float(np.sqrt(max(1.0, knapp) / w.sum())), k)


def shrunk(effect: Floats, se: Floats, counted: np.ndarray) -> Floats:
    """Effects pulled towards what measures did on the whole, by how sure each is; NaN where there is no effect.

    Mean and spread of the true effects come from the ``counted`` effects; with fewer than five of them, from a plain
    expectation: no effect, give or take TYPICAL_EFFECT_POINTS.
    """
    used = counted & ~np.isnan(effect)
    mean, between = 0.0, TYPICAL_EFFECT_POINTS**2
    if used.sum() >= FEW_EFFECTS:
        common = paule_mandel(effect[used], se[used] ** 2)
        mean, between = common.mean, common.between
    return np.asarray((between * effect + se**2 * mean) / (between + se**2))


POOL_COLUMNS = [
    "reason",
    "measure",
    "dealers",
    "executed",
    "pooled",
    "shared",
    "basis",
    "effect_points",
    "lo90",
    "hi90",
    "se_points",
    "between_points",
    "shrunk_points",
    "verdict",
    "rank",
]
EXECUTED, UNKNOWN = "executed", "unknown"
SHARED_NOTE = "judge.note.several_measures"
REPORTED_PARTLY = "judge.execution.reported_partly"


def pool(effects: pd.DataFrame) -> pd.DataFrame:
    """What each measure did over all dealers that carried it out, per (reason, measure).

    ``effects``: rows of ``verify`` with the columns ``reason`` and ``measure`` (passed through from the plans); of
    several looks at one measure the longest counts. Returns one row per reason and measure:

    - dealers, executed: dealers with the measure, and those known to have carried it out.
    - pooled: dealers behind the effect, and basis: ``executed`` when they are known to have carried it out; ``unknown``
      when nobody said so of any dealer and those not known to have left it undone stand in; empty without an effect.
      Left out are measures not carried out, those the dealer itself reports as done in part, and those that share
      their indicator with another measure of the dealer at the time (``shared`` counts them): the effect is neither's
      alone. Process evidence does not select: what it shows came after, and picking by it would flatter the measure.
    - effect_points with lo90, hi90 (Hartung-Knapp t-interval; the errors that dealers of one cohort or region share are
      added, they do not average out), between_points (sd of true effects between dealers), shrunk_points (towards the
      mean of all measures), verdict (not "effective" where defeats were only filed otherwise, by ``rest_points`` of
      ``recoding``), and rank (1 = best, by shrunk_points; within a reason).
    """
    last = effects.sort_values("months", kind="stable").drop_duplicates(["measure_id"], keep="last")
    rows = [_pooled(reason, measure, group) for (reason, measure), group in last.groupby(["reason", "measure"])]
    table = pd.DataFrame(rows, columns=POOL_COLUMNS)
    known = table["effect_points"].notna().to_numpy()
    table["shrunk_points"] = shrunk(
        table["effect_points"].to_numpy(float), table["se_points"].fillna(1.0).to_numpy(float), known
    )
    table["rank"] = table.groupby("reason")["shrunk_points"].rank(method="first", ascending=False).astype("Int64")
    return table


def _pooled(reason: object, measure: object, group: pd.DataFrame) -> dict[str, object]:
    carried, shared, basis = behind(group)
    used = group[carried & ~shared & group["effect_points"].notna()]
    row: dict[str, object] = dict.fromkeys(POOL_COLUMNS, np.nan) | {
        "reason": reason,
        "measure": measure,
        "dealers": group["dealer_id"].nunique(),
        "executed": group.loc[group["executed"].fillna(False).astype(bool), "dealer_id"].nunique(),
        "pooled": used["dealer_id"].nunique(),
        "shared": group.loc[carried & shared, "dealer_id"].nunique(),
        "basis": "" if used.empty else basis,
        "verdict": EffectVerdict.NOT_ENOUGH.value,
    }
    if used.empty:
        return row
    y = used["effect_points"].to_numpy(float)
    own = used["own_se_points"].to_numpy(float) ** 2
    common = paule_mandel(y, own)
    weight = 1 / (own + common.between)
    weight /= weight.sum()
    se = float(np.sqrt(common.se**2 + _shared(used, weight)))
    half = float(stats.t.ppf(0.95, max(common.studies - 1, 1))) * se
    row |= {
        "effect_points": common.mean,
        "lo90": common.mean - half,
        "hi90": common.mean + half,
        "se_points": se,
        "between_points": float(np.sqrt(common.between)),
    }
    if common.studies > 1:
        verdict = _verdict(common.mean - half, common.mean + half, float(used["target_points"].mean()))
        withheld = verdict is EffectVerdict.EFFECTIVE and _only_recoded(used, common.mean)
        row["verdict"] = (EffectVerdict.NOT_ENOUGH if withheld else verdict).value
    return row


def _only_recoded(used: pd.DataFrame, effect: float) -> bool:
    """Whether defeats for the other reasons rose by the limit's share of what those for the judged one fell."""
    if "rest_points" not in used or used["rest_points"].isna().all():
        return False
    rest = used[used["rest_points"].notna()]
    mean = paule_mandel(rest["rest_points"].to_numpy(float), rest["rest_se_points"].to_numpy(float) ** 2).mean
    return -mean >= doubts().recoding.share * effect


def behind(group: pd.DataFrame) -> tuple[pd.Series[bool], pd.Series[bool], str]:
    """Of the looks at one measure: carried out (see ``pool``), sharing its indicator with another, and the basis."""
    known = group["executed"].eq(True).fillna(False).astype(bool)
    basis = EXECUTED if known.any() else UNKNOWN
    done = known if known.any() else group["executed"].isna()
    if "execution_because" in group:
        done &= ~group["execution_because"].fillna("").str.contains(REPORTED_PARTLY, regex=False)
    shared = pd.Series(False, index=group.index)
    if "notes" in group:
        shared = group["notes"].fillna("").str.contains(SHARED_NOTE, regex=False).astype(bool)
    return done.astype(bool), shared, basis


def _shared(used: pd.DataFrame, weight: Floats) -> float:
    """Variance of the weighted mean from errors shared by the dealers of one cohort, and of one region in it."""
    total = 0.0
    for keys, column in (
        (["start", "months"], "nation_se_points"),
        (["start", "months", "region_id"], "region_se_points"),
    ):
        group = used.groupby(keys).ngroup().to_numpy()
        sums = np.bincount(group, weight * used[column].to_numpy(float))
        total += float((sums**2).sum())
    return total


def _verdict(low: float, high: float, target: float) -> EffectVerdict:
    if low > 0:
        return EffectVerdict.EFFECTIVE
    if high < 0:
        return EffectVerdict.WORSE
    return EffectVerdict.NO_EFFECT if high < target else EffectVerdict.NOT_ENOUGH
