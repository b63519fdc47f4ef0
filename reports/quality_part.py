"""A dealer's data quality in words: the score, which rules cost most, and how to mend what they found."""

from __future__ import annotations

from dataclasses import dataclass

from models.enums import Severity
from models.messages import text
from reports.figures import Quality
from reports.quality_words import column_label, how_to_mend, rule_title, table_label
from reports.words import Words

MOST_RULES = 10


@dataclass(frozen=True)
class LossView:
    """A rule that cost points: where, how often, and how to mend it."""

    table: str
    rule: str
    columns: str
    failed: str
    points: str
    mend: str
    code: str


@dataclass(frozen=True)
class RowView:
    """A row that broke a rule."""

    table: str
    file: str
    row: int | None
    key: str
    column: str
    rule: str
    severity: str


@dataclass(frozen=True)
class QualityView:
    """The quality part of a page; ``every_loss`` and ``rows`` are for the workbook."""

    summary: str
    losses: tuple[LossView, ...]
    every_loss: tuple[LossView, ...]
    others: str  # what the list leaves out
    rows: tuple[RowView, ...]
    rows_note: str


def quality_view(quality: Quality, words: Words) -> QualityView:
    """``quality`` in words; the rules that cost most first, ``MOST_RULES`` at most."""
    f, locale = words.f, words.locale
    summary = text(
        "quality_part.summary",
        locale,
        score=f.number(quality.score, 1),
        rows=f.number(quality.rows),
        set_apart=f.number(quality.set_apart),
    )
    left = quality.losses[MOST_RULES:]
    others = text(
        "quality_part.others",
        locale,
        rules=len(left),
        points=f.number(sum(one.points for one in left), 1),
    )
    every = tuple(
        LossView(
            table=table_label(one.table, locale),
            rule=rule_title(one.rule, locale),
            columns=f.words([column_label(one.table, name, locale) for name in one.columns]),
            failed=text("quality_part.failed", locale, failed=f.number(one.failed), rows=f.number(one.rows)),
            points=f.number(one.points, 1),
            mend=how_to_mend(one.rule, locale, one.columns) or text("quality_part.mend", locale),
            code=one.rule,
        )
        for one in quality.losses
    )
    rows = tuple(
        RowView(
            table=table_label(one.table, locale),
            file=one.file,
            row=one.row,
            key=one.key,
            column=column_label(one.table, one.column, locale),
            rule=rule_title(one.rule, locale),
            severity=Severity(one.severity).label(locale),
        )
        for one in quality.rejected
    )
    total = f.number(quality.rejected_total)
    return QualityView(
        summary=summary,
        losses=every[:MOST_RULES],
        every_loss=every,
        others=others if left else "",
        rows=rows,
        rows_note=text("quality_part.rows", locale, shown=f.number(len(rows)), total=total),
    )
