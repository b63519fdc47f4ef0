"""The analysis of a scope (domain.md section 8): figures of nation, region, dealer, series or scene as a page."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from models.catalogue.commentary import DIFFERENCES, commentary_rules
from models.catalogue.indicators import Group, indicators
from models.enums import Gate
from models.messages import text
from reports.analysis_figures import Counted, Kind, ScopeFigures
from reports.analysis_sections import Section, Table, sections
from reports.analysis_words import AnalysisWords
from reports.charts.rows import CLOSE_RATE
from reports.commentary import commentary, sentences
from reports.comparing import standing
from reports.plan_page import Tile

#: Sentences of the commentary that headline, tiles or findings say already.
SAID = frozenset({"level", "close_rate_peers", "reason_peers", "region", "filter"})
EXPORTS = ("indicators", "reasons", "defeats", "price_split", "competitors", "profile")


@dataclass(frozen=True)
class AnalysisPage:
    """Everything on the page of one scope, in words of one language."""

    locale: str
    title: str
    meta: str
    headline: str
    findings: tuple[str, ...]
    changes: tuple[str, ...]
    changes_note: str
    warning: str
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    basis: str
    commands: tuple[str, ...]
    around: tuple[tuple[str, str], ...]  # name, address of the pages beside it


class _Builder:
    def __init__(self, figures: ScopeFigures, locale: str) -> None:
        self.figures, self.locale = figures, locale
        self.words = AnalysisWords(locale)
        self.f = self.words.f

    def t(self, key: str, **params: object) -> str:
        return self.words.page(key, **params)

    def headline(self) -> str:
        figures, months = self.figures, self.f.months(self.figures.months)
        close = next((one for one in figures.funnel if one.indicator == CLOSE_RATE), None)
        if not figures.leads or close is None:
            return self.t("headline.nothing", months=months)
        if figures.lost_only:
            return self.t("headline.lost", months=months, count=self.f.number(figures.leads))
        said = self.t(
            "headline.close",
            months=months,
            leads=self.f.number(close.denominator),
            won=self.f.number(close.numerator),
            rate=self.f.percent(close.value),
        )
        if close.expected is None or not close.enough:
            return said + (self.t("headline.unjudged", why=text(close.missing, self.locale)) if close.missing else "")
        return said + self.t(
            "headline.beside_peers" if figures.kind is Kind.DEALER else "headline.beside",
            beside=self.words.beside(figures.kind),
            expected=self.f.percent(close.expected),
            gap=self.f.points(close.gap_points),
            interval=self.f.interval(close.lo90, close.hi90),
            verdict=self.t(f"standing.{standing(close)}"),
        )

    def tiles(self) -> tuple[Tile, ...]:
        month = self.figures.month
        if month is None:
            return ()
        f, defeats = self.f, self.figures.defeats
        tiles = [Tile(self.t("tile.closed", cycle=f.month(month.name)), f.number(month.own.of))]
        if not self.figures.lost_only:
            before = self.t(
                "tile.before", previous=f.percent(self.figures.previous), last_year=f.percent(month.last_year.rate)
            )
            tiles.append(Tile(self.t("tile.close_rate"), f.percent(month.own.rate), before))
        told = [f.number(defeats.verdicts.get(word, 0)) for word in defeats.verdicts]
        checked = self.t("tile.checked", **dict(zip(("true", "quasi", "false"), told, strict=True))) if told else ""
        tiles.append(Tile(self.t("tile.filed"), f.number(defeats.filed), checked))
        if self.figures.score is not None and self.figures.gate is not None:
            tiles.append(
                Tile(self.t("tile.score"), f.number(self.figures.score, 1), self.figures.gate.label(self.locale))
            )
        return tuple(tiles)

    def changes(self) -> tuple[tuple[str, ...], str]:
        """What changed against the month before and the year before beyond chance; by which rule it was told."""
        facts = self.figures.commentary
        if facts is None:
            return (), ""
        told, rules = commentary(facts, self.locale, SAID), commentary_rules()
        if {one.name for one in sentences(facts, rules)} & set(DIFFERENCES) - SAID:
            return tuple(told), text("commentary.note", self.locale, q=f"{rules.q_value:g}")
        return (self.t("changes.none"), *told), ""

    def not_computed(self) -> str:
        """Which groups of indicators have entries without data, and what they lack; on the nation's page."""
        lacking: dict[Group, list[str]] = {}
        for one in indicators().indicators.values():
            if not one.computed and one.needs is not None and self.figures.kind is Kind.NATION:
                lacking.setdefault(one.group, []).append(one.needs.text(self.locale))
        groups = [
            self.t(
                "not_computed.group",
                group=text(f"indicators.group.{group}", self.locale),
                count=len(needs),
                needs=self.f.words(tuple(dict.fromkeys(needs))),
            )
            for group, needs in lacking.items()
        ]
        return self.t("not_computed.line", groups=self.t("scene.joined").join(groups)) if groups else ""

    def warning(self) -> str:
        if self.figures.gate is None or self.figures.gate is Gate.PASS:
            return ""
        key = "warning.fail" if self.figures.gate is Gate.FAIL else "warning.warn"
        return self.t(key, score=self.f.number(self.figures.score, 1))

    def notes(self) -> tuple[str, ...]:
        found = []
        for note in self.figures.notes:
            params = dict(note.params)
            if "what" in params:
                params["what"] = text(str(params["what"]), self.locale)
            found.append(self.t("notes.line", note=text(note.key, self.locale, **params)))
        lacking = self.not_computed()
        return (*found, lacking) if lacking else tuple(found)

    def commands(self) -> tuple[str, ...]:
        figures = self.figures
        dealer = f" --dealer {shlex.quote(figures.scope_id)}" if figures.kind is Kind.DEALER else ""
        return tuple(f"rematch export {what} --cycle {figures.cycle}{dealer} --out {what}.csv" for what in EXPORTS)


@dataclass(frozen=True)
class Leaf:
    """A page further down: its name, its address, leads won of those closed; not ``rated``: of lost leads only."""

    name: str
    link: str
    close: Counted
    rated: bool = True


def leaves(kind: str, listed: Sequence[Leaf], words: AnalysisWords) -> Section:
    """The pages further down as a section: ``kind`` names what they are of."""
    f, head = words.f, tuple(words.page(f"index.{name}") for name in ("name", "leads", "rate"))
    rows = tuple((one.name, f.number(one.close.of), f.percent(one.close.rate) if one.rated else "–") for one in listed)
    table = Table(head, rows, (1, 2), links=tuple(one.link for one in listed))
    return Section(f"by-{kind}", words.page(f"index.{kind}"), tables=(table,))


def analysis_page(
    figures: ScopeFigures,
    locale: str,
    around: Sequence[tuple[str, str]] = (),
    further: Sequence[tuple[str, Sequence[Leaf]]] = (),
) -> AnalysisPage:
    """The page of a scope in ``locale``.

    ``around``: names and addresses of the pages beside it; ``further``: pages further down by what they are of.
    """
    page = _Builder(figures, locale)
    parts = (
        *sections(figures, page.words),
        *(leaves(kind, listed, page.words) for kind, listed in further if listed),
    )
    f, (changes, changes_note) = page.f, page.changes()
    return AnalysisPage(
        locale=locale,
        title=page.t(f"title.{figures.kind}", name=figures.name, cycle=f.month(figures.cycle)),
        meta=page.words.meta(figures),
        headline=page.headline(),
        findings=tuple(part.finding for part in parts if part.finding),
        changes=changes,
        changes_note=changes_note,
        warning=page.warning(),
        tiles=page.tiles(),
        sections=parts,
        notes=page.notes(),
        basis=page.t(
            "basis.text",
            cycle=f.month(figures.cycle),
            months=f.months(figures.months),
            as_of=f.day(figures.as_of),
            version=figures.version,
        ),
        commands=page.commands(),
        around=tuple(around),
    )
