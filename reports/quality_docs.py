"""The Data Docs pages: every check of a scope with verdict, denominator, share, trend and first finding; static."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models.catalogue.contract import contract
from models.enums import Gate, Severity
from models.messages import text
from reports.formats import Formatter
from reports.quality_page import rule_words

_STYLE = {"passed": "good", "failed": "bad", "error": "bad", "not_checked": ""}
_GATE_STYLE = {Gate.PASS: "good", Gate.WARN: "warn", Gate.FAIL: "bad"}
_OUTCOMES = ("passed", "failed", "not_checked", "error")


@dataclass(frozen=True)
class CheckLine:
    """One check of a scope; shares 0-1, None without a denominator; ``first_seen``: a cycle or ""."""

    table: str
    rule: str
    column: str
    severity: Severity
    outcome: str
    note: str
    checked: int
    failed: int
    share: float | None
    share_before: float | None
    first_seen: str


@dataclass(frozen=True)
class RegionLine:
    """A region on the nation's page: dealers by gate, median score."""

    name: str
    link: str
    gates: tuple[tuple[Gate, int], ...]
    median: float | None


@dataclass(frozen=True)
class DealerScoreLine:
    """A dealer on its region's page; ``link`` to its quality page, "" without one."""

    name: str
    link: str
    score: float | None
    gate: Gate
    rows: int
    apart: int


@dataclass(frozen=True)
class DocsFacts:
    """What a page of the Data Docs shows; ``scope``: a region's name, "" for the nation."""

    scope: str
    cycle: str
    as_of: datetime
    version: str
    checks: Sequence[CheckLine]
    regions: Sequence[RegionLine] = ()
    dealers: Sequence[DealerScoreLine] = ()


@dataclass(frozen=True)
class CheckView:
    """A check in words."""

    what: str
    severity: str
    verdict: str
    style: str
    checked: str
    failed: str
    share: str
    trend: str
    trend_style: str
    first_seen: str


@dataclass(frozen=True)
class DocsPage:
    """A page of the Data Docs in words of ``locale``; ``sections``: anchor, table's label, failed checks, checks."""

    locale: str
    title: str
    headline: str
    note: str
    nation: bool
    sections: tuple[tuple[str, str, int, tuple[CheckView, ...]], ...]
    regions: tuple[tuple[str, str, tuple[str, ...], str], ...]  # link, name, dealers per gate, median
    dealers: tuple[tuple[str, str, str, str, str, str, str], ...]  # link, name, score, gate, its style, rows, apart


def _check(line: CheckLine, cycle: str, locale: str) -> CheckView:
    f = Formatter(locale)
    change = None if line.share is None or line.share_before is None else 100 * (line.share - line.share_before)
    known = line.outcome in ("passed", "failed")
    verdict = text(f"enum.CheckOutcome.{line.outcome}", locale)
    if line.note == "reading":
        verdict += f" · {text('quality_docs.reading', locale)}"
    elif line.note:
        verdict = text(f"quality.note.{line.note}", locale)
    first = f.month(line.first_seen) if line.first_seen else ""
    return CheckView(
        what=rule_words(line.table, line.rule, (line.column,), locale),
        severity=line.severity.label(locale),
        verdict=verdict,
        style=_STYLE[line.outcome],
        checked=f.number(line.checked) if known else "",
        failed=f.number(line.failed) if known else "",
        share=f.percent(line.share, 2) if known and line.share is not None else "",
        trend=f.points(change, 2) if change else "",  # unchanged checks stay quiet
        trend_style="" if change is None or abs(change) < 0.005 else "bad" if change > 0 else "good",
        first_seen=text("quality_docs.new", locale) if first and line.first_seen == cycle else first,
    )


def docs_page(facts: DocsFacts, locale: str) -> DocsPage:
    """The Data Docs of a scope in ``locale``; failed checks first in every table."""
    f = Formatter(locale)
    order = {"error": 0, "failed": 1, "passed": 2, "not_checked": 3}
    sections = []
    for name, table in contract().tables.items():
        mine = sorted(
            (line for line in facts.checks if line.table == name),
            key=lambda line: (order[line.outcome], list(Severity).index(line.severity), -(line.share or 0.0)),
        )
        if mine:
            failed = sum(line.outcome in ("failed", "error") for line in mine)
            views = tuple(_check(line, facts.cycle, locale) for line in mine)
            sections.append((name, table.label.text(locale), failed, views))
    counts = {outcome: sum(line.outcome == outcome for line in facts.checks) for outcome in _OUTCOMES}
    scope = facts.scope or text("quality_docs.nation", locale)
    return DocsPage(
        locale=locale,
        title=text("quality_docs.title", locale, scope=scope, cycle=f.month(facts.cycle)),
        headline=text("quality_docs.headline", locale, asked=len(facts.checks), **counts),
        note=text("quality_docs.note", locale, day=f.day(facts.as_of), version=facts.version),
        nation=not facts.scope,
        sections=tuple(sections),
        regions=tuple(
            (line.link, line.name, tuple(f.number(count) for _, count in line.gates), f.number(line.median, 1))
            for line in facts.regions
        ),
        dealers=tuple(
            (
                *(line.link, line.name, f.number(line.score, 1), line.gate.label(locale), _GATE_STYLE[line.gate]),
                *(f.number(line.rows), f.number(line.apart)),
            )
            for line in facts.dealers
        ),
    )
