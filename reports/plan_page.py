"""The rectification plan as a dealer reads it: its context, built once and shown as a page and as a workbook.

Everything here is already in words and figures of the reader's language; templates and workbooks only lay it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from models.catalogue.deadlines import deadlines
from models.catalogue.indicators import indicators
from models.catalogue.playbook import REASON_PREFIX, playbook
from models.catalogue.reasons import catalogue
from models.enums import OwnerRole, PlanKind
from models.facts import Problem
from models.messages import text
from models.schemas import Measure, Plan
from reports.formats import Formatter

FUNNEL = ("lead_to_visit", "visit_to_test_drive", "test_drive_to_order", "close_rate")


@dataclass(frozen=True)
class Figure:
    """One indicator of the dealer in the cycle beside what its peers would have with the same customers."""

    indicator: str
    numerator: float | None
    denominator: float | None
    value: float | None
    expected: float | None
    previous: float | None


@dataclass(frozen=True)
class DealerFigures:
    """What a plan page shows besides the plan itself; counts of the cycle's month."""

    name: str
    region: str
    closed: int
    won: int
    filed: int
    true: int
    quasi: int
    false: int
    figures: Mapping[str, Figure]
    reasons: tuple[tuple[str, int, int], ...]  # code, defeats with it as used, as declared; largest first
    score: float | None
    gate: str
    trend: tuple[tuple[str, float | None, float | None], ...]  # month, close rate here, in the nation
    effects: tuple[str, ...]  # sentences about earlier measures


@dataclass(frozen=True)
class Bar:
    """A rate of the dealer against its peers, for a bar chart; widths 0-1 on a common scale."""

    label: str
    own: str
    peers: str
    own_width: float
    peers_width: float
    sample: str
    worse: bool


@dataclass(frozen=True)
class MeasureView:
    """A measure as the dealer reads it."""

    measure_id: str
    title: str
    owner: str
    due: str
    steps: tuple[str, ...]
    evidence: str
    indicator: str
    goal: str
    check: str


@dataclass(frozen=True)
class ProblemView:
    """A problem with its figures in a sentence, the cause and its measures."""

    number: int
    title: str
    finding: str
    cause: str
    stake: str
    basis: str
    bar: Bar | None
    leads: tuple[str, ...]
    measures: tuple[MeasureView, ...]


@dataclass(frozen=True)
class PlanPage:
    """Everything on a dealer's plan page."""

    locale: str
    title: str
    dealer: str
    region: str
    cycle: str
    plan_id: str
    kind: str
    kind_label: str
    headline: str
    summary: tuple[tuple[str, str], ...]  # label, figure
    file_by: str
    next_steps: tuple[str, ...]
    problems: tuple[ProblemView, ...]
    funnel: tuple[Bar, ...]
    filter_note: str
    reasons: tuple[tuple[str, str, str], ...]
    not_fixable: tuple[str, ...]
    effects: tuple[str, ...]
    trend: tuple[tuple[str, float | None, float | None], ...]
    basis: str


def reason_label(code: str, locale: str) -> str:
    """A reason as people say it; an unknown code stays as it is."""
    entry = catalogue().get(code)
    return entry.label.text(locale) if entry else code


def indicator_label(code: str, locale: str) -> str:
    """An indicator, or ``reason:<code>`` as defeats for that reason, as people say it."""
    if code.startswith(REASON_PREFIX):
        reason = reason_label(code.removeprefix(REASON_PREFIX), locale)
        return text("plan_page.reason_indicator", locale, reason=reason)
    return indicators().indicators[code].label.text(locale)


def problem_title(problem: Problem, locale: str) -> str:
    """A problem in a few words."""
    reason = reason_label(problem.reason, locale)
    if problem.indicator.startswith(REASON_PREFIX):
        return text("plan_page.problem.reason", locale, reason=reason)
    indicator = indicator_label(problem.indicator, locale)
    return text("plan_page.problem.indicator", locale, indicator=indicator, reason=reason)


class _Builder:
    """Turns one plan and its figures into words of one language."""

    def __init__(self, plan: Plan, figures: DealerFigures, locale: str) -> None:
        self.plan, self.figures, self.locale = plan, figures, locale
        self.f = Formatter(locale)

    def t(self, key: str, **params: object) -> str:
        return text(f"plan_page.{key}", self.locale, **params)

    def indicator_label(self, code: str) -> str:
        return indicator_label(code, self.locale)

    def reason_label(self, code: str) -> str:
        return reason_label(code, self.locale)

    def unit(self, code: str) -> str:
        return "share" if code.startswith(REASON_PREFIX) else indicators().indicators[code].unit

    def headline(self) -> str:
        note = text(self.plan.note, self.locale, **self.plan.note_params)
        if self.plan.kind not in (PlanKind.RECTIFY, PlanKind.COACHING):
            return note
        deals = sum(problem.deals_at_stake for problem in self.plan.problems)
        months = max((len(problem.months) for problem in self.plan.problems), default=1)
        return self.t(
            "headline",
            problems=len(self.plan.problems),
            deals=self.f.number(deals / max(months, 1), 1),
            first=problem_title(self.plan.problems[0], self.locale),
        )

    def bar(self, label: str, figure: Figure | Problem, *, higher_is_better: bool, scale: float) -> Bar:
        own, peers = figure.value, figure.expected
        worse = own is not None and peers is not None and (own < peers if higher_is_better else own > peers)
        sample = self.t(
            "sample", numerator=self.f.number(figure.numerator), denominator=self.f.number(figure.denominator)
        )
        return Bar(
            label,
            self.f.percent(own),
            self.f.percent(peers),
            min(1.0, (own or 0.0) / scale),
            min(1.0, (peers or 0.0) / scale),
            sample,
            worse,
        )

    def problem(self, number: int, problem: Problem) -> ProblemView:
        measures = [measure for measure in self.plan.measures if self._serves(measure, problem)]
        reason = catalogue()[problem.reason]
        is_reason = problem.indicator.startswith(REASON_PREFIX)
        better = False if is_reason else indicators().indicators[problem.indicator].better == "higher"
        scale = max(problem.value, problem.expected, 0.01) * 1.25
        return ProblemView(
            number=number,
            title=problem_title(problem, self.locale),
            finding=self.t(
                "finding.reason" if is_reason else "finding.indicator",
                indicator=self.indicator_label(problem.indicator),
                numerator=self.f.number(problem.numerator),
                denominator=self.f.number(problem.denominator),
                value=self.f.percent(problem.value),
                expected=self.f.percent(problem.expected),
                peers=problem.peers,
            ),
            cause=self.t("cause", reason=reason.label.text(self.locale), text=reason.definition.text(self.locale)),
            stake=self.t("stake", deals=self.f.number(problem.deals_at_stake, 1), months=len(problem.months)),
            basis=self.t(
                "basis.problem",
                months=self.f.words([self.f.month(month) for month in problem.months]),
                gap=self.f.points(problem.gap_points),
                low=f"{problem.lo90:+.1f}",
                high=f"{problem.hi90:+.1f}",
                q=f"{problem.q_value:.3f}",
                peers=problem.peers,
            ),
            bar=self.bar(self.indicator_label(problem.indicator), problem, higher_is_better=better, scale=scale),
            leads=problem.lead_ids,
            measures=tuple(self.measure(measure) for measure in measures),
        )

    def _serves(self, measure: Measure, problem: Problem) -> bool:
        return measure.reason == problem.reason

    def measure(self, measure: Measure) -> MeasureView:
        standard = playbook().measures.get(measure.measure)
        unit = self.unit(measure.indicator)
        if measure.verify_after_months is None:
            check = self.t("measure.check_pool")
        else:
            check = self.t("measure.check_months", months=measure.verify_after_months)
        return MeasureView(
            measure_id=measure.measure_id,
            title=standard.title.text(self.locale) if standard else measure.own_text,
            owner=OwnerRole(measure.responsible or measure.owner_role).label(self.locale),
            due=self.f.day(measure.due),
            steps=standard.steps.text(self.locale) if standard else (),
            evidence=standard.evidence.text(self.locale) if standard else "",
            indicator=self.indicator_label(measure.indicator),
            goal=self.t(
                "measure.goal_text",
                indicator=self.indicator_label(measure.indicator),
                baseline=self.f.value(measure.baseline, unit),
                target=self.f.value(measure.target, unit),
            ),
            check=check,
        )

    def funnel(self) -> tuple[Bar, ...]:
        rows = [self.figures.figures[code] for code in FUNNEL if code in self.figures.figures]
        scale = max([value for row in rows for value in (row.value, row.expected) if value is not None], default=1.0)
        return tuple(
            self.bar(self.indicator_label(row.indicator), row, higher_is_better=True, scale=max(scale, 0.01) * 1.1)
            for row in rows
            if row.denominator
        )

    def summary(self) -> tuple[tuple[str, str], ...]:
        figures, close = self.figures, self.figures.figures.get("close_rate")
        return (
            (self.t("summary.closed"), self.f.number(figures.closed)),
            (self.t("summary.won"), self.f.number(figures.won)),
            (self.t("summary.close_rate"), self.f.percent(close.value if close else None)),
            (self.t("summary.expected"), self.f.percent(close.expected if close else None)),
            (self.t("summary.filed"), self.f.number(figures.filed)),
            (self.t("summary.score"), self.f.number(figures.score, 0)),
        )

    def next_steps(self) -> tuple[str, ...]:
        if self.plan.kind not in (PlanKind.RECTIFY, PlanKind.COACHING):
            key = {PlanKind.DATA: "next.data", PlanKind.KEEP: "next.keep"}[self.plan.kind]
            return (self.t(key),)
        days = deadlines().plan
        return (
            self.t("next.file", day=self.f.day(file_by(self.plan)), days=days["file"].clauses[0].days),
            self.t("next.approve", days=days["approve"].clauses[0].days),
            self.t("next.execute"),
        )

    def filter_note(self) -> str:
        figures = self.figures
        if not figures.filed:
            return ""
        return self.t(
            "filter.note",
            filed=figures.filed,
            true=figures.true,
            quasi=figures.quasi,
            false=figures.false,
            again=figures.quasi + figures.false,
        )

    def not_fixable(self) -> tuple[str, ...]:
        return tuple(
            self.t(
                "not_fixable.line",
                reason=self.reason_label(problem.reason),
                numerator=self.f.number(problem.numerator),
                owner=catalogue()[problem.reason].owners[0].label(self.locale),
            )
            for problem in self.plan.not_fixable
        )


def file_by(plan: Plan) -> date:
    """Until when the dealer files its answer to a plan issued (or to be issued) at its ``as_of``."""
    return (plan.as_of + timedelta(days=deadlines().plan["file"].clauses[0].days)).date()


def plan_page(plan: Plan, figures: DealerFigures, locale: str) -> PlanPage:
    """The plan as its dealer reads it, in ``locale``; figures are those of the cycle's month."""
    words = _Builder(plan, figures, locale)
    f = words.f
    return PlanPage(
        locale=locale,
        title=words.t("title", dealer=figures.name, cycle=f.month(plan.cycle)),
        dealer=figures.name,
        region=figures.region,
        cycle=f.month(plan.cycle),
        plan_id=plan.plan_id,
        kind=plan.kind.value,
        kind_label=plan.kind.label(locale),
        headline=words.headline(),
        summary=words.summary(),
        file_by=f.day(file_by(plan)),
        next_steps=words.next_steps(),
        problems=tuple(words.problem(number, problem) for number, problem in enumerate(plan.problems, 1)),
        funnel=words.funnel(),
        filter_note=words.filter_note(),
        reasons=tuple(
            (words.reason_label(code), f.number(used), f.number(declared)) for code, used, declared in figures.reasons
        ),
        not_fixable=words.not_fixable(),
        effects=figures.effects,
        trend=figures.trend,
        basis=words.t(
            "basis.text", cycle=f.month(plan.cycle), as_of=f.day(plan.as_of), dealer=plan.dealer_id, plan=plan.plan_id
        ),
    )
