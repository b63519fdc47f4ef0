"""A dealer's quality page: the score and what it lost to what, what to mend first, what to check, what was corrected.

Two minutes' reading, nothing personal: ids, counts and rules in words only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from models.enums import Gate
from models.messages import text
from reports.formats import Formatter
from reports.quality_signs import NotTested, Sign, SignsView, signs_view
from reports.quality_words import SIGNALS, how_to_mend, rule_words, table_label

FIRST = 5  # problems named under "mend first"
TREND_CYCLES = 12
DIMENSIONS = ("completeness", "validity", "consistency", "uniqueness", "timeliness", "authenticity")


@dataclass(frozen=True)
class Loss:
    """Points one rule cost: ``failed`` of ``rows`` rows of ``table``; ``columns`` it is about, ids of a few rows."""

    table: str
    rule: str
    dimension: str
    columns: tuple[str, ...]
    failed: int
    rows: int
    points: float
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrendPoint:
    """A cycle's score beside the network's median; None where there is none."""

    cycle: str
    score: float | None
    median: float | None


@dataclass(frozen=True)
class Corrected:
    """One returned workbook: when (local), by whom, rows and cells corrected, rows that still failed."""

    at: datetime
    actor: str
    rows: int
    cells: int
    wrong: int


@dataclass(frozen=True)
class DealerQuality:
    """What the page shows of one dealer in one cycle; ``losses``: most points first, ``new``: not failing last cycle.

    ``mended``: rows that failed last cycle and no longer do (None without a last cycle); ``listed``: rows in the
    correction workbook; ``action_points``: points of a table all of whose rows fail, by what becomes of the row.
    ``most_by_signs``: points all signs together cost at most. ``signs``: flagged authenticity signals, ``untested``:
    those that could not be tested, each with the reason; ``docs``: the region's page of the Data Docs by language.
    """

    dealer_id: str
    name: str
    region: str
    cycle: str
    as_of: datetime
    score: float | None
    gate: Gate
    fail_below: float
    warn_below: float
    counts: Mapping[str, int]
    dimensions: Mapping[str, float | None]
    losses: tuple[Loss, ...]
    new: tuple[Loss, ...]
    mended: int | None
    corrections: tuple[Corrected, ...]
    trend: tuple[TrendPoint, ...]
    listed: int
    action_points: Mapping[str, float]
    table_weights: Mapping[str, float]
    most_by_signs: float
    signs: tuple[Sign, ...] = ()
    untested: tuple[NotTested, ...] = ()
    docs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MendView:
    """A problem to mend: what is checked, how many rows, what it costs, how to mend it."""

    title: str
    count: str
    cost: str
    how: str
    examples: str


@dataclass(frozen=True)
class PartView:
    """A part of the score: what is left of 100 and what was lost to what; ``width`` 0-1."""

    label: str
    score: str
    width: float
    lost: str
    why: str


@dataclass(frozen=True)
class TrendView:
    """The trend as a picture: points in a box of 100 x 100 (y down), limits, labels and the same in words."""

    own: str
    median: str
    labels: tuple[tuple[float, str], ...]
    fail_y: float
    warn_y: float
    last: tuple[float, float, str] | None
    words: str
    change: str
    limits: str


@dataclass(frozen=True)
class QualityPage:
    """Everything on a dealer's quality page, in words of ``locale``."""

    locale: str
    title: str
    dealer: str
    meta: str
    gate: str
    gate_label: str
    headline: str
    summary: tuple[tuple[str, str], ...]
    first: tuple[MendView, ...]
    signs: SignsView
    docs: str
    workbook: str
    workbook_note: str
    parts: tuple[PartView, ...]
    losses: tuple[tuple[str, str, str, str, str], ...]  # table, rule, part, failing of rows, points
    weights: str
    new: tuple[str, ...]
    corrected: tuple[str, ...]
    trend: TrendView | None
    basis: str


class _Builder:
    def __init__(self, quality: DealerQuality, locale: str) -> None:
        self.q, self.locale, self.f = quality, locale, Formatter(locale)

    def t(self, key: str, **params: object) -> str:
        return text(f"quality_page.{key}", self.locale, **params)

    def label(self, table: str) -> str:
        return table_label(table, self.locale)

    def rule(self, loss: Loss) -> str:
        return rule_words(loss.table, loss.rule, loss.columns, self.locale)

    def headline(self) -> str:
        q = self.q
        if q.score is None:
            return self.t("headline.none")
        limit = q.fail_below if q.gate is Gate.FAIL else q.warn_below
        told = self.t(f"headline.{q.gate.value}", score=self.f.number(q.score, 1), limit=self.f.number(limit))
        return told + (self.t("headline.signs", signs=len(q.signs)) if q.signs else "")

    def summary(self) -> tuple[tuple[str, str], ...]:
        shown = [(self.t("score"), self.f.number(self.q.score, 1))]
        names = ("rows", "accepted", "quarantined", "held", "warned")
        return (*shown, *((self.t(f"count.{name}"), self.f.number(self.q.counts[name])) for name in names))

    def first(self) -> tuple[MendView, ...]:
        return tuple(
            MendView(
                title=f"{self.label(loss.table)} · {self.rule(loss)}",
                count=self.t("failing_of", failed=self.f.number(loss.failed), rows=self.f.number(loss.rows)),
                cost=self.t("costs", points=self.f.number(loss.points, 1 if loss.points >= 0.05 else 2)),
                how=how_to_mend(loss.rule, self.locale, loss.columns),
                examples=self.t("examples", rows="  ".join(loss.examples)) if loss.examples else "",
            )
            for loss in [loss for loss in self.q.losses if loss.table != SIGNALS][:FIRST]
        )

    def parts(self) -> tuple[PartView, ...]:
        found = []
        for name in DIMENSIONS:
            left = self.q.dimensions[name]
            mine = [loss for loss in self.q.losses if loss.dimension == name]
            named = [
                self.rule(loss) if loss.table == SIGNALS else f"{self.label(loss.table)} {self.rule(loss)}"
                for loss in mine[:2]
            ]
            why = self.f.words(named)
            found.append(
                PartView(
                    label=text(f"enum.Dimension.{name}", self.locale),
                    score=self.t("not_checked") if left is None else self.f.number(left, 1),
                    width=0.0 if left is None else left / 100,
                    lost="" if left is None else self.f.number(-sum(loss.points for loss in mine), 1, signed=True),
                    why=why,
                )
            )
        return tuple(found)

    def losses(self) -> tuple[tuple[str, str, str, str, str], ...]:
        return tuple(
            (
                self.label(loss.table),
                self.rule(loss),
                text(f"enum.Dimension.{loss.dimension}", self.locale),
                self.t("rows_of", failed=self.f.number(loss.failed), rows=self.f.number(loss.rows)),
                self.f.number(-loss.points, 2),
            )
            for loss in self.q.losses
        )

    def weights(self) -> str:
        known = [name for name, points in self.q.action_points.items() if points > 0]
        actions = [self.t(f"action.{name}", points=self.f.number(self.q.action_points[name])) for name in known]
        tables = [f"{self.label(name)} ×{weight:g}" for name, weight in self.q.table_weights.items()]
        return self.t(
            "weights",
            actions=self.f.words(actions),
            tables=self.f.words(tables),
            most=self.f.number(self.q.most_by_signs),
        )

    def new(self) -> tuple[str, ...]:
        return tuple(
            self.t("new_line", table=self.label(loss.table), rule=self.rule(loss), rows=self.f.number(loss.failed))
            for loss in self.q.new
        )

    def corrected(self) -> tuple[str, ...]:
        lines = [self.t("mended", rows=self.f.number(self.q.mended))] if self.q.mended else []
        for each in self.q.corrections:
            when = f"{self.f.day(each.at)} {each.at:%H:%M}"
            counts = {"rows": each.rows, "cells": each.cells, "wrong": each.wrong}
            lines.append(self.t("corrected_line", when=when, actor=each.actor, **counts))
        return tuple(lines)

    def change(self, now: TrendPoint, before: TrendPoint) -> str:
        """The last two scores and the network's median in one sentence; empty without both scores."""
        if now.score is None or before.score is None:
            return ""
        figures = {"now": now.score, "before": before.score, "median": now.median}
        shown = {name: self.f.number(figure, 1) for name, figure in figures.items()}
        return self.t("change", **shown, change=self.f.number(now.score - before.score, 1, signed=True))

    def trend(self) -> TrendView | None:
        points = self.q.trend[-TREND_CYCLES:]
        if len(points) < 2:
            return None
        step = 100 / (len(points) - 1)
        marks = [(step * at, point) for at, point in enumerate(points)]
        own = [(x, 100 - point.score, point) for x, point in marks if point.score is not None]
        median = [(x, 100 - point.median) for x, point in marks if point.median is not None]
        words = [f"{self.f.month(point.cycle)} {self.f.number(point.score, 1)}" for point in points]
        chosen = {0, len(marks) // 2, len(marks) - 1}
        return TrendView(
            own=" ".join(f"{x:.1f},{y:.1f}" for x, y, _ in own),
            median=" ".join(f"{x:.1f},{y:.1f}" for x, y in median),
            labels=tuple((marks[at][0], self.f.month(marks[at][1].cycle)) for at in sorted(chosen)),
            fail_y=100 - self.q.fail_below,
            warn_y=100 - self.q.warn_below,
            last=(own[-1][0], own[-1][1], self.f.number(own[-1][2].score, 1)) if own else None,
            words=self.f.words(words),
            change=self.change(points[-1], points[-2]),
            limits=self.t("limits", warn=self.f.number(self.q.warn_below), fail=self.f.number(self.q.fail_below)),
        )


def quality_page(quality: DealerQuality, locale: str) -> QualityPage:
    """The quality page of a dealer in ``locale``."""
    words, f = _Builder(quality, locale), Formatter(locale)
    note = words.t("workbook.note", rows=f.number(quality.listed)) if quality.listed else words.t("workbook.none")
    return QualityPage(
        locale=locale,
        title=words.t("title", dealer=quality.name, cycle=f.month(quality.cycle)),
        dealer=quality.name,
        meta=f"{f.month(quality.cycle)} · {quality.region} · {quality.dealer_id}",
        gate={Gate.PASS: "good", Gate.WARN: "warn", Gate.FAIL: "bad"}[quality.gate],
        gate_label=text(f"enum.Gate.{quality.gate.value}", locale),
        headline=words.headline(),
        summary=words.summary(),
        first=words.first(),
        signs=signs_view(quality.signs, quality.untested, quality.cycle, locale),
        docs=quality.docs.get(locale, ""),
        workbook=f"corrections.{locale}.xlsx" if quality.listed else "",
        workbook_note=note,
        parts=words.parts(),
        losses=words.losses(),
        weights=words.weights(),
        new=words.new(),
        corrected=words.corrected(),
        trend=words.trend(),
        basis=words.t("basis", day=f.day(quality.as_of)),
    )
