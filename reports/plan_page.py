"""The rectification plan as a dealer reads it: its context, built once and shown as a page and as a workbook.

Everything here is already in words and figures of the reader's language; templates and workbooks only lay it out.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import date, timedelta

from models.catalogue.deadlines import deadlines
from models.catalogue.indicators import Better, indicators
from models.catalogue.playbook import REASON_PREFIX
from models.enums import PlanKind
from models.messages import text
from models.schemas import Plan
from reports.comparing import Bar, Standing, bars, evidence, standing, sureness
from reports.figures import Comparison, DealerFigures, Trend
from reports.plan_problems import ProblemView, ProblemWords
from reports.quality_part import QualityView, quality_view
from reports.verification_words import LookView, look_views
from reports.words import Words

FUNNEL = ("lead_to_visit", "visit_to_test_drive", "test_drive_to_order", "close_rate")
WITH_MEASURES = (PlanKind.RECTIFY, PlanKind.COACHING)
HELD_BACK = "plan_note.held_back"
MOST_STRENGTHS = 4
EXPORTS = ("defeats", "indicators", "reasons", "rejected", "plans")


@dataclass(frozen=True)
class Tile:
    """One figure of the cycle's month; ``note`` sets it beside last month's."""

    label: str
    figure: str
    note: str = ""


@dataclass(frozen=True)
class ReasonRow:
    """A reason: filed this month, and its share of closed leads in the window beside the peers'."""

    label: str
    used: str
    declared: str
    own: str
    peers: str
    verdict: str
    standing: Standing


@dataclass(frozen=True)
class PlanPage:
    """Everything on a dealer's plan page."""

    locale: str
    title: str
    dealer: str
    region: str
    cycle: str
    plan_id: str
    state: str
    kind: str
    kind_label: str
    headline: str
    reason_why: str  # why the plan has this kind, where the headline does not say it
    tiles: tuple[Tile, ...]
    file_by: str
    next_steps: tuple[str, ...]
    data_first: bool  # the quality part stands before everything else
    quality: QualityView
    problems_title: str
    problems: tuple[ProblemView, ...]
    strengths: tuple[str, ...]
    window: str
    months: int
    funnel: tuple[Bar, ...]
    compared: tuple[Bar, ...]  # all indicators compared
    reasons: tuple[ReasonRow, ...]
    filter_note: str
    not_fixable: tuple[str, ...]
    looks: tuple[LookView, ...]  # at earlier measures
    trend: Trend
    basis: str
    commands: tuple[str, ...]


class _Builder:
    """Turns one plan and its figures into words of one language."""

    def __init__(self, plan: Plan, figures: DealerFigures, locale: str) -> None:
        self.plan, self.figures, self.locale = plan, figures, locale
        self.words = Words(locale)
        self.f = self.words.f

    def t(self, key: str, **params: object) -> str:
        return text(f"plan_page.{key}", self.locale, **params)

    @property
    def note(self) -> str:
        return text(self.plan.note, self.locale, **self.plan.note_params)

    def headline(self) -> str:
        if self.plan.kind not in WITH_MEASURES:
            return self.note
        deals = sum(problem.deals_at_stake for problem in self.plan.problems)
        return self.t(
            "headline",
            problems=len(self.plan.problems),
            deals=self.f.number(deals, 1),
            months=len(self.figures.months),
            first=self.words.problem(self.plan.problems[0]),
        )

    def tiles(self) -> tuple[Tile, ...]:
        figures, close = self.figures, self.figures.month.get("close_rate")
        before = self.t("tile.before", figure=self.f.percent(close.previous)) if close else ""
        checked = self.t("tile.checked", true=figures.true, quasi=figures.quasi, false=figures.false)
        score = figures.quality
        return (
            Tile(self.t("tile.closed"), self.f.number(close.denominator if close else None)),
            Tile(self.t("tile.won"), self.f.number(close.numerator if close else None)),
            Tile(self.t("tile.close_rate"), self.f.percent(close.value if close else None), before),
            Tile(self.t("tile.filed"), self.f.number(figures.filed), checked),
            Tile(
                self.t("tile.score"),
                self.f.number(score.score, 1),
                score.gate.label(self.locale) if score.gate else "",
            ),
        )

    def next_steps(self) -> tuple[str, ...]:
        if self.plan.kind is PlanKind.DATA:
            return (self.t("next.data", limit=self.f.number(self.figures.quality.limit)),)
        if self.plan.kind is PlanKind.KEEP:
            if self.plan.note == HELD_BACK:
                return (self.t("next.held_back"),)
            return (self.t("next.under_way" if self.plan.problems else "next.keep"),)
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

    def compared(self) -> list[Comparison]:
        """The indicators compared, in the order of the standard; reasons stand apart."""
        known = indicators().indicators
        return [
            one for code in known if (one := self.figures.comparisons.get(code)) and known[code].better != Better.NONE
        ]

    def strengths(self) -> tuple[str, ...]:
        good = [one for one in self.compared() if standing(one) is Standing.BETTER]
        best = sorted(good, key=lambda one: (-sureness(one), one.indicator))[:MOST_STRENGTHS]
        return tuple(evidence(one, self.words) for one in best)

    def reasons(self) -> tuple[ReasonRow, ...]:
        rows = []
        for code, used, declared in self.figures.reasons:
            compared = self.figures.comparisons.get(REASON_PREFIX + code)
            bar = next(iter(bars([compared], self.words)), None) if compared else None
            rows.append(
                ReasonRow(
                    self.words.reason(code),
                    self.f.number(used),
                    self.f.number(declared),
                    bar.own if bar else "–",
                    bar.peers or "–" if bar else "–",
                    bar.verdict if bar else "–",
                    bar.standing if bar else Standing.UNJUDGED,
                )
            )
        return tuple(rows)

    def commands(self) -> tuple[str, ...]:
        cycle, dealer = self.plan.cycle, shlex.quote(self.plan.dealer_id)
        return tuple(f"rematch export {what} --cycle {cycle} --dealer {dealer} --out {what}.csv" for what in EXPORTS)

    def problems_title(self) -> str:
        if self.plan.note == HELD_BACK:
            return self.t("problems.held_back")
        return self.t("problems.title" if self.plan.kind in WITH_MEASURES else "problems.under_way")


def file_by(plan: Plan) -> date:
    """Until when the dealer files its answer to a plan issued (or to be issued) at its ``as_of``."""
    return (plan.as_of + timedelta(days=deadlines().plan["file"].clauses[0].days)).date()


def plan_page(plan: Plan, figures: DealerFigures, locale: str) -> PlanPage:
    """The plan as its dealer reads it, in ``locale``."""
    page = _Builder(plan, figures, locale)
    f, cycle = page.f, page.f.month(plan.cycle)
    problems = ProblemWords(plan, figures, page.words)
    funnel = [figures.comparisons[code] for code in FUNNEL if code in figures.comparisons]
    return PlanPage(
        locale=locale,
        title=page.t(f"title.{plan.kind}", dealer=figures.name, cycle=cycle),
        dealer=figures.name,
        region=figures.region,
        cycle=cycle,
        plan_id=plan.plan_id,
        state=plan.state.label(locale),
        kind=plan.kind.value,
        kind_label=plan.kind.label(locale),
        headline=page.headline(),
        reason_why=page.note if plan.kind is PlanKind.COACHING else "",
        tiles=page.tiles(),
        file_by=f.day(file_by(plan)),
        next_steps=page.next_steps(),
        data_first=plan.kind is PlanKind.DATA,
        quality=quality_view(figures.quality, page.words),
        problems_title=page.problems_title(),
        problems=problems.problems(),
        strengths=page.strengths(),
        window=f.months(figures.months),
        months=len(figures.months),
        funnel=bars(funnel, page.words),
        compared=bars(page.compared(), page.words),
        reasons=page.reasons(),
        filter_note=page.filter_note(),
        not_fixable=problems.not_fixable(plan.not_fixable),
        looks=look_views(figures.verification, page.words),
        trend=figures.trend,
        basis=page.t(
            "basis.text",
            cycle=cycle,
            window=f.months(figures.months),
            as_of=f.day(plan.as_of),
            dealer=plan.dealer_id,
            plan=plan.plan_id,
            version=figures.version,
        ),
        commands=page.commands(),
    )
