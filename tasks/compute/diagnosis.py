"""From comparisons to problems: what a dealer truly loses deals by, sure enough to act on (domain.md sections 8 and 9).

**Sure enough.** A row counts when there were cases enough to judge it, it lies on the bad side, and either its 90 %
interval leaves out zero or its q value is at most ``q_limit``. Both come from the shrunk fit over all dealers, so that
a small dealer's chance swing and the many comparisons at once are already allowed for (verification.md).

**Deals at stake** over the window, from the shrunk gap ``g`` (rate 0-1, bad side positive) to what dealers of the same
mix do:

- step of the funnel: ``g x leads reaching the step x the expected rates of the steps after it``. With the expected
  rates downstream, the stakes of all steps add up to the funnel's expected less its actual orders (exactly so for
  unshrunk gaps). Where a later step has no expectation, ``expected close rate / expected rates up to this step``
  stands in for those after it.
- leads given up: ``g x cases x expected close rate``: they would have had the usual chance. Leads left lying likewise,
  but each month end counts them again, so their cases are divided by the months of the window.
- reason: ``g x closed leads``, its excess defeats. The gaps of all reasons add up to the dealer's whole gap, so what is
  too many in one and too few in others loses no deal: together the sure reasons are worth at most what the close rate's
  shrunk gap says the dealer loses, shared in proportion. (Simulated, 60 dealers who code reasons differently, sd .2 in
  log: without this every second normal dealer gets a problem, with it every seventh. A true excess of six points is
  found as often, one of three points in two of three cases.)
- close rate: ``g x closed leads``; only where steps and reasons explain less than half of it.

**One cause, counted once.** A step, the reasons whose lost deals show in it and the indicators that call for those
reasons are one cause: what holds more deals is kept (the step, or its reasons taken together), the other is named as
evidence in ``Problem.also``.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pandas as pd

from models.catalogue.playbook import REASON_PREFIX, Playbook, Stake
from models.catalogue.reasons import Reason
from models.facts import Problem

CLOSE_RATE = "close_rate"
MAX_EXAMPLES = 20
#: Indicators that stand against the reasons of their cause, one of them at most.
SINGLE = (Stake.STEP, Stake.LEADS, Stake.STOCK)


class DiagnosisSettings(Protocol):
    """The settings diagnosis reads (``models.settings.Settings`` has them)."""

    @property
    def max_problems(self) -> int:
        """Most problems in one dealer's plan."""

    @property
    def minimum_leads(self) -> int:
        """Fewest closed leads in the window to judge a dealer at all."""


@dataclass(frozen=True)
class DiagnosisRules:
    """The limits of a finding; neutral defaults, changed as data."""

    q_limit: float = 0.10  # share of false findings accepted over all comparisons
    smallest_deals: float = 0.5  # below half a deal in the window a finding is not worth a plan
    explaining_share: float = 0.5  # share of a gap from which another finding counts as its explanation


@dataclass(frozen=True)
class Level:
    """Where a dealer stands in one indicator that could be judged; rates 0-1, gap and interval in percentage points."""

    indicator: str
    value: float
    expected: float
    gap_points: float
    lo90: float
    hi90: float
    denominator: int
    loss_points: float  # the gap turned so that positive is bad


@dataclass(frozen=True)
class Diagnosis:
    """What was found of one dealer.

    ``problems`` are its own to fix, at most ``max_problems``, the largest first; ``further`` the rest of them;
    ``not_fixable`` go to the OEM's lists; ``levels`` are all indicators that could be judged.
    """

    dealer_id: str
    closings: int
    judged: bool
    problems: tuple[Problem, ...] = ()
    further: tuple[Problem, ...] = ()
    not_fixable: tuple[Problem, ...] = ()
    levels: Mapping[str, Level] = field(default_factory=dict)


@dataclass(frozen=True)
class _Finding:
    """A sure row with its stake; ``cause`` is shared by findings that are one cause."""

    problem: Problem
    cause: str
    stake: Stake | None  # None: a reason


@dataclass(frozen=True)
class _Standards:
    """What the catalogue says about findings, and what all dealers' findings share; prepared once."""

    playbook: Playbook
    reasons: Mapping[str, Reason]
    better: Mapping[str, str]
    steps: tuple[str, ...]  # in the order customers pass them
    step_of: Mapping[str, str]  # reason -> the step its lost deals show in
    limits: DiagnosisRules
    months: tuple[str, ...]
    examples: Mapping[tuple[str, str], Sequence[str]]

    def cause(self, indicator: str) -> str:
        """The name findings of one cause share: the step that holds them, else the reason."""
        scheme = self.playbook.indicator_schemes.get(indicator)
        if scheme is not None and scheme.stake is Stake.STEP:
            return indicator
        reason = indicator.removeprefix(REASON_PREFIX) if scheme is None else scheme.reason
        served_as = self.reasons[reason].scheme or reason
        return self.step_of.get(served_as, served_as)

    def relevant(self, indicator: str) -> bool:
        """Whether a finding in ``indicator`` can lead anywhere."""
        known = indicator.removeprefix(REASON_PREFIX) in self.reasons
        return indicator in self.playbook.indicator_schemes or (indicator.startswith(REASON_PREFIX) and known)


def diagnose(
    comparisons: pd.DataFrame,
    closings: Mapping[str, int],
    *,
    playbook: Playbook,
    reasons: Mapping[str, Reason],
    better: Mapping[str, str],
    months: Sequence[str],
    settings: DiagnosisSettings,
    examples: Mapping[tuple[str, str], Sequence[str]] | None = None,
    rules: DiagnosisRules | None = None,
) -> dict[str, Diagnosis]:
    """What each dealer of ``closings`` loses deals by.

    ``comparisons`` is the frame of ``tasks.compute.judgement.compare`` (dealer_id, indicator, numerator, denominator,
    value, expected, gap_points, lo90, hi90, q_value, peers, enough; gap and interval are value minus expected in
    percentage points); ``closings`` closed leads per dealer in the window; ``reasons`` all codes
    (``models.catalogue.reasons.catalogue``); ``better`` "higher" or "lower" per indicator (reasons are lower);
    ``months`` the window, YYYY-MM; ``examples`` lead ids per dealer and indicator.
    """
    schemes = playbook.indicator_schemes
    steps = tuple(name for name, scheme in schemes.items() if scheme.stake is Stake.STEP)
    step_of = {reason: name for name in steps for reason in schemes[name].explained_by}
    standards = _Standards(
        playbook, reasons, better, steps, step_of, rules or DiagnosisRules(), tuple(months), examples or {}
    )  # fmt: skip
    relevant = comparisons[comparisons["indicator"].map(standards.relevant).astype(bool)]
    rows: dict[str, list[Mapping[Hashable, Any]]] = {}
    for row in relevant.to_dict("records"):
        rows.setdefault(str(row["dealer_id"]), []).append(row)
    found = {}
    for dealer, closed in closings.items():
        part = rows.get(dealer, [])
        levels = _levels(part, standards)
        if not levels or closed < settings.minimum_leads:
            found[dealer] = Diagnosis(dealer, closed, judged=False, levels=levels)
            continue
        sure = _worth_a_plan(list(_findings(dealer, part, levels, standards)), levels, standards)
        own, oem = _sorted_out(sure, levels, standards)
        most = settings.max_problems
        found[dealer] = Diagnosis(dealer, closed, True, own[:most], own[most:], oem, levels)
    return found


def _levels(part: Sequence[Mapping[Hashable, Any]], standards: _Standards) -> dict[str, Level]:
    """The rows that could be judged, as levels."""
    levels = {}
    for row in part:
        indicator, gap = str(row["indicator"]), float(row["gap_points"])
        if math.isnan(gap) or not row["enough"]:
            continue
        loss = -gap if standards.better.get(indicator, "lower") == "higher" else gap
        levels[indicator] = Level(
            indicator=indicator,
            value=float(row["value"]),
            expected=float(row["expected"]),
            gap_points=gap,
            lo90=float(row["lo90"]),
            hi90=float(row["hi90"]),
            denominator=int(row["denominator"]),
            loss_points=loss,
        )
    return levels


def _sure(level: Level, q_value: float, limits: DiagnosisRules) -> bool:
    """The rule of the module's first paragraph."""
    nearest = level.lo90 if level.gap_points > 0 else -level.hi90
    return level.loss_points > 0 and (nearest > 0 or q_value <= limits.q_limit)


def deals_at_stake(
    level: Level, levels: Mapping[str, Level], stake: Stake | None, steps: Sequence[str], months: int = 1
) -> float:
    """The deals the gap of ``level`` is worth in a window of ``months`` (module text); 0 for a mere signal."""
    excess = level.loss_points / 100 * level.denominator
    if stake is Stake.STEP:
        return excess * _downstream(level.indicator, levels, steps)
    if stake in (Stake.LEADS, Stake.STOCK):
        close = levels.get(CLOSE_RATE)
        return excess * close.expected / (months if stake is Stake.STOCK else 1) if close else 0.0
    return 0.0 if stake is Stake.SIGNAL else excess


def _downstream(step: str, levels: Mapping[str, Level], steps: Sequence[str]) -> float:
    """The expected share of those who pass ``step`` that end in an order; 0 when nothing says."""
    place = list(steps).index(step)
    after, until = steps[place + 1 :], steps[: place + 1]
    if all(name in levels for name in after):
        return math.prod(levels[name].expected for name in after)
    reached = math.prod(levels[name].expected for name in until if name in levels)
    if CLOSE_RATE not in levels or not all(name in levels for name in until) or reached <= 0:
        return 0.0
    return min(1.0, levels[CLOSE_RATE].expected / reached)


def _findings(
    dealer: str, part: Sequence[Mapping[Hashable, Any]], levels: Mapping[str, Level], standards: _Standards
) -> Iterator[_Finding]:
    """The dealer's sure rows, each as a problem of its own, with its stake as if it stood alone."""
    for row in part:
        level = levels.get(str(row["indicator"]))
        if level is None or not _sure(level, float(row["q_value"]), standards.limits):
            continue
        scheme = standards.playbook.indicator_schemes.get(level.indicator)
        stake = scheme.stake if scheme else None
        code = level.indicator.removeprefix(REASON_PREFIX)
        problem = Problem(
            dealer_id=dealer,
            indicator=level.indicator,
            reason=scheme.reason if scheme else standards.reasons[code].scheme or code,
            numerator=int(row["numerator"]),
            denominator=level.denominator,
            value=level.value,
            expected=level.expected,
            gap_points=level.gap_points,
            lo90=level.lo90,
            hi90=level.hi90,
            q_value=float(row["q_value"]),
            deals_at_stake=deals_at_stake(level, levels, stake, standards.steps, len(standards.months)),
            peers=int(row["peers"]),
            months=standards.months,
            lead_ids=tuple(standards.examples.get((dealer, level.indicator), ()))[:MAX_EXAMPLES],
        )
        yield _Finding(problem, standards.cause(level.indicator), stake)


def _worth_a_plan(findings: Sequence[_Finding], levels: Mapping[str, Level], standards: _Standards) -> list[_Finding]:
    """The findings large enough, reasons together worth no more than the dealer loses in all (module text)."""
    excess = sum(one.problem.deals_at_stake for one in findings if one.stake is None)
    close = levels.get(CLOSE_RATE)
    lost = excess if close is None else max(0.0, close.loss_points / 100 * close.denominator)
    share = min(1.0, lost / excess) if excess > 0 else 1.0
    kept = []
    for one in findings:
        deals = one.problem.deals_at_stake * (share if one.stake is None else 1.0)
        if one.stake is Stake.SIGNAL or deals >= standards.limits.smallest_deals:
            kept.append(replace(one, problem=replace(one.problem, deals_at_stake=deals)))
    return kept


def _sorted_out(
    sure: Sequence[_Finding], levels: Mapping[str, Level], standards: _Standards
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """(what the dealer can fix, what goes to the OEM's lists), each by deals at stake."""
    causes: dict[str, list[_Finding]] = {}
    oem: list[Problem] = []
    outcome: list[Problem] = []
    for finding in sure:
        code = finding.problem.indicator.removeprefix(REASON_PREFIX)
        if finding.stake is Stake.OUTCOME:
            outcome.append(finding.problem)
        elif finding.stake is not None or standards.reasons[code].dealer_fixable:
            causes.setdefault(finding.cause, []).append(finding)
        elif standards.playbook.oem_list(code):
            oem.append(finding.problem)  # reasons nobody can fix are tracked in the customer pools, not here
    own = [problem for cause in causes.values() for problem in _one_cause(cause, levels, standards)]
    explained = sum(problem.deals_at_stake for problem in (*own, *oem))
    own += [problem for problem in outcome if explained < standards.limits.explaining_share * problem.deals_at_stake]
    return _largest_first(own), _largest_first(oem)


def _largest_first(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (-problem.deals_at_stake, problem.indicator)))


def _one_cause(findings: Sequence[_Finding], levels: Mapping[str, Level], standards: _Standards) -> list[Problem]:
    """The findings of one cause counted once: the larger of a single indicator and the reasons taken together."""
    reasons = _largest_first(one.problem for one in findings if one.stake is None)
    single = _largest_first(one.problem for one in findings if one.stake in SINGLE)
    signals = [one.problem.indicator for one in findings if one.stake is Stake.SIGNAL]
    of_reasons = sum(problem.deals_at_stake for problem in reasons)
    if single and single[0].deals_at_stake > of_reasons:
        others = [problem.indicator for problem in (*single[1:], *reasons)]
        driver = reasons[0].reason if reasons else _leaning(single[0], levels, standards)
        if driver and REASON_PREFIX + driver not in others:
            others.append(REASON_PREFIX + driver)
        also = tuple(name for name in (*others, *signals) if name in levels)
        return [replace(single[0], reason=driver or single[0].reason, also=also)]
    also = (*(problem.indicator for problem in single), *signals)
    return [replace(problem, also=also) for problem in reasons]


def _leaning(problem: Problem, levels: Mapping[str, Level], standards: _Standards) -> str | None:
    """The reason that, unsure by itself, would explain at least half of a step's deals; None when none does."""
    excess = {
        reason: levels[REASON_PREFIX + reason].loss_points / 100 * levels[REASON_PREFIX + reason].denominator
        for reason, step in standards.step_of.items()
        if step == problem.indicator and REASON_PREFIX + reason in levels and standards.reasons[reason].dealer_fixable
    }
    largest = max(excess, key=lambda reason: excess[reason], default=None)
    enough = largest is not None and excess[largest] >= standards.limits.explaining_share * problem.deals_at_stake
    return largest if enough else None
