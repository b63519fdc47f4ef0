"""The report to the OEM's product, pricing and supply teams: what dealers cannot fix, per series (domain.md 2, 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models.catalogue.commentary import commentary_rules
from models.catalogue.playbook import playbook
from models.messages import text
from models.notes import Note
from reports.commentary import Share
from reports.note_words import quoted
from reports.words import Words

MOST_LINES = 20


@dataclass(frozen=True)
class ProductLine:
    """A series and a reason of the OEM's own over the window.

    ``share``: defeats among leads closed, with its 90 % interval (rates 0-1); ``others``: the same of all other series;
    ``gap``: the difference in points with its 90 % interval, None without other series; ``split``: positioned high
    among the price defeats of the series, by the figures.
    """

    series: str
    reason: str
    owner: str  # models.enums.OwnerRole
    share: Share
    lo90: float
    hi90: float
    others: Share
    gap: tuple[float, float, float] | None
    q_value: float | None
    dealers: int
    to_competitors: int
    competitors: tuple[tuple[str, int], ...]
    split: Share | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class ProductFigures:
    """What the report shows; ``refused``: what is wrong with files of notes that were left out, per locale."""

    cycle: str
    months: tuple[str, ...]
    as_of: datetime
    version: str
    lines: Sequence[ProductLine]
    refused: Sequence[tuple[str, dict[str, object]]] = ()


@dataclass(frozen=True)
class Row:
    """A line in words."""

    series: str
    reason: str
    defeats: str
    share: str
    others: str
    gap: str
    chance: bool
    dealers: str
    competitors: str
    split: str


@dataclass(frozen=True)
class Part:
    """One team's list."""

    title: str
    use: str
    rows: tuple[Row, ...]
    more: str
    notes: tuple[tuple[str, str], ...]  # about, text


@dataclass(frozen=True)
class ProductPage:
    """Everything on the page, in words of one language."""

    locale: str
    title: str
    as_of: str
    headline: str
    parts: tuple[Part, ...]
    refused: tuple[str, ...]


class _Builder:
    def __init__(self, figures: ProductFigures, locale: str) -> None:
        self.figures, self.locale = figures, locale
        self.words = Words(locale)
        self.f = self.words.f

    def t(self, key: str, **params: object) -> str:
        return text(f"product_page.{key}", self.locale, **params)

    def parts(self) -> tuple[Part, ...]:
        lists = playbook().oem_lists.values()
        ranked = sorted(self.figures.lines, key=lambda line: not self.high(line))  # then as in the result
        found = ((one, [line for line in ranked if line.owner == one.owner_role]) for one in lists)
        return tuple(
            Part(
                title=one.title.text(self.locale),
                use=one.use.text(self.locale),
                rows=tuple(self.row(line) for line in lines[:MOST_LINES]),
                more=self.t("more", count=len(lines) - MOST_LINES) if len(lines) > MOST_LINES else "",
                notes=self.notes(lines[:MOST_LINES]),
            )
            for one, lines in found
        )

    def row(self, line: ProductLine) -> Row:
        f, chance = self.f, self.chance(line)
        gap = f.missing
        if line.gap is not None:
            points, interval = f.points(line.gap[0]), f.interval(*line.gap[1:])
            gap = self.t("gap_chance" if chance else "gap", points=points, interval=interval)
        return Row(
            series=line.series,
            reason=self.words.reason(line.reason),
            defeats=self.counted(line.share),
            share=self.t(
                "share",
                share=f.percent(line.share.cases / line.share.of),
                low=f.percent(line.lo90),
                high=f.percent(line.hi90),
            ),
            others=f.percent(line.others.cases / line.others.of) if line.others.of else f.missing,
            gap=gap,
            chance=chance,
            dealers=f.number(line.dealers),
            competitors=self.competitors(line),
            split=self.split(line),
        )

    def chance(self, line: ProductLine) -> bool:
        """Whether chance explains that a series differs from the others, or nothing can be told."""
        sure = line.q_value is not None and line.q_value <= commentary_rules().q_value
        return line.gap is None or line.gap[1] <= 0 <= line.gap[2] or not sure

    def high(self, line: ProductLine) -> bool:
        """Whether a series loses more for the reason than the others, beyond chance."""
        return line.gap is not None and line.gap[0] > 0 and not self.chance(line)

    def counted(self, share: Share) -> str:
        return self.t("counted", cases=self.f.number(share.cases), of=self.f.number(share.of))

    def competitors(self, line: ProductLine) -> str:
        if not line.competitors:
            return "–"
        brands = [self.t("brand", brand=brand, defeats=self.f.number(count)) for brand, count in line.competitors]
        return self.t("to", brands=self.f.words(brands), count=self.f.number(line.to_competitors))

    def split(self, line: ProductLine) -> str:
        if line.split is None or not line.split.of:
            return ""
        rate = self.f.percent(line.split.cases / line.split.of)
        return self.t("split", rate=rate, counted=self.counted(line.split))

    def notes(self, lines: Sequence[ProductLine]) -> tuple[tuple[str, str], ...]:
        every = dict.fromkeys(note for line in lines for note in line.notes)
        return quoted(every, self.words)


def product_page(figures: ProductFigures, locale: str) -> ProductPage:
    """The report in ``locale``."""
    page = _Builder(figures, locale)
    f, t = page.f, page.t
    high = [line for line in figures.lines if page.high(line)]
    defeats = sum(line.share.cases for line in figures.lines)
    return ProductPage(
        locale=locale,
        title=t("title", cycle=f.month(figures.cycle)),
        as_of=text("national_page.as_of", locale, day=f.day(figures.as_of), version=figures.version),
        headline=t("headline", months=f.months(figures.months), defeats=f.number(defeats), high=f.number(len(high))),
        parts=page.parts(),
        refused=tuple(text(key, locale, **params) for key, params in figures.refused),
    )
