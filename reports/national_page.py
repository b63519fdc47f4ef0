"""The OEM's overview of a cycle: where the nation stands, what needs attention, the regions, each dealer's plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.catalogue.commentary import commentary_rules
from models.catalogue.contract import contract
from models.catalogue.indicators import indicators
from models.catalogue.reasons import catalogue
from models.enums import DefeatVerdict, Destination, Gate, PlanKind
from models.facts import Cycle
from models.messages import text
from models.schemas import Plan
from reports.commentary import commentary
from reports.figures import Trend
from reports.loop_part import LoopPart, loop_part
from reports.national_figures import DealerFacts, NationalFigures, RegionFigures
from reports.plan_page import HELD_BACK, WITH_MEASURES, Tile
from reports.words import Words

SHOWN = ("close_rate", "defeat_rate_filed", "defeat_rate_filtered", "lead_to_visit", "visit_to_test_drive")
TO_MEND = (*WITH_MEASURES, PlanKind.DATA)
MOST_REASONS = 12
MOST_LATE = 30
MOST_COMPETITORS = 20
EXPORTS = ("indicators", "reasons", "defeats", "competitors", "plans", "verdicts", "measures", "quality", "rejected")


@dataclass(frozen=True)
class ShareBar:
    """A part of a whole; ``width`` 0-1."""

    label: str
    count: str
    share: str
    width: float


@dataclass(frozen=True)
class DealerLine:
    """A dealer's line in words."""

    link: str
    name: str
    dealer_id: str
    kind: str
    kind_label: str
    state: str
    problem: str
    deals: str
    quality: str


@dataclass(frozen=True)
class RegionPart:
    """A region: its line, and its dealers with something to mend, the largest first."""

    anchor: str
    name: str
    figures: tuple[str, ...]  # closed, won, close rate, last month's, dealers, to mend, deals, late
    dealers: tuple[DealerLine, ...]


Table = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class NationalPage:
    """Everything on the overview, in words of one language."""

    locale: str
    title: str
    cycle: str
    months: int
    as_of: str
    headline: str
    failures: Table
    tiles: tuple[Tile, ...]
    commentary: tuple[str, ...]
    commentary_note: str
    trend: Trend
    loop: LoopPart
    late: Table
    late_more: str
    verdicts: tuple[ShareBar, ...]
    destinations: tuple[ShareBar, ...]
    reasons: Table
    oem_reasons: Table
    competitors: Table
    gates: str
    unassigned: str
    regions: tuple[RegionPart, ...]
    keep: tuple[tuple[str, DealerLine], ...]  # region, line
    rows: Table
    missing: tuple[str, ...]
    commands: tuple[str, ...]


class _Builder:
    def __init__(self, cycle: Cycle, figures: NationalFigures, locale: str) -> None:
        self.cycle, self.figures, self.locale = cycle, figures, locale
        self.words = Words(locale)
        self.f = self.words.f

    def t(self, key: str, **params: object) -> str:
        return text(f"national_page.{key}", self.locale, **params)

    @property
    def to_mend(self) -> list[DealerFacts]:
        return [one for one in self.figures.dealers if one.plan.kind in TO_MEND]

    def headline(self) -> str:
        close = self.figures.nation.get("close_rate")
        return self.t(
            "headline",
            cycle=self.f.month(self.cycle.name),
            close=self.f.percent(close.value if close else None),
            previous=self.f.percent(close.previous if close else None),
            plans=len(self.to_mend),
            dealers=len(self.figures.dealers),
            deals=self.f.number(sum(_deals(one.plan) for one in self.to_mend)),
            months=len(self.figures.months),
        )

    def tiles(self) -> tuple[Tile, ...]:
        close = self.figures.nation.get("close_rate")
        rows = [
            Tile(self.t("summary.closed"), self.f.number(close.denominator if close else None)),
            Tile(self.t("summary.won"), self.f.number(close.numerator if close else None)),
        ]
        for code in SHOWN:
            figure, entry = self.figures.nation.get(code), indicators().indicators[code]
            before = self.f.value(figure.previous if figure else None, entry.unit)
            rows.append(
                Tile(
                    entry.label.text(self.locale),
                    self.f.value(figure.value if figure else None, entry.unit),
                    self.t("summary.before", figure=before) if before != self.f.missing else "",
                )
            )
        return tuple(rows)

    def shares(self, counts: Sequence[tuple[str, int]]) -> tuple[ShareBar, ...]:
        total = sum(count for _, count in counts)
        if not total:
            return ()
        return tuple(
            ShareBar(label, self.f.number(count), self.f.percent(count / total), count / total)
            for label, count in counts
        )

    def loop(self) -> LoopPart:
        links = {one.plan.dealer_id: one.link for one in self.figures.dealers}
        regions = {one.region_id: (one.name, one.link) for one in self.figures.regions}
        return loop_part(self.figures.loop, self.words, links, regions)

    def late(self) -> Table:
        worst = sorted(self.figures.late, key=lambda one: (-one.days, one.plan.plan_id))[:MOST_LATE]
        links = {one.plan.dealer_id: one.link for one in self.figures.dealers}
        return tuple(
            (
                links.get(one.plan.dealer_id, ""),
                one.name,
                one.plan.plan_id,
                self.t("late.waits_for", action=one.action.label(self.locale), owner=one.owner.label(self.locale)),
                self.f.number(one.days),
                one.told.label(self.locale),
            )
            for one in worst
        )

    def reasons(self) -> Table:
        return tuple(
            (self.words.reason(code), self.words.reason_owner(code), self.f.number(used), self.f.number(declared))
            for code, used, declared in self.figures.reasons[:MOST_REASONS]
        )

    def oem_reasons(self) -> Table:
        """Reasons of the OEM's own: the month's defeats, and where dealers show clearly too many."""
        found = [problem for one in self.figures.dealers for problem in one.plan.not_fixable]
        rows = []
        for code, used, _ in self.figures.reasons:
            entry = catalogue().get(code)
            if entry is None or not entry.owners[0].value.startswith("oem_") or not used:
                continue
            here = [problem for problem in found if problem.reason == code]
            deals = sum(problem.deals_at_stake for problem in here)
            rows.append(
                (
                    self.words.reason(code),
                    self.words.reason_owner(code),
                    self.f.number(used),
                    self.f.number(len({problem.dealer_id for problem in here})),
                    self.f.number(deals, 1) if here else "–",
                )
            )
        return tuple(rows)

    def regions(self) -> tuple[RegionPart, ...]:
        return tuple(self.region(number, one) for number, one in enumerate(self.figures.regions, 1))

    def region(self, number: int, region: RegionFigures) -> RegionPart:
        here = [one for one in self.figures.dealers if one.region_id == region.region_id]
        mend = [one for one in here if one.plan.kind in TO_MEND]
        late = sum(one.plan.region_id == region.region_id for one in self.figures.late)
        ranked = sorted(mend, key=lambda one: (-_deals(one.plan), one.plan.dealer_id))
        return RegionPart(
            anchor=f"region-{number}",
            name=region.name,
            figures=(
                self.f.number(region.closed),
                self.f.number(region.won),
                self.f.percent(region.close_rate),
                self.f.percent(region.previous),
                self.f.number(len(here)),
                self.f.number(len(mend)),
                self.f.number(sum(_deals(one.plan) for one in mend), 1),
                self.f.number(late),
            ),
            dealers=tuple(self.line(one) for one in ranked),
        )

    def line(self, one: DealerFacts) -> DealerLine:
        plan, deals = one.plan, _deals(one.plan)
        gate = one.gate.label(self.locale) if one.gate else ""
        return DealerLine(
            link=one.link,
            name=one.name,
            dealer_id=plan.dealer_id,
            kind=plan.kind.value,
            kind_label=plan.kind.label(self.locale),
            state=plan.state.label(self.locale),
            problem=self.status(plan),
            deals=self.f.number(deals, 1) if plan.kind in WITH_MEASURES else "–",
            quality=f"{self.f.number(one.score, 1)} {gate}".strip(),
        )

    def status(self, plan: Plan) -> str:
        """The first problem, or in a few words why there is none to mend."""
        if plan.kind in WITH_MEASURES:
            return self.words.problem(plan.problems[0])
        if plan.kind is PlanKind.DATA:
            return self.t("dealers.data")
        if plan.note == HELD_BACK:
            return self.t("dealers.held_back", problem=self.words.problem(plan.problems[0]))
        if plan.problems:
            return self.t("dealers.under_way", problem=self.words.problem(plan.problems[0]))
        if plan.not_fixable:
            return self.t("dealers.oem_only")
        return self.t("dealers.nothing" if plan.note == "plan_note.nothing_abnormal" else "dealers.too_few")

    def gates(self) -> str:
        def count(gate: Gate) -> str:
            return self.f.number(sum(one.gate is gate for one in self.figures.dealers))

        return self.t("gates.text", passed=count(Gate.PASS), warned=count(Gate.WARN), failed=count(Gate.FAIL))

    def keep(self) -> tuple[tuple[str, DealerLine], ...]:
        names = {region.region_id: region.name for region in self.figures.regions}
        quiet = [one for one in self.figures.dealers if one.plan.kind not in TO_MEND]
        return tuple((names.get(one.region_id, one.region_id), self.line(one)) for one in quiet)


def _deals(plan: Plan) -> float:
    """The deals a plan is about; none where nothing new is to be done."""
    return sum(problem.deals_at_stake for problem in plan.problems) if plan.kind in WITH_MEASURES else 0.0


def national_page(cycle: Cycle, figures: NationalFigures, locale: str) -> NationalPage:
    """The overview of ``cycle`` in ``locale``."""
    page = _Builder(cycle, figures, locale)
    f, t, words = page.f, page.t, page.words
    names = {one.plan.dealer_id: one.name for one in figures.dealers}
    left = len(figures.late) - MOST_LATE
    return NationalPage(
        locale=locale,
        title=t("title", cycle=f.month(cycle.name)),
        cycle=f.month(cycle.name),
        months=len(figures.months),
        as_of=t("as_of", day=f.day(cycle.as_of), version=figures.version),
        headline=page.headline(),
        failures=tuple(
            (one.dealer_id, names.get(one.dealer_id, ""), text(one.key, locale, **one.params))
            for one in figures.failures
        ),
        tiles=page.tiles(),
        commentary=tuple(commentary(figures.commentary, locale, said={"level"})),  # tiles and headline say it
        commentary_note=text("commentary.note", locale, q=f"{commentary_rules().q_value:g}"),
        trend=figures.trend,
        loop=page.loop(),
        late=page.late(),
        late_more=t("late.more", count=left) if left > 0 else "",
        verdicts=page.shares([(one.label(locale), figures.verdicts.get(one, 0)) for one in DefeatVerdict]),
        destinations=page.shares([(one.label(locale), figures.destinations.get(one, 0)) for one in Destination]),
        reasons=page.reasons(),
        oem_reasons=page.oem_reasons(),
        competitors=tuple(
            (
                line.series,
                line.brand or t("competitors.unknown"),
                f.number(line.defeats),
                f.number(line.previous),
                f.words([words.reason(code) for code in line.reasons]),
            )
            for line in figures.competitors[:MOST_COMPETITORS]
        ),
        gates=page.gates(),
        unassigned=t("gates.unassigned", rows=f.number(figures.unassigned)) if figures.unassigned else "",
        regions=page.regions(),
        keep=page.keep(),
        rows=tuple(
            (contract().tables[row[0]].label.text(locale), *(f.number(count) for count in row[1:]))
            for row in figures.rows
        ),
        missing=tuple(
            t("lacking", what=text(f"filter.lacking.{name}", locale), filings=f.number(count))
            for name, count in figures.lacking.items()
        ),
        commands=tuple(f"rematch export {what} --cycle {cycle.name} --out {what}.csv" for what in EXPORTS),
    )
