"""Authenticity signs of a dealer in words: what was seen against what peers show, which rows, who should look.

A sign is to be checked and accuses nobody (domain.md section 12); rows are named by their ids, never by phone or name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.catalogue.signals import signals
from models.messages import text
from reports.formats import Formatter
from reports.quality_words import column_label, rule_title, table_label

SHOWN_AT_ONCE = 6  # ids of rows that stand on the page
MOST_ROWS = 200  # ids that can be opened


@dataclass(frozen=True)
class Sign:
    """A flagged signal of a dealer: ``seen`` of ``rows`` rows show it, peers show ``expected`` on as many.

    ``first_seen``: the first of all cycles in which it was flagged. ``places``: table and id of each row (file and
    row number of a row without an id). ``points``: what it costs the score, 0 if nothing.
    """

    signal: str
    rows: int
    seen: int
    expected: float
    first_seen: str
    places: tuple[tuple[str, str], ...]
    points: float


@dataclass(frozen=True)
class NotTested:
    """A signal that could not be tested: a message ``signals.note.<reason>`` with its parameters (codes)."""

    signal: str
    reason: str
    params: Mapping[str, object]


def too_few_rows(signal: str) -> NotTested:
    """A signal that dealers here have too few rows for."""
    return NotTested(signal, "few_rows", {"rows": signals()[signal].rows})


@dataclass(frozen=True)
class SignView:
    """A sign in words; ``rows``: (table's label, ids at once, further ids, how many are left out in words)."""

    title: str
    seen: str
    since: str
    cost: str
    meaning: str
    check: str
    who: str
    rows: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True)
class SignsView:
    """The part "to be checked" of a page; ``none`` says that nothing was flagged, ``untested`` what and why."""

    count: int
    intro: str
    none: str
    signs: tuple[SignView, ...]
    untested: tuple[str, ...]


def expected_words(expected: float, locale: str) -> str:
    """An expected count: small ones with a digit, those that round to nothing as "less than"."""
    if expected < 0.05:
        return text("quality_page.signs.nearly_none", locale)
    return Formatter(locale).number(expected, 1 if expected < 10 else 0)


def not_tested(lines: tuple[NotTested, ...], locale: str) -> tuple[str, ...]:
    """What could not be tested and why, one line per reason."""
    f = Formatter(locale)
    by_reason: dict[str, list[str]] = {}
    for line in lines:
        by_reason.setdefault(_reason(line, locale), []).append(rule_title(line.signal, locale))
    return tuple(
        text("quality_page.signs.untested_line", locale, signs=f.words(names), reason=reason)
        for reason, names in by_reason.items()
    )


def _reason(line: NotTested, locale: str) -> str:
    params = dict(line.params)
    table = str(params.get("table", ""))
    if "column" in params:
        params["column"] = column_label(table, str(params["column"]).removesuffix("_key"), locale)
    if table:
        params["table"] = table_label(table, locale)
    return text(f"signals.note.{line.reason}", locale, **params)


def _rows(places: tuple[tuple[str, str], ...], locale: str) -> tuple[tuple[str, str, str, str], ...]:
    by_table: dict[str, list[str]] = {}
    for table, place in places:
        by_table.setdefault(table, []).append(place)
    found = []
    for table, ids in by_table.items():
        label = text("quality_page.signs.rows", locale, table=table_label(table, locale), rows=f"{len(ids):,}")
        left = len(ids) - MOST_ROWS
        beyond = text("quality_page.signs.left_out", locale, rows=f"{left:,}") if left > 0 else ""
        found.append((label, "  ".join(ids[:SHOWN_AT_ONCE]), "  ".join(ids[SHOWN_AT_ONCE:MOST_ROWS]), beyond))
    return tuple(found)


def _sign(sign: Sign, cycle: str, locale: str) -> SignView:
    f, known = Formatter(locale), signals()[sign.signal]
    new = not sign.first_seen or sign.first_seen == cycle
    since = {} if new else {"month": f.month(sign.first_seen)}
    return SignView(
        title=known.label.text(locale),
        seen=text(
            "quality_page.signs.seen",
            locale,
            seen=f.number(sign.seen),
            rows=f.number(sign.rows),
            expected=expected_words(sign.expected, locale),
        ),
        since=text(f"quality_page.signs.{'new' if new else 'since'}", locale, **since),
        cost=text("quality_page.costs", locale, points=f.number(sign.points, 1)) if sign.points >= 0.05 else "",
        meaning=known.explanation.text(locale),
        check=known.check.text(locale),
        who=known.who.label(locale),
        rows=_rows(sign.places, locale),
    )


def signs_view(signs: tuple[Sign, ...], untested: tuple[NotTested, ...], cycle: str, locale: str) -> SignsView:
    """The part of a dealer's page about signs; those furthest from what peers show come first."""
    ordered = sorted(signs, key=lambda sign: sign.expected - sign.seen)
    tested = len(signals().signals) - len(untested)
    none = text("quality_page.signs.none" if tested else "quality_page.signs.none_tested", locale, tested=tested)
    return SignsView(
        count=len(signs),
        intro=text("signals.to_check_note", locale),
        none="" if signs else none,
        signs=tuple(_sign(sign, cycle, locale) for sign in ordered),
        untested=not_tested(untested, locale),
    )
