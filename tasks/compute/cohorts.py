"""Leads by month of creation: won and lost within k months, how mature a cohort is, where it will end.

domain.md sections 3 and 6: recent cohorts are immature; they are shown with their maturity, never compared raw. The
curve comes from counts by age, each age from the cohorts that have lived through it (the discrete Aalen-Johansen
estimate: leads closed otherwise leave the risk, leads too young are censored). What a cohort's open leads will still do
is projected from it with a 90 % interval. Ages are calendar months, the month of creation being the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from models.enums import Scope
from tasks.compute.fact_sums import added_up, stacked
from tasks.compute.indicators import NATION

Floats = npt.NDArray[np.float64]

SUM_KEYS = ("cohort", "age", "dealer_id", "region_id", "series")
OUTCOMES = ("won", "lost")
_SCOPE_KEYS = {Scope.NATION: None, Scope.REGION: "region_id", Scope.DEALER: "dealer_id", Scope.SERIES: "series"}
#: Scopes whose ages are listed one by one; a dealer's cohorts are too small for a curve of their own.
_CURVES = (Scope.NATION, Scope.REGION, Scope.SERIES)
COHORT_COLUMNS = [
    "scope",
    "scope_id",
    "outcome",
    "cohort",
    "age_months",
    "horizon_months",
    "leads",
    "by_age",
    "share_by_age",
    "completeness",
    "mature",
    "projected",
    "lo90",
    "hi90",
    "lacking",
]
AGE_COLUMNS = ["scope", "scope_id", "outcome", "cohort", "age_months", "leads", "within", "share"]
MATURITY_COLUMNS = [
    "scope",
    "scope_id",
    "outcome",
    "age_months",
    "at_risk",
    "events",
    "hazard",
    "share",
    "completeness",
]
LACKING = "analysis.cohort.lacking.history"


@dataclass(frozen=True)
class CohortRules:
    """``horizon`` months a cohort is followed at most; ``mature`` from which part of its final outcome on; ``at_risk``
    open leads at least behind every age of the curve."""

    horizon: int = 12
    mature: float = 0.95
    at_risk: int = 30


@dataclass(frozen=True)
class _Triangle:
    """Counts of one scope: ``leads`` groups x cohorts, ``events`` outcomes x groups x cohorts x ages, ``seen`` ages
    observed of each cohort."""

    ids: list[str]
    leads: Floats
    events: Floats
    seen: npt.NDArray[np.int64]

    @property
    def at_risk(self) -> Floats:
        """Leads still open at the start of each age, 0 where the age was not observed."""
        before = np.cumsum(self.events.sum(axis=0), axis=-1) - self.events.sum(axis=0)
        still: Floats = (self.leads[:, :, None] - before) * self.observed
        return still

    @property
    def observed(self) -> npt.NDArray[np.bool_]:
        """Cohorts x ages: whether the age has passed."""
        return np.arange(self.events.shape[-1]) < self.seen[:, None]


@dataclass(frozen=True)
class _Curve:
    """Hazards of the nation by outcome and age, and how far cohorts scatter around them."""

    hazard: Floats  # outcomes x ages
    relative: Floats  # outcomes x ages: squared relative error of the hazard
    between_cohorts: Floats  # per outcome: squared relative scatter of whole cohorts
    between_cells: Floats  # per outcome: of single ages of a cohort

    @property
    def horizon(self) -> int:
        return int(self.hazard.shape[1])


def last_complete_month(as_of: pd.Timestamp) -> pd.Period:
    """The last month that was over at ``as_of``; its last day counts as its end."""
    return (as_of + pd.Timedelta(days=1)).to_period("M") - 1


def cohort_sums(facts: pd.DataFrame, as_of: pd.Timestamp, history_from: pd.Timestamp | None = None) -> pd.DataFrame:
    """Counts per SUM_KEYS, additive: ``leads`` under age 0, ``won`` and ``lost`` under the age they closed at (1 = in
    the month of creation).

    ``facts`` of tasks.compute.lead_facts. Leads created before ``history_from`` are left out: of them only the open
    ones are known. What closed in a month that was not over at ``as_of`` counts as open.
    """
    created = facts["created_month"].astype("str")
    counted = facts["counted"].to_numpy(bool) & created.notna().to_numpy()
    if history_from is not None:
        counted &= (created >= history_from.strftime("%Y-%m")).fillna(False).to_numpy(bool)
    mine = facts.loc[counted, ["created_month", "closed_month", "dealer_id", "region_id", "series", "won", "defeated"]]
    born, closed = _month_numbers(mine["created_month"]), _month_numbers(mine["closed_month"])
    age = np.where(closed <= _number(last_complete_month(as_of)), np.maximum(closed - born, 0) + 1, 0)
    cells = mine[["dealer_id", "region_id", "series"]].assign(cohort=mine["created_month"])
    none = np.zeros(len(mine), dtype="int32")
    created_rows = cells.assign(age=0, leads=none + 1, won=none, lost=none)
    over = age > 0
    closings = cells[over].assign(age=age[over], leads=none[over], won=mine.loc[over, "won"].astype("int32"))
    closings = closings.assign(lost=1 - closings["won"])
    parts = [part.astype({"age": "str"})[[*SUM_KEYS, "leads", *OUTCOMES]] for part in (created_rows, closings)]
    return merge_cohort_sums(parts)


def merge_cohort_sums(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Several counts as one, added up in the order of their keys."""
    return added_up(stacked(parts, SUM_KEYS), SUM_KEYS)


def cohort_tables(
    sums: pd.DataFrame, as_of: pd.Timestamp, rules: CohortRules | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """``cohorts``, ``cohort_ages`` and ``maturity`` from the counts of ``cohort_sums``.

    - cohorts (COHORT_COLUMNS): per scope, outcome and cohort what closed within its observed ``age_months``
      (``by_age``, of ``leads``), ``completeness``: the part of the outcome within ``horizon_months`` usually reached by
      that age, ``mature``, and the share ``projected`` within the horizon with lo90, hi90. Where the history is too
      short for a curve, projection is empty and ``lacking`` names the message that says so.
    - cohort_ages (AGE_COLUMNS): nation, region, series: ``within`` = closed so within each observed age.
    - maturity (MATURITY_COLUMNS): nation and series: the curve by age; at_risk and events are those behind it.
    """
    rules = rules or CohortRules()
    months, last = _calendar(sums, as_of)
    triangles = {scope: _triangle(sums, key, months, last, rules.horizon) for scope, key in _SCOPE_KEYS.items()}
    curve = _curve(triangles[Scope.NATION], rules)
    cohorts, ages, maturity = [], [], []
    for scope, triangle in triangles.items():
        factor, unsure = _factors(triangle, curve) if scope is not Scope.NATION else _alike(triangle)
        hazards = _bounded(curve.hazard[:, None, :] * factor[:, :, None])
        cohorts.append(_cohorts(triangle, curve, hazards, unsure, months, rules).assign(scope=scope.value))
        if scope in _CURVES:
            ages.append(_ages(triangle, months).assign(scope=scope.value))
        if scope in (Scope.NATION, Scope.SERIES):
            maturity.append(_maturity(triangle, hazards).assign(scope=scope.value))
    return (
        pd.concat(cohorts, ignore_index=True)[COHORT_COLUMNS],
        pd.concat(ages, ignore_index=True)[AGE_COLUMNS],
        pd.concat(maturity, ignore_index=True)[MATURITY_COLUMNS],
    )


def _number(month: pd.Period) -> int:
    return int(month.year * 12 + month.month - 1)


def _month_numbers(months: pd.Series) -> npt.NDArray[np.int64]:
    """Months ``YYYY-MM`` as whole numbers; a missing one lies after all others."""
    codes, distinct = pd.factorize(months)
    numbers = [int(str(month)[:4]) * 12 + int(str(month)[5:7]) - 1 for month in distinct]
    return np.array([*numbers, np.iinfo("int64").max], dtype="int64")[codes]


def _calendar(sums: pd.DataFrame, as_of: pd.Timestamp) -> tuple[list[str], int]:
    """All months of creation in order, and the number of the last complete month counted from the first of them."""
    found = sorted(sums["cohort"].astype("str").unique())
    if not found:
        return [], 0
    months = [str(month) for month in pd.period_range(found[0], found[-1], freq="M")]
    return months, _number(last_complete_month(as_of)) - _number(pd.Period(months[0], "M"))


def _triangle(sums: pd.DataFrame, key: str | None, months: list[str], last: int, horizon: int) -> _Triangle:
    group = np.zeros(len(sums), dtype="int64")
    ids = [NATION]
    if key is not None:
        group, ids = sums[key].cat.codes.to_numpy().astype("int64"), [str(name) for name in sums[key].cat.categories]
    cohort = pd.Index(months).get_indexer(pd.Index(sums["cohort"].astype("str")))
    age = sums["age"].astype("str").astype("int64").to_numpy()
    shape = (len(ids), len(months))
    place = group * len(months) + cohort
    leads = np.bincount(place, sums["leads"], minlength=int(np.prod(shape))).reshape(shape)
    inside = (age > 0) & (age <= horizon)
    cells = place[inside] * horizon + age[inside] - 1
    size = int(np.prod(shape)) * horizon
    events = [np.bincount(cells, sums.loc[inside, name], minlength=size) for name in OUTCOMES]
    seen = np.clip(last - np.arange(len(months)) + 1, 0, horizon)
    keep = [number for number, name in enumerate(ids) if name != ""]
    counted = np.stack(events).reshape(2, *shape, horizon)
    found = leads[keep].astype("float64"), counted[:, keep].astype("float64")
    return _Triangle([ids[number] for number in keep], *found, seen)


def _curve(nation: _Triangle, rules: CohortRules) -> _Curve:
    """The nation's hazards up to the first age with too few leads at risk."""
    at_risk, events = nation.at_risk.sum(axis=0), nation.events.sum(axis=1)  # cohorts x ages, outcomes x cohorts x ages
    total = at_risk.sum(axis=0)
    short = np.flatnonzero(total < rules.at_risk)
    ages = int(short[0]) if len(short) else len(total)
    at_risk, events = at_risk[:, :ages], events[:, :, :ages] * nation.observed[:, :ages]
    hazard = events.sum(axis=1) / np.maximum(at_risk.sum(axis=0), 1)
    expected = at_risk * hazard[:, None, :]
    cells = _scatter(events, expected, expected * (1 - hazard[:, None, :]), (1, 2))
    cohorts = _scatter(events.sum(axis=2), expected.sum(axis=2), expected.sum(axis=2), (1,))
    lived = np.maximum((at_risk > 0).sum(axis=0), 1)
    relative = 1 / np.maximum(events.sum(axis=1), 1) + cells[:, None] / lived
    return _Curve(hazard, relative, cohorts, cells)


def _scatter(found: Floats, expected: Floats, chance: Floats, over: tuple[int, ...]) -> Floats:
    """Squared relative scatter beyond chance, by moments; never below 0."""
    weight = (expected**2).sum(axis=over)
    beyond = ((found - expected) ** 2 - chance).sum(axis=over)
    scatter: Floats = np.divide(beyond, weight, out=np.zeros_like(beyond), where=weight > 0)
    return np.maximum(scatter, 0.0)


def _alike(triangle: _Triangle) -> tuple[Floats, Floats]:
    shape = (len(OUTCOMES), len(triangle.ids))
    return np.ones(shape), np.zeros(shape)


def _factors(triangle: _Triangle, curve: _Curve) -> tuple[Floats, Floats]:
    """How much faster than the nation each group wins and loses, shrunk (gamma-Poisson), with its squared error.

    Outcomes x groups, the error relative; a group without history has the nation's pace, and the scatter between
    groups as its error.
    """
    ages = curve.horizon
    seen = triangle.observed[:, :ages]
    found = (triangle.events[..., :ages] * seen).sum(axis=(2, 3))
    expected = np.einsum("gma,oa->og", triangle.at_risk[..., :ages], curve.hazard)
    between = _scatter(found, expected, expected, (1,))[:, None]
    weight = 1 + expected * between
    return (1 + found * between) / weight, between / weight


def _bounded(hazards: Floats) -> Floats:
    """Hazards of all outcomes that together are no more than 1."""
    result: Floats = hazards / np.maximum(hazards.sum(axis=0), 1.0)
    return result


def _to_come(hazards: Floats, age: int) -> Floats:
    """Share of the leads open after ``age`` that closes so at each later age: outcomes x groups x ages."""
    later = hazards[:, :, age:]
    staying = np.cumprod(1 - later.sum(axis=0), axis=-1)
    before = np.concatenate([np.ones((*staying.shape[:-1], 1)), staying[..., :-1]], axis=-1)
    result: Floats = later * before
    return result


def _cohorts(
    triangle: _Triangle,
    curve: _Curve,
    hazards: Floats,
    unsure: Floats,
    months: list[str],
    rules: CohortRules,
) -> pd.DataFrame:
    """The rows of one scope, without its name."""
    usual = _to_come(hazards, 0)
    frames = []
    for number, month in enumerate(months):
        known = int(triangle.seen[number])
        age = min(known, curve.horizon) if curve.horizon else known
        leads = triangle.leads[:, number]
        done = triangle.events[:, :, number, :age].sum(axis=-1)  # outcomes x groups
        waiting = leads - done.sum(axis=0)
        final, low, high = (
            _projected(curve, hazards, unsure, age, done, waiting)
            if curve.horizon
            else np.full((3, *done.shape), np.nan)
        )
        whole = usual.sum(axis=-1)
        part = usual[..., :age].sum(axis=-1)
        complete = np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
        for place, outcome in enumerate(OUTCOMES):
            frames.append(
                pd.DataFrame(
                    {
                        "scope_id": triangle.ids,
                        "outcome": outcome,
                        "cohort": month,
                        "age_months": age,
                        "horizon_months": curve.horizon,
                        "leads": leads.astype("int64"),
                        "by_age": done[place].astype("int64"),
                        "completeness": complete[place],
                        "projected": final[place],
                        "lo90": low[place],
                        "hi90": high[place],
                    }
                )[leads > 0]
            )
    columns = [name for name in COHORT_COLUMNS if name not in ("scope", "share_by_age", "mature", "lacking")]
    rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    for name in ("projected", "lo90", "hi90"):
        rows[name] = rows[name] / rows["leads"]
    return rows.assign(
        share_by_age=rows["by_age"] / rows["leads"],
        mature=rows["completeness"] >= rules.mature,
        lacking="" if curve.horizon else LACKING,
    )


def _projected(
    curve: _Curve, hazards: Floats, unsure: Floats, age: int, done: Floats, waiting: Floats
) -> tuple[Floats, Floats, Floats]:
    """Final counts with their 90 % interval in whole leads: outcomes x groups.

    Beyond chance the interval holds the error of the curve and of the group's pace, and the scatter of cohorts.
    """
    steps = _to_come(hazards, age)
    share = steps.sum(axis=-1)
    weight = np.divide(steps, share[..., None], out=np.zeros_like(steps), where=share[..., None] > 0)
    scatter = np.maximum(curve.between_cohorts[:, None], curve.between_cells[:, None] * (weight**2).sum(axis=-1))
    error = unsure + (weight**2 * curve.relative[:, None, age:]).sum(axis=-1) + scatter
    open_leads = np.maximum(waiting, 1)
    spread = share * (1 - share) / open_leads + share**2 * error
    sure = np.divide(share * (1 - share), spread, out=np.ones_like(share), where=spread > 0) - 1
    sure = np.maximum(sure, 1e-3)
    inside = (share > 0) & (share < 1)
    a, b = np.where(inside, share * sure, 1.0), np.where(inside, (1 - share) * sure, 1.0)
    low = np.where(inside, special.betaincinv(a, b, 0.05), share)
    high = np.where(inside, special.betaincinv(a, b, 0.95), share)
    whole = (np.floor(waiting * low + 1e-9), np.ceil(waiting * high - 1e-9))
    return done + waiting * share, done + whole[0], done + whole[1]


def _ages(triangle: _Triangle, months: list[str]) -> pd.DataFrame:
    outcome, group, cohort, age = np.nonzero(
        np.broadcast_to(triangle.observed, triangle.events.shape) & (triangle.leads[None, :, :, None] > 0)
    )
    within = np.cumsum(triangle.events, axis=-1)[outcome, group, cohort, age]
    leads = triangle.leads[group, cohort]
    return pd.DataFrame(
        {
            "scope_id": np.array(triangle.ids, dtype=object)[group],
            "outcome": np.array(OUTCOMES, dtype=object)[outcome],
            "cohort": np.array(months, dtype=object)[cohort],
            "age_months": age + 1,
            "leads": leads.astype("int64"),
            "within": within.astype("int64"),
            "share": within / leads,
        }
    )


def _maturity(triangle: _Triangle, hazards: Floats) -> pd.DataFrame:
    ages = hazards.shape[-1]
    share = np.cumsum(_to_come(hazards, 0), axis=-1)
    at_risk = triangle.at_risk[..., :ages].sum(axis=1)
    events = (triangle.events[..., :ages] * triangle.observed[:, :ages]).sum(axis=2)
    outcome, group, age = (part.ravel() for part in np.indices(share.shape))
    last = share[outcome, group, -1] if ages else np.empty(0)
    curve = share[outcome, group, age]
    return pd.DataFrame(
        {
            "scope_id": np.array(triangle.ids, dtype=object)[group],
            "outcome": np.array(OUTCOMES, dtype=object)[outcome],
            "age_months": age + 1,
            "at_risk": at_risk[group, age].astype("int64"),
            "events": events[outcome, group, age].astype("int64"),
            "hazard": hazards[outcome, group, age],
            "share": curve,
            "completeness": np.divide(curve, last, out=np.full_like(curve, np.nan), where=last > 0),
        }
    )
