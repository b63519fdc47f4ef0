"""The OEM's overview of a cycle: where the nation stands, which dealers got which plan, what dealers cannot fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.catalogue.contract import contract
from models.catalogue.indicators import indicators
from models.catalogue.reasons import catalogue
from models.enums import DefeatVerdict, Destination, EffectVerdict, Gate, PlanKind, PlanState
from models.facts import Cycle
from models.messages import text
from reports.formats import Formatter
from reports.plan_page import Bar, Figure

SHOWN = ("close_rate", "defeat_rate_filed", "defeat_rate_filtered", "lead_to_visit", "visit_to_test_drive")


@dataclass(frozen=True)
class RegionFigures:
    """A region's line: leads closed, won, close rate, what its mix of customers would give in the nation."""

    region_id: str
    name: str
    closed: int
    won: int
    close_rate: float | None
    previous: float | None


@dataclass(frozen=True)
class DealerLine:
    """A dealer's line; ``link`` leads to its plan page, relative to the overview."""

    dealer_id: str
    name: str
    region: str
    kind: PlanKind
    state: PlanState
    problem: str  # title of the first problem, empty when there is none
    deals: float
    gate: Gate | None
    score: float | None
    link: str


@dataclass(frozen=True)
class CompetitorLine:
    """Defeats of a series to a competitor brand, this and last period, with the main reasons (001's table)."""

    series: str
    brand: str
    defeats: int
    previous: int | None
    reasons: tuple[str, ...]  # codes


@dataclass(frozen=True)
class NationalFigures:
    """What the overview shows; counts of the cycle's month."""

    nation: Mapping[str, Figure]
    verdicts: Mapping[DefeatVerdict, int]
    destinations: Mapping[Destination, int]
    reasons: Sequence[tuple[str, int, int]]  # code, used, declared
    regions: Sequence[RegionFigures]
    dealers: Sequence[DealerLine]
    competitors: Sequence[CompetitorLine]
    effects: Mapping[EffectVerdict, int]
    not_executed: int
    rows: Sequence[tuple[str, int, int, int, int, int]]  # table, in, accepted, quarantined, held, duplicate
    failures: Sequence[str]  # sentences about dealers and files that failed
    missing: Sequence[str]  # sentences about what the source does not have
    trend: tuple[tuple[str, float | None, float | None], ...]  # month, close rate, defeat rate after filter


@dataclass(frozen=True)
class NationalPage:
    """Everything on the overview, in words of one language."""

    locale: str
    title: str
    cycle: str
    as_of: str
    headline: str
    summary: tuple[tuple[str, str], ...]
    trend: tuple[tuple[str, float | None, float | None], ...]
    verdicts: tuple[tuple[str, str, str], ...]
    destinations: tuple[Bar, ...]
    reasons: tuple[tuple[str, str, str, str], ...]
    oem_reasons: tuple[tuple[str, str, str], ...]
    regions: tuple[tuple[str, str, str, str, str], ...]
    dealers: tuple[tuple[str, str, str, str, str, str, str, str], ...]
    competitors: tuple[tuple[str, str, str, str, str], ...]
    effects: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, ...], ...]
    failures: tuple[str, ...]
    missing: tuple[str, ...]


class _Builder:
    def __init__(self, cycle: Cycle, figures: NationalFigures, locale: str) -> None:
        self.cycle, self.figures, self.locale, self.f = cycle, figures, locale, Formatter(locale)

    def t(self, key: str, **params: object) -> str:
        return text(f"national_page.{key}", self.locale, **params)

    def reason(self, code: str) -> str:
        entry = catalogue().get(code)
        return entry.label.text(self.locale) if entry else code

    def headline(self) -> str:
        plans = [line for line in self.figures.dealers if line.kind in (PlanKind.RECTIFY, PlanKind.COACHING)]
        close = self.figures.nation.get("close_rate")
        return self.t(
            "headline",
            close=self.f.percent(close.value if close else None),
            plans=len(plans),
            dealers=len(self.figures.dealers),
            deals=self.f.number(sum(line.deals for line in plans), 0),
        )

    def summary(self) -> tuple[tuple[str, str], ...]:
        close = self.figures.nation.get("close_rate")
        rows = [
            (self.t("summary.closed"), self.f.number(close.denominator if close else None)),
            (self.t("summary.won"), self.f.number(close.numerator if close else None)),
        ]
        for code in SHOWN:
            figure = self.figures.nation.get(code)
            label = indicators().indicators[code].label.text(self.locale)
            rows.append((label, self.f.value(figure.value if figure else None, indicators().indicators[code].unit)))
        return tuple(rows)

    def verdicts(self) -> tuple[tuple[str, str, str], ...]:
        total = sum(self.figures.verdicts.values())
        return tuple(
            (
                verdict.label(self.locale),
                self.f.number(self.figures.verdicts.get(verdict, 0)),
                self.f.percent(self.figures.verdicts.get(verdict, 0) / total if total else None),
            )
            for verdict in DefeatVerdict
        )

    def destinations(self) -> tuple[Bar, ...]:
        total = sum(self.figures.destinations.values())
        counts = [(word, self.figures.destinations.get(word, 0)) for word in Destination]
        return tuple(
            Bar(word.label(self.locale), self.f.percent(count / total), "", count / total, 0.0, str(count), False)
            for word, count in counts
            if total
        )

    def reasons(self) -> tuple[tuple[str, str, str, str], ...]:
        return tuple(
            (
                self.reason(code),
                catalogue()[code].owners[0].label(self.locale) if code in catalogue() else "",
                self.f.number(used),
                self.f.number(declared),
            )
            for code, used, declared in self.figures.reasons[:12]
        )

    def oem_reasons(self) -> tuple[tuple[str, str, str], ...]:
        entries = ((catalogue().get(code), used) for code, used, _ in self.figures.reasons)
        return tuple(
            (entry.label.text(self.locale), entry.owners[0].label(self.locale), self.f.number(used))
            for entry, used in entries
            if entry is not None and entry.owners[0].value.startswith("oem_") and used
        )

    def dealers(self) -> tuple[tuple[str, str, str, str, str, str, str, str], ...]:
        ranked = sorted(self.figures.dealers, key=lambda line: (-line.deals, line.dealer_id))
        return tuple(
            (
                line.link,
                f"{line.name} ({line.dealer_id})",
                line.region,
                line.kind.label(self.locale),
                line.state.label(self.locale),
                line.problem or "-",
                self.f.number(line.deals, 1) if line.deals else "-",
                f"{self.f.number(line.score, 0)} {line.gate.label(self.locale) if line.gate else ''}".strip(),
            )
            for line in ranked
        )


def national_page(cycle: Cycle, figures: NationalFigures, locale: str) -> NationalPage:
    """The overview of ``cycle`` in ``locale``."""
    words = _Builder(cycle, figures, locale)
    f = words.f
    return NationalPage(
        locale=locale,
        title=words.t("title", cycle=f.month(cycle.name)),
        cycle=f.month(cycle.name),
        as_of=words.t("as_of", day=f.day(cycle.as_of)),
        headline=words.headline(),
        summary=words.summary(),
        trend=figures.trend,
        verdicts=words.verdicts(),
        destinations=words.destinations(),
        reasons=words.reasons(),
        oem_reasons=words.oem_reasons(),
        regions=tuple(
            (
                region.name,
                f.number(region.closed),
                f.number(region.won),
                f.percent(region.close_rate),
                f.percent(region.previous),
            )
            for region in figures.regions
        ),
        dealers=words.dealers(),
        competitors=tuple(
            (
                line.series,
                line.brand,
                f.number(line.defeats),
                f.number(line.previous),
                f.words([words.reason(code) for code in line.reasons]),
            )
            for line in figures.competitors
        ),
        effects=(
            *((verdict.label(locale), f.number(figures.effects.get(verdict, 0))) for verdict in EffectVerdict),
            (words.t("effects.not_executed"), f.number(figures.not_executed)),
        ),
        rows=tuple(
            (contract().tables[row[0]].label.text(locale), *(f.number(count) for count in row[1:]))
            for row in figures.rows
        ),
        failures=tuple(figures.failures),
        missing=tuple(figures.missing),
    )
