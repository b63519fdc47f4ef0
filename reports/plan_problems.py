"""The problems and measures of a plan in words: what, how sure, why, who, until when, how it will be checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.catalogue.playbook import playbook
from models.catalogue.reasons import catalogue
from models.enums import OwnerRole
from models.facts import Problem
from models.messages import has, text
from models.schemas import Measure, Plan
from reports.comparing import Bar, bars, evidence
from reports.figures import Comparison, DealerFigures
from reports.verification_words import proposal
from reports.words import Words, unit


@dataclass(frozen=True)
class MeasureView:
    """A measure as the dealer reads it.

    ``because``: why it is proposed and where it worked; ``registered``: what was fixed at approval, empty before.
    """

    measure_id: str
    title: str
    owner: str
    due: str
    steps: tuple[str, ...]
    evidence: str
    goal: str
    check: str
    because: tuple[str, ...]
    registered: str
    code: str


@dataclass(frozen=True)
class ProblemView:
    """A problem with its figures, cause and measures; ``under_way`` lines stand where nothing new is proposed."""

    number: int
    title: str
    finding: str
    stake: str
    bar: tuple[Bar, ...]  # one
    evidence: tuple[str, ...]
    cause: str
    measures: tuple[MeasureView, ...]
    under_way: tuple[str, ...]
    served: str  # names the problem whose measures serve this one too
    basis: str
    leads: tuple[str, ...]
    problem: Problem


def comparison_of(problem: Problem) -> Comparison:
    """The comparison a problem was found by."""
    return Comparison(
        problem.indicator,
        problem.numerator,
        problem.denominator,
        problem.value,
        problem.expected,
        problem.gap_points,
        problem.lo90,
        problem.hi90,
        problem.q_value,
        problem.peers,
        enough=True,
        likely=True,
    )


class ProblemWords:
    """Turns the problems of one plan into words of one language."""

    def __init__(self, plan: Plan, figures: DealerFigures, words: Words) -> None:
        self.plan, self.figures, self.words, self.f = plan, figures, words, words.f

    def t(self, key: str, **params: object) -> str:
        """A text of the plan page."""
        return text(f"plan_page.{key}", self.words.locale, **params)

    def problems(self) -> tuple[ProblemView, ...]:
        """All problems of the plan; measures stand with the first problem of their reason."""
        first = {problem.reason: number for number, problem in reversed(list(enumerate(self.plan.problems, 1)))}
        return tuple(self.problem(number, one, first[one.reason]) for number, one in enumerate(self.plan.problems, 1))

    def problem(self, number: int, problem: Problem, served_by: int) -> ProblemView:
        """One problem; ``served_by`` is the number of the problem its reason's measures stand with."""
        reason = catalogue()[problem.reason]
        own = [measure for measure in self.plan.measures if measure.reason == problem.reason]
        measures = tuple(self.measure(one, leading=one is own[0]) for one in own) if number == served_by else ()
        numerator, denominator = self.words.counted(problem.indicator)
        return ProblemView(
            number=number,
            title=self.words.problem(problem),
            finding=self.t(
                "finding",
                months=self.f.months(problem.months),
                of=denominator,
                denominator=self.f.number(problem.denominator),
                what=numerator,
                numerator=self.f.number(problem.numerator),
                value=self.f.percent(problem.value),
                expected=self.f.percent(problem.expected),
                peers=self.f.number(problem.peers),
            ),
            stake=self.t("stake", deals=self.f.number(problem.deals_at_stake, 1), months=len(problem.months)),
            bar=bars([comparison_of(problem)], self.words),
            evidence=self.evidence(problem),
            cause=self.t(
                "cause", reason=reason.label.text(self.words.locale), text=reason.definition.text(self.words.locale)
            ),
            measures=measures,
            under_way=() if own else self.under_way(problem),
            served=self.t("under_way.same", number=served_by) if number != served_by else "",
            basis=self.t(
                "basis.problem",
                months=self.f.months(problem.months),
                gap=self.f.points(problem.gap_points),
                interval=self.f.interval(problem.lo90, problem.hi90),
                q=f"{problem.q_value:.3f}",
                peers=self.f.number(problem.peers),
                code=problem.indicator,
                definition=self.words.definition(problem.indicator),
            ),
            leads=problem.lead_ids,
            problem=problem,
        )

    def evidence(self, problem: Problem) -> tuple[str, ...]:
        """The other indicators that show the same cause, each with its figures."""
        found = (self.figures.comparisons.get(code) for code in problem.also)
        return tuple(evidence(one, self.words) for one in found if one is not None)

    def under_way(self, problem: Problem) -> tuple[str, ...]:
        """The measures of earlier plans that are being carried out for the problem's reason."""
        return tuple(
            self.t(
                "under_way.measure",
                measure=self.words.measure(one.measure, one.own_text),
                cycle=self.f.month(one.cycle),
                state=one.state.label(self.words.locale),
                due=self.f.day(one.due),
            )
            for one in self.figures.earlier.values()
            if one.open and one.reason == problem.reason
        )

    def measure(self, measure: Measure, *, leading: bool) -> MeasureView:
        """A measure of the plan; ``leading``: the first of its reason."""
        standard = playbook().measures.get(measure.measure)
        kind = unit(measure.indicator)
        if measure.verify_after_months is None:
            check = self.t("measure.check_pool")
        else:
            check = self.t("measure.check_months", months=measure.verify_after_months)
        locale = self.words.locale
        return MeasureView(
            measure_id=measure.measure_id,
            title=self.words.measure(measure.measure, measure.own_text),
            owner=OwnerRole(measure.responsible or measure.owner_role).label(locale),
            due=self.f.day(measure.due),
            steps=standard.steps.text(locale) if standard else (),
            evidence=standard.evidence.text(locale) if standard else "",
            goal=self.t(
                "measure.goal_text",
                indicator=self.words.indicator(measure.indicator),
                baseline=self.f.value(measure.baseline, kind),
                target=self.f.value(measure.target, kind),
            ),
            check=check,
            because=proposal(self.figures.verification, measure, leading=leading, words=self.words),
            registered=self.registered(measure),
            code=f"{measure.measure} · {measure.indicator}",
        )

    def registered(self, measure: Measure) -> str:
        """What was fixed when the plan was approved; empty before."""
        fixed = measure.registration
        if fixed is None:
            return ""
        comparison = f"plan_page.registered.{fixed.comparison}"
        return self.t(
            "registered.text",
            indicator=self.words.indicator(fixed.indicator),
            target=self.f.number(fixed.target_points, 1),
            month=self.f.month(fixed.effect_from),
            comparison=text(comparison, self.words.locale) if has(comparison) else fixed.comparison,
            rule=fixed.rule,
        )

    def not_fixable(self, problems: Sequence[Problem]) -> tuple[str, ...]:
        """What the dealer cannot fix, with its figures and who got it."""
        return tuple(
            self.t(
                "not_fixable.line",
                title=self.words.reason(one.reason),
                numerator=self.f.number(one.numerator),
                denominator=self.f.number(one.denominator),
                value=self.f.percent(one.value),
                expected=self.f.percent(one.expected),
                owner=self.words.reason_owner(one.reason),
            )
            for one in problems
        )
