"""Checks of a cycle on its own judgements, and what the whole programme brought (verification.md, standing checks)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from models.enums import EffectVerdict
from tasks.compute.judgement.posterior import Options
from tasks.compute.judgement.verify import verify
from tasks.compute.learning.check import CHECK_COLUMNS, HALF_90, Check, gained, missing
from tasks.compute.learning.headline import costs, with_and_without
from tasks.compute.learning.record import stable_number

BACK_MONTHS = 3  # how long ago the pretended plans of the back-test were
ONE_SIDED = 0.05
EXPECTED_FALSE = 0.045  # verification.md: share of useless measures with p at most .05
PRETENDED_SHARE = 1 / 3  # as many dealers as a usual cycle gives plans to
HEADLINE = ("close_rate_with", "close_rate_without", "extra_deals")
LONGEST = 12  # months over which what a dealer would have done alone can be said


def self_checks(
    counts: pd.DataFrame,
    treated: pd.DataFrame,
    looks: pd.DataFrame,
    *,
    held: frozenset[str] = frozenset(),
    efforts: pd.DataFrame | None = None,
    cost_per_hour: float | None = None,
    options: Options | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """All checks of one cycle, CHECK_COLUMNS, one row per check.

    ``counts``: close-rate counts up to the cycle (``judgement.model.panel``); ``treated``: dealer_id, start,
    issued_after of every approved measure not known to be left undone, whatever its indicator; ``looks``: the effects
    of this cycle; ``held``: dealers held back by chance; ``efforts`` and ``cost_per_hour``: see ``headline.costs``.

    - aa_false: A/A back-test. Plans are pretended three months ago for the worst third of the dealers without a
      measure: the share called better at one-sided .05 should be near .045.
    - placebo_z: the untreated dealers judged against each other in two random halves: the spread (root mean square) of
      effect / standard error should be 1 or a little less.
    - inconclusive: share of this cycle's looks at executed measures that did not decide.
    - programme_treated: mean effect on the close rate of treated dealers since they started, points, by their leads.
    - programme_network: the same over all leads of the network in those months: close rate with the loop less without.
    - close_rate_with, close_rate_without (percent), extra_deals: see ``headline.with_and_without``.
    - hours_per_closed_plan, hours_per_extra_deal, cost_per_extra_deal: see ``headline.costs``; only with ``efforts``.
    - hold_back: the treated dealers' mean effect less that of the dealers held back by chance, points.
    """
    options = options or Options()
    if counts.empty:
        nothing = ("aa_false", "placebo_z", "programme_treated", "programme_network", *HEADLINE)
        checks = [*(missing(name, np.nan) for name in nothing), _inconclusive(looks)]
        return pd.DataFrame([vars(check) for check in checks], columns=CHECK_COLUMNS)
    effects = since_start(counts, treated, options)
    of_treated, of_network = _programme(counts, effects)
    first = int(effects["start"].min()) if len(effects) else int(counts["month"].max()) + 1
    headline = with_and_without(counts, first, of_network)
    checks = [
        _back_test(counts, treated, options),
        _placebo(counts, treated, options, seed),
        _inconclusive(looks),
        of_treated,
        of_network,
        *headline,
    ]
    if efforts is not None:
        checks += costs(efforts, headline[-1], cost_per_hour)
    if held:
        checks.append(_against_held(counts, treated, held, options))
    return pd.DataFrame([vars(check) for check in checks], columns=CHECK_COLUMNS)


def _free(counts: pd.DataFrame, treated: pd.DataFrame, until: int) -> pd.DataFrame:
    """The counts up to a month of the dealers without a measure by then."""
    began = set(treated.loc[treated["start"] <= until, "dealer_id"])
    return counts[~counts["dealer_id"].isin(began) & (counts["month"] <= until)]


def _pretended(counts: pd.DataFrame, dealers: list[str], until: int, options: Options) -> pd.DataFrame:
    plans = pd.DataFrame({"dealer_id": dealers, "measure_id": dealers, "target_points": np.nan})
    plans["start"] = until - BACK_MONTHS + 1
    effects = verify(counts, plans, looks=(BACK_MONTHS,), alone=True, options=options)
    return effects[effects["effect_points"].notna()]


def _back_test(counts: pd.DataFrame, treated: pd.DataFrame, options: Options) -> Check:
    until = int(counts["month"].max())
    free = _free(counts, treated, until)
    before = free[free["month"].between(until - 2 * BACK_MONTHS + 1, until - BACK_MONTHS)]
    added = before.groupby("dealer_id")[["n", "x"]].sum()
    rate = (added["x"] / added["n"])[added["n"] > 0].sort_values(kind="stable")
    worst = list(rate.index[: round(PRETENDED_SHARE * len(rate))])
    if not worst or until <= BACK_MONTHS:
        return missing("aa_false", EXPECTED_FALSE)
    effects = _pretended(free, worst, until, options)
    if len(effects) < options.minimum_dealers:
        return missing("aa_false", EXPECTED_FALSE, len(effects))
    found = int((effects["p_up"] <= ONE_SIDED).sum())
    low, high = _share_interval(found, len(effects))
    verdict = "learning.verdict.too_many" if low > ONE_SIDED else "learning.verdict.as_expected"
    return Check("aa_false", found / len(effects), low, high, EXPECTED_FALSE, len(effects), verdict)


def _placebo(counts: pd.DataFrame, treated: pd.DataFrame, options: Options, seed: int) -> Check:
    until = int(counts["month"].max())
    free = _free(counts, treated, until)
    dealers = sorted(free["dealer_id"].unique())
    if until <= BACK_MONTHS or len(dealers) < 2 * options.minimum_untreated:
        return missing("placebo_z", 1.0, len(dealers))
    shuffled = np.random.default_rng(stable_number("placebo", seed, until)).permutation(dealers)
    halves = (list(shuffled[::2]), list(shuffled[1::2]))
    effects = pd.concat([_pretended(free, half, until, options) for half in halves])
    if len(effects) < options.minimum_dealers:
        return missing("placebo_z", 1.0, len(effects))
    total = float(((effects["effect_points"] / effects["se_points"]) ** 2).sum())
    size = len(effects)
    low, high = (float(np.sqrt(total / stats.chi2.ppf(p, size))) for p in (0.95, 0.05))
    verdict = "learning.verdict.too_wide" if low > 1 else "learning.verdict.as_expected"
    return Check("placebo_z", float(np.sqrt(total / size)), low, high, 1.0, size, verdict)


def _inconclusive(looks: pd.DataFrame) -> Check:
    carried_out = looks["executed"].ne(False).fillna(True).astype(bool)
    judged = looks[looks["effect_points"].notna() & carried_out]
    if judged.empty:
        return missing("inconclusive", np.nan)
    open_ones = int(judged["verdict"].eq(EffectVerdict.NOT_ENOUGH.value).sum())
    low, high = _share_interval(open_ones, len(judged))
    return Check(
        "inconclusive", open_ones / len(judged), low, high, np.nan, len(judged), "learning.verdict.for_information"
    )


def _share_interval(found: int, cases: int) -> tuple[float, float]:
    """90 % interval of a share (Jeffreys), reaching 0 and 1 where all cases agree."""
    low = 0.0 if found == 0 else float(stats.beta.ppf(0.05, found + 0.5, cases - found + 0.5))
    high = 1.0 if found == cases else float(stats.beta.ppf(0.95, found + 0.5, cases - found + 0.5))
    return low, high


# ---- the programme ----


def since_start(counts: pd.DataFrame, treated: pd.DataFrame, options: Options | None = None) -> pd.DataFrame:
    """The effect on each treated dealer over all months since its first measure: rows of ``verify``, judged ones only.

    A dealer that started more than LONGEST months ago is judged over its first LONGEST months: further on, what it
    would have done alone is no longer known. Later measures add to what the first began; while they are new, their
    dealers show nobody what happens without one.
    """
    until = int(counts["month"].max())
    possible = treated["dealer_id"].isin(counts["dealer_id"]) & (treated["start"] <= until)
    known = treated[possible & (treated["issued_after"] <= until)].sort_values(["start", "issued_after"], kind="stable")
    known = known.drop_duplicates(["dealer_id", "start"]).reset_index(drop=True)
    known = known.assign(measure_id=known.index.astype(str), target_points=np.nan)
    first = ~known.duplicated("dealer_id")
    frames = []
    for start in known.loc[first, "start"].unique():
        plans = known.assign(judge=first & (known["start"] == start))
        months = min(until - int(start) + 1, LONGEST)
        frames.append(verify(counts, plans, looks=(months,), alone=True, options=options))
    if not frames:
        return pd.DataFrame(columns=["dealer_id", "effect_points"])
    effects = pd.concat(frames, ignore_index=True)
    return effects[effects["effect_points"].notna()]


def programme(counts: pd.DataFrame, treated: pd.DataFrame, *, options: Options | None = None) -> tuple[Check, Check]:
    """What the programme brought (checks programme_treated and programme_network), by the forecast of every dealer."""
    return _programme(counts, since_start(counts, treated, options))


def _programme(counts: pd.DataFrame, effects: pd.DataFrame) -> tuple[Check, Check]:
    if effects.empty:
        return missing("programme_treated", 0.0), missing("programme_network", 0.0)
    leads = effects["denominator"].to_numpy(float)
    months = counts["month"].between(int(effects["start"].min()), int(counts["month"].max()))
    every = float(counts.loc[months, "n"].sum())
    return (
        _weighted("programme_treated", effects, leads / leads.sum()),
        _weighted("programme_network", effects, leads / every),
    )


def _weighted(check: str, effects: pd.DataFrame, weight: np.ndarray) -> Check:
    """A weighted sum of effects, each against the dealer's own level.

    For one dealer the forecast is shrunk towards its peers, since the worst owe part of their place to chance. Summed
    over all dealers with plans that would be too much: causes and reasons, which are not in these counts, confirmed
    that they are weak, and what is shrunk away does not average out. So the sum takes the shrinkage back, and half of
    it counts as its error.
    """
    pull = float((weight * effects["pull_points"]).sum())
    value = float((weight * effects["effect_points"]).sum()) + pull
    half = HALF_90 * np.sqrt(_variance(effects, weight) + (pull / 2) ** 2)
    low, high = value - half, value + half
    return Check(check, value, low, high, 0.0, len(effects), gained(low, high))


def _variance(effects: pd.DataFrame, weight: np.ndarray) -> float:
    """Variance of a weighted sum of effects: the dealers' own errors, and those that dealers share.

    The month shifts of all cohorts come from largely the same untreated dealers and months, so they count as one error;
    a region's shift likewise.
    """
    own = float(((weight * effects["own_se_points"]) ** 2).sum())
    nation = float((weight * effects["nation_se_points"]).sum()) ** 2
    shared = pd.Series(weight * effects["region_se_points"].to_numpy()).groupby(effects["region_id"].to_numpy()).sum()
    return own + nation + float((shared**2).sum())


def _against_held(counts: pd.DataFrame, treated: pd.DataFrame, held: frozenset[str], options: Options) -> Check:
    """Treated dealers against those held back by chance, both against the forecast from the others."""
    until = int(counts["month"].max())
    effects = since_start(counts, treated, options)
    start = int(treated["start"].max()) if len(treated) else until + 1
    apart = pd.DataFrame({"dealer_id": sorted(held & set(counts["dealer_id"]) - set(treated["dealer_id"]))})
    waiting = since_start(counts, pd.concat([treated, apart.assign(start=start, issued_after=start - 1)]), options)
    waiting = waiting[waiting["dealer_id"].isin(apart["dealer_id"])]
    if min(len(effects), len(waiting)) < 2:
        return missing("hold_back", 0.0, len(waiting))
    value, variance = 0.0, 0.0
    for side, part in ((1, effects), (-1, waiting)):
        weight = part["denominator"].to_numpy(float)
        weight /= weight.sum()
        value += side * float((weight * part["effect_points"]).sum())
        variance += _variance(part, weight)
    half = HALF_90 * np.sqrt(variance)
    low, high = value - half, value + half
    return Check("hold_back", value, low, high, 0.0, len(waiting), gained(low, high))
