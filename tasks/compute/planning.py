"""From problems to plans: one per dealer and cycle (domain.md section 9).

**Which measures.** The coaching scheme of the problem's reason, in this order: measures this dealer carried out without
effect come last; before them those whose pooled record says no effect or worse; the others by learned rank where there
is one, else in the playbook's order. A second measure is proposed only when another indicator judges it, so that each
verdict stays the verdict of one measure. While a measure for the same reason is under way (seven months at most), no
other is proposed: what is measured was fixed when that plan was approved.

**Judged by** the measure's own indicator where the dealer is surely behind in it, else by the problem's.

**Target.** The baseline moved by half the (shrunk) gap to the expected level; where half the gap could not be told from
chance within the longest horizon but a larger part could, by that part; never beyond the expected level.

**Verify after** the first of 1, 2, 3, 6 months where ``2.49 x se(m) <= target`` (verification.md step 9; 2.49 standard
errors are 80 % power at one-sided .05), else never for this dealer alone: the measure is judged in the pool. In points,
``se(m)^2 = level_sd^2 + 100^2 p (1 - p) / (m x cases per month)``: the level's own uncertainty, from its 90 % interval
(width / 3.29), and the sampling noise of ``m`` months at the target rate ``p``. Standard errors from the fit itself,
where the caller has them, take the place of this formula.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import pandas as pd

from models.catalogue.playbook import Measure, Playbook
from models.enums import EffectVerdict, Gate, PlanKind, PlanState
from models.facts import Cycle, MeasureDraft, PlanDraft, Problem
from tasks.compute.diagnosis import Diagnosis, Level

POWER_FACTOR = 2.49
WIDTH_90 = 2 * 1.645  # the 90 % interval in standard deviations
WITHOUT_EFFECT = frozenset({EffectVerdict.NO_EFFECT, EffectVerdict.WORSE})
#: A plan in these states is being carried out or waits for its verdict.
UNDER_WAY = frozenset(
    {PlanState.FILED, PlanState.APPROVED, PlanState.IN_PROGRESS, PlanState.DONE, PlanState.VERIFIED}
)  # fmt: skip


class PlanningSettings(Protocol):
    """The settings planning reads (``models.settings.Settings`` has them)."""

    @property
    def minimum_leads(self) -> int:
        """Fewest closed leads in the window to judge a dealer at all."""

    @property
    def window_months(self) -> int:
        """Months of the window a dealer's level is judged on."""

    @property
    def gate_fail_below(self) -> float:
        """Quality score under which a dealer is not compared."""


@dataclass(frozen=True)
class PlanningRules:
    """The rules of a plan; neutral defaults, changed as data."""

    gap_share: float = 0.5  # part of the gap a target closes
    horizons: tuple[int, ...] = (1, 2, 3, 6)  # months after which a verdict may be taken
    measures_per_problem: int = 2
    wait_months: int = 7  # a month to carry out and six to verify; after that an unsettled measure holds up no other
    coaching_after: int = 2  # plans for one reason without effect, or not executed, that call for coaching


@dataclass(frozen=True)
class DataQuality:
    """A dealer's gate and the score behind it."""

    gate: Gate
    score: float


@dataclass(frozen=True)
class TriedMeasure:
    """A measure of an earlier plan of the dealer and what became of it; ``executed`` None: unknown."""

    dealer_id: str
    cycle: str
    measure: str
    reason: str
    state: PlanState
    executed: bool | None = None
    verdict: EffectVerdict | None = None

    @property
    def without_effect(self) -> bool:
        """Executed (or not known to be left undone) and verified to have done nothing or harm."""
        return self.executed is not False and self.verdict in WITHOUT_EFFECT

    @property
    def under_way(self) -> bool:
        """Being carried out, or done and not settled yet."""
        open_verdict = self.verdict is None or self.verdict is EffectVerdict.NOT_ENOUGH
        return self.state in UNDER_WAY and open_verdict and self.executed is not False


@dataclass(frozen=True)
class _Desk:
    """What all dealers' plans are drafted with."""

    cycle: Cycle
    playbook: Playbook
    records: Mapping[str, tuple[bool, float]]  # measure -> (pooled without effect, rank)
    errors: Mapping[tuple[str, str], Mapping[int, float]]
    settings: PlanningSettings
    rules: PlanningRules


@dataclass(frozen=True)
class _Outcome:
    """The kind of plan a dealer gets, why, and its measures."""

    kind: PlanKind
    note: str
    figures: Mapping[str, str | int | float]
    measures: tuple[MeasureDraft, ...] = ()


def draft_plans(
    cycle: Cycle,
    dealers: Mapping[str, str],
    problems: Mapping[str, Diagnosis],
    gates: Mapping[str, DataQuality],
    playbook: Playbook,
    *,
    measure_records: pd.DataFrame | None,
    previous_plans: Iterable[TriedMeasure],
    settings: PlanningSettings,
    rules: PlanningRules | None = None,
    standard_errors: Mapping[tuple[str, str], Mapping[int, float]] | None = None,
) -> list[PlanDraft]:
    """One plan for every dealer of ``dealers`` (dealer_id -> region_id), in their order.

    ``problems`` from ``tasks.compute.diagnosis.diagnose``; ``gates`` per dealer (a dealer without one passes);
    ``measure_records`` the pooled record (columns measure, rank, verdict) or None; ``previous_plans`` the measures of
    earlier plans; ``standard_errors`` points by months per (dealer, indicator), from the fit, where at hand.
    Kinds: ``data`` (gate failed), ``coaching`` (a repeated problem), ``rectify``, ``keep``; the note says why.
    """
    records = _records(measure_records)
    desk = _Desk(cycle, playbook, records, standard_errors or {}, settings, rules or PlanningRules())
    tried: dict[str, list[TriedMeasure]] = {}
    for one in previous_plans:
        tried.setdefault(one.dealer_id, []).append(one)
    plans = []
    for dealer, region in dealers.items():
        found = problems.get(dealer) or Diagnosis(dealer, 0, judged=False)
        outcome = _outcome(desk, found, gates.get(dealer), tried.get(dealer, []))
        shown = outcome.kind is not PlanKind.DATA
        plan = PlanDraft(
            cycle=cycle.name,
            dealer_id=dealer,
            region_id=region,
            kind=outcome.kind,
            problems=found.problems if shown else (),
            measures=outcome.measures,
            not_fixable=found.not_fixable if shown else (),
            note=f"plan_note.{outcome.note}",
            note_params=outcome.figures,
        )
        plans.append(plan)
    return plans


def _records(frame: pd.DataFrame | None) -> dict[str, tuple[bool, float]]:
    """Measure -> (pooled record says no effect or worse, rank); no rank sorts last."""
    if frame is None or frame.empty:
        return {}
    bad = {verdict.value for verdict in WITHOUT_EFFECT}
    verdicts = frame["verdict"] if "verdict" in frame else pd.Series("", index=frame.index)
    ranks = pd.to_numeric(frame["rank"]).astype("float64").fillna(math.inf)
    rows = zip(frame["measure"], verdicts, ranks, strict=True)
    return {str(measure): (verdict in bad, float(rank)) for measure, verdict, rank in rows}


def _outcome(desk: _Desk, found: Diagnosis, quality: DataQuality | None, tried: Sequence[TriedMeasure]) -> _Outcome:
    """Which plan the dealer gets; the first that applies."""
    if quality is not None and quality.gate is Gate.FAIL:
        return _Outcome(PlanKind.DATA, "data", {"score": quality.score, "limit": desk.settings.gate_fail_below})
    seen = {"closings": found.closings, "months": desk.settings.window_months}
    if not found.judged:
        minimum = desk.settings.minimum_leads
        if found.closings < minimum:
            return _Outcome(PlanKind.KEEP, "too_few", {**seen, "minimum": minimum})
        return _Outcome(PlanKind.KEEP, "not_comparable", seen)
    if found.problems:
        return _mended(desk, found, tried, seen)
    if found.not_fixable:
        worth = {"findings": len(found.not_fixable), "deals": _deals(found.not_fixable)}
        return _Outcome(PlanKind.KEEP, "oem_only", {**seen, **worth})
    return _Outcome(PlanKind.KEEP, "nothing_abnormal", {**seen, "indicators": len(found.levels)})


def _deals(problems: Sequence[Problem]) -> float:
    return sum(problem.deals_at_stake for problem in problems)


def _mended(desk: _Desk, found: Diagnosis, tried: Sequence[TriedMeasure], seen: Mapping[str, int]) -> _Outcome:
    """The plan of a dealer with problems of its own to mend."""
    worth = {"problems": len(found.problems), "deals": _deals(found.problems)}
    schemes = {problem.reason: problem for problem in reversed(found.problems)}  # two findings may share one scheme
    leading = [problem for problem in found.problems if schemes[problem.reason] is problem]
    running = [one for one in tried if one.under_way and _months_since(one, desk.cycle) <= desk.rules.wait_months]
    taken = {one.reason for one in running}
    open_ones = [problem for problem in leading if problem.reason not in taken]
    measures = tuple(one for problem in open_ones for one in _measures(desk, problem, found.levels, tried))
    if not measures:
        since = min(one.cycle for one in running if one.reason in schemes)
        return _Outcome(PlanKind.KEEP, "under_way", {**worth, "since": since})
    repeated = _repeated(open_ones, tried, desk.rules.coaching_after)
    if repeated is not None:
        note, problem, plans = repeated
        return _Outcome(PlanKind.COACHING, note, {"plans": plans, "deals": problem.deals_at_stake}, measures)
    return _Outcome(PlanKind.RECTIFY, "rectify", {**seen, **worth}, measures)


def _months_since(tried: TriedMeasure, cycle: Cycle) -> int:
    """Whole months from the cycle of an earlier plan to this one."""
    year, month = (int(part) for part in tried.cycle.split("-"))
    return (cycle.starts.year - year) * 12 + cycle.starts.month - month


def _repeated(
    problems: Sequence[Problem], tried: Sequence[TriedMeasure], limit: int
) -> tuple[str, Problem, int] | None:
    """(note, problem, plans) of the first problem that earlier plans did not mend; None when none is repeated.

    Executed without effect and not executed are two outcomes and never added up.
    """
    for problem in problems:
        same = [one for one in tried if one.reason == problem.reason]
        without = len({one.cycle for one in same if one.without_effect})
        undone = len({one.cycle for one in same if one.executed is False})
        if without >= limit:
            return "coaching_without_effect", problem, without
        if undone >= limit:
            return "coaching_not_executed", problem, undone
    return None


def _measures(
    desk: _Desk, problem: Problem, levels: Mapping[str, Level], tried: Sequence[TriedMeasure]
) -> list[MeasureDraft]:
    """The measures proposed for one problem; its deals are shared evenly among them."""
    failed = {one.measure for one in tried if one.reason == problem.reason and one.without_effect}
    chosen: dict[str, Measure] = {}  # by the indicator that judges
    for measure in sorted(desk.playbook.scheme(problem.reason), key=lambda one: _place(one, failed, desk.records)):
        chosen.setdefault(judged_by(measure, problem, levels), measure)
    few = list(chosen.items())[: desk.rules.measures_per_problem]
    return [_measure(desk, problem, measure, levels[indicator], len(few)) for indicator, measure in few]


def _place(
    measure: Measure, failed: set[str], records: Mapping[str, tuple[bool, float]]
) -> tuple[bool, bool, float, int, str]:
    pooled_without, rank = records.get(measure.code, (False, math.inf))
    return measure.code in failed, pooled_without, rank, measure.order, measure.code


def judged_by(measure: Measure, problem: Problem, levels: Mapping[str, Level]) -> str:
    """The indicator that judges a measure here: its own where the dealer is surely behind, else the problem's."""
    own = levels.get(measure.indicator)
    if own is None or own.loss_points <= 0:
        return problem.indicator
    surely = own.lo90 > 0 or own.hi90 < 0
    return measure.indicator if surely or measure.indicator in problem.also else problem.indicator


def _measure(desk: _Desk, problem: Problem, measure: Measure, level: Level, shared_by: int) -> MeasureDraft:
    errors = desk.errors.get((problem.dealer_id, level.indicator)) or {
        months: standard_error(level, level.denominator / len(problem.months), months, desk.rules.gap_share)
        for months in desk.rules.horizons
    }
    points = target_points(level.loss_points, errors, desk.rules)
    return MeasureDraft(
        measure=measure.code,
        reason=problem.reason,
        indicator=level.indicator,
        owner_role=measure.owner_role.value,
        due_on=desk.cycle.ends + timedelta(days=measure.due_days),
        baseline=level.value,
        target=_moved(level, points),
        target_points=points,
        deals_at_stake=problem.deals_at_stake / shared_by,
        verify_after_months=verify_after(points, errors),
    )


def _moved(level: Level, points: float) -> float:
    """The level's value, ``points`` better, within 0 and 1."""
    better_is_up = level.gap_points < 0
    return min(1.0, max(0.0, level.value + (points if better_is_up else -points) / 100))


def standard_error(level: Level, cases_per_month: float, months: int, gap_share: float = 0.5) -> float:
    """Standard error in points of the effect after ``months`` (formula: module text)."""
    cases = cases_per_month * months
    if cases <= 0:
        return math.inf
    level_sd = (level.hi90 - level.lo90) / WIDTH_90
    smallest = 0.5 / max(cases, 1.0)
    rate = min(1 - smallest, max(smallest, _moved(level, gap_share * level.loss_points)))
    return math.sqrt(level_sd**2 + 100**2 * rate * (1 - rate) / cases)


def target_points(loss_points: float, errors: Mapping[int, float], rules: PlanningRules) -> float:
    """How many points the indicator is to improve (rule: module text); ``errors`` standard errors by months."""
    half = rules.gap_share * loss_points
    detectable = POWER_FACTOR * errors[max(errors)]
    return max(half, detectable) if detectable <= loss_points else half


def verify_after(points: float, errors: Mapping[int, float]) -> int | None:
    """First of the months of ``errors`` at which an effect of ``points`` would be found; None: only in the pool."""
    return next((months for months in sorted(errors) if POWER_FACTOR * errors[months] <= points), None)
