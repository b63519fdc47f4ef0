"""The Data Docs pages: every check and sign of a scope with counts, trend, first finding and its dealers; static."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models.catalogue.contract import contract
from models.catalogue.signals import signals
from models.enums import Gate, Severity
from models.messages import text
from reports.formats import Formatter
from reports.quality_signs import NotTested, not_tested, too_few_rows
from reports.quality_words import rule_title, rule_words, table_label

_STYLE = {"passed": "good", "failed": "bad", "error": "bad", "not_checked": ""}
_GATE_STYLE = {Gate.PASS: "good", Gate.WARN: "warn", Gate.FAIL: "bad"}
_NOT_HELD = ("failed", "error")
_QUIET = 0.005  # percentage points; changes that round to nothing stay quiet
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
    """A region on the nation's page: dealers by gate, median score, dealers with a flagged signal."""

    name: str
    link: str
    gates: tuple[tuple[Gate, int], ...]
    median: float | None
    flagged: int


@dataclass(frozen=True)
class SignLine:
    """An authenticity signal in a scope: dealers ``tested``, flagged now with their ``rows``, flagged last cycle (None
    without one), flagged in both; ``first_seen``: a cycle or ""."""

    signal: str
    tested: int
    dealers: int
    rows: int
    before: int | None
    still: int
    first_seen: str


@dataclass(frozen=True)
class DealerScoreLine:
    """A dealer on its region's page; ``link`` to its quality page, "" without one; ``before``: last cycle's score,
    ``signs``: codes of its flagged signals."""

    name: str
    link: str
    score: float | None
    before: float | None
    gate: Gate
    rows: int
    apart: int
    signs: tuple[str, ...]


@dataclass(frozen=True)
class DocsFacts:
    """What a page of the Data Docs shows; ``scope``: a region's name, "" for the nation; ``untested``: signals that
    could be tested for nobody."""

    scope: str
    cycle: str
    as_of: datetime
    version: str
    checks: Sequence[CheckLine]
    regions: Sequence[RegionLine] = ()
    dealers: Sequence[DealerScoreLine] = ()
    signs: Sequence[SignLine] = ()
    untested: tuple[NotTested, ...] = ()


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
class SignView:
    """A signal of a scope in words and figures."""

    label: str
    meaning: str
    tested: str
    dealers: str
    rows: str
    before: str
    still: str
    first_seen: str
    style: str


@dataclass(frozen=True)
class SectionView:
    """The checks of a table: those that do not hold at once, those that passed or were not made to be opened."""

    anchor: str
    label: str
    failing: tuple[CheckView, ...]
    others: tuple[CheckView, ...]
    summary: str


@dataclass(frozen=True)
class DealerView:
    """A dealer in words and figures."""

    link: str
    name: str
    score: str
    change: str
    change_style: str
    gate: str
    style: str
    signs: tuple[str, ...]
    rows: str
    apart: str


@dataclass(frozen=True)
class DocsPage:
    """A page of the Data Docs in words of ``locale``."""

    locale: str
    title: str
    headline: str
    note: str
    nation: bool
    history: str
    sections: tuple[SectionView, ...]
    regions: tuple[tuple[str, str, tuple[str, ...], str, str], ...]  # link, name, dealers per gate, median, flagged
    dealers: tuple[DealerView, ...]
    signs: tuple[SignView, ...]
    quiet: tuple[SignView, ...]
    quiet_summary: str
    signs_note: str
    untested: tuple[str, ...]


def _check(line: CheckLine, cycle: str, locale: str) -> CheckView:
    f = Formatter(locale)
    change = None if line.share is None or line.share_before is None else 100 * (line.share - line.share_before)
    known = line.outcome in ("passed", "failed")
    verdict = text(f"enum.CheckOutcome.{line.outcome}", locale)
    if line.note == "reading":
        verdict += f" · {text('quality_docs.reading', locale)}"
    elif line.note:
        verdict = text(f"quality.note.{line.note}", locale)
    return CheckView(
        what=rule_words(line.table, line.rule, (line.column,), locale),
        severity=line.severity.label(locale),
        verdict=verdict,
        style=_STYLE[line.outcome],
        checked=f.number(line.checked) if known else "",
        failed=f.number(line.failed) if known else "",
        share=f.percent(line.share, 2) if known and line.share is not None else "",
        trend=f.number(change, 2, signed=True) if change and abs(change) >= _QUIET else "",
        trend_style="" if change is None or abs(change) < _QUIET else "bad" if change > 0 else "good",
        first_seen=_first_seen(line.first_seen, cycle, bool(line.failed), locale),
    )


def _first_seen(first: str, cycle: str, failing: bool, locale: str) -> str:
    """Since when a check fails or a sign shows, and whether it still does."""
    if not first:
        return ""
    kind = "new" if first == cycle else "still" if failing else "no_more"
    return text(f"quality_docs.seen.{kind}", locale, month=Formatter(locale).month(first))


def _sign(line: SignLine, cycle: str, locale: str) -> SignView:
    f, known = Formatter(locale), signals()[line.signal]
    tested = line.tested > 0
    return SignView(
        label=known.label.text(locale),
        meaning=known.explanation.text(locale),
        tested=f.number(line.tested) if tested else text("quality_page.not_checked", locale),
        dealers=f.number(line.dealers) if tested else "",
        rows=f.number(line.rows) if line.dealers else "",
        before=f.number(line.before) if line.before is not None else "",
        still=f.number(line.still) if line.dealers and line.before is not None else "",
        first_seen=_first_seen(line.first_seen, cycle, line.dealers > 0, locale),
        style="warn" if line.dealers else "",
    )


def _dealer(line: DealerScoreLine, locale: str) -> DealerView:
    f = Formatter(locale)
    change = None if line.score is None or line.before is None else line.score - line.before
    return DealerView(
        link=line.link,
        name=line.name,
        score=f.number(line.score, 1),
        change="" if change is None else f.number(change, 1, signed=True),
        change_style="" if change is None or abs(change) < 0.05 else "good" if change > 0 else "bad",
        gate=line.gate.label(locale),
        style=_GATE_STYLE[line.gate],
        signs=tuple(rule_title(code, locale) for code in line.signs),
        rows=f.number(line.rows),
        apart=f.number(line.apart),
    )


def _section(name: str, label: str, lines: Sequence[CheckLine], cycle: str, locale: str) -> SectionView:
    order = {"error": 0, "failed": 1, "passed": 2, "not_checked": 3}
    ranked = sorted(
        lines, key=lambda line: (order[line.outcome], list(Severity).index(line.severity), -(line.share or 0.0))
    )
    views = [_check(line, cycle, locale) for line in ranked]
    failing = sum(line.outcome in _NOT_HELD for line in ranked)
    passed = sum(line.outcome == "passed" for line in ranked)
    left = len(ranked) - failing - passed
    summary = text("quality_docs.others", locale, passed=passed, not_checked=left) if passed or left else ""
    return SectionView(name, label, tuple(views[:failing]), tuple(views[failing:]), summary)


def docs_page(facts: DocsFacts, locale: str) -> DocsPage:
    """The Data Docs of a scope in ``locale``; failed checks first in every table."""
    f = Formatter(locale)
    sections = []
    for name in contract().tables:
        mine = [line for line in facts.checks if line.table == name]
        if mine:
            sections.append(_section(name, table_label(name, locale), mine, facts.cycle, locale))
    counts = {outcome: sum(line.outcome == outcome for line in facts.checks) for outcome in _OUTCOMES}
    failing = [line for line in facts.checks if line.outcome == "failed"]
    fresh = sum(line.first_seen == facts.cycle for line in failing)
    mended = sum(bool(line.first_seen) and line.outcome == "passed" for line in facts.checks)
    scope = facts.scope or text("quality_docs.nation", locale)
    looked_at = [line for line in _in_order(facts.signs) if line.tested or line.before]
    signs = [(_shows(line), _sign(line, facts.cycle, locale)) for line in looked_at]
    told = {line.signal for line in facts.untested}
    few = [line.signal for line in facts.signs if not line.tested and line.signal not in told]
    quiet = tuple(view for shows, view in signs if not shows)
    flagged = sum(line.flagged for line in facts.regions) + sum(bool(line.signs) for line in facts.dealers)
    return DocsPage(
        locale=locale,
        title=text("quality_docs.title", locale, scope=scope, cycle=f.month(facts.cycle)),
        headline=text("quality_docs.headline", locale, asked=len(facts.checks), **counts),
        history=text("quality_docs.history", locale, new=fresh, still=len(failing) - fresh, mended=mended),
        note=text("quality_docs.note", locale, day=f.day(facts.as_of), version=facts.version),
        nation=not facts.scope,
        sections=tuple(sections),
        regions=tuple(
            (
                *(line.link, line.name, tuple(f.number(count) for _, count in line.gates)),
                *(f.number(line.median, 1), f.number(line.flagged)),
            )
            for line in facts.regions
        ),
        dealers=tuple(_dealer(line, locale) for line in facts.dealers),
        signs=tuple(view for shows, view in signs if shows),
        quiet=quiet,
        quiet_summary=text("quality_docs.signs.quiet", locale, signs=len(quiet)),
        signs_note=text("quality_docs.signs.dealers_flagged", locale, dealers=flagged)
        + text("signals.to_check_note", locale),
        untested=not_tested((*facts.untested, *(too_few_rows(code) for code in few)), locale),
    )


def _shows(line: SignLine) -> bool:
    """Whether a sign is flagged now or was in the last cycle."""
    return bool(line.dealers or line.before)


def _in_order(lines: Sequence[SignLine]) -> list[SignLine]:
    """Signals with most dealers first, then in the catalogue's order."""
    order = {code: at for at, code in enumerate(signals().signals)}
    return sorted(lines, key=lambda line: (-line.dealers, order[line.signal]))
