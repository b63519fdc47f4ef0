"""The page docs/expectations.md, made from the suites themselves so that it cannot fall behind.

``python -m expectations.handbook`` writes it; a test compares.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from expectations import masks, months, suites
from expectations.rules import rules
from expectations.scoring import weights
from expectations.standard import limits, standard_until
from models.messages import messages

PAGE = Path(__file__).parent.parent / "docs" / "expectations.md"
# Stands for max(as_of, end of the data) on the page, which must not depend on a day.
_HORIZON = datetime(9000, 1, 1)
_COLUMNS = ("rule", "column", "what holds", "severity", "action", "dimension", "owner")
_INTRO = """# Expectations

*Made from the suites by `python -m expectations.handbook`; a test keeps it current.*

One native Great Expectations suite per table (`expectations/suites.py`). Great Expectations gives the verdict, one
mask function per expectation type (`expectations/masks.py`) the rows, from the same object; both counts must agree or
the run stops. Severity and action of each rule are data (`expectations/rules.toml`), so are the limits
(`expectations/limits.toml`) and the points of the score (`expectations/scoring.toml`). An OEM adds expectations and
changes severities in a folder of its own ([standards](standards.md)).

- **drop**: the row is set apart (quarantined). **hold**: it waits with its lead. **null**: the cell is emptied, the
  row stays. **keep**: only said. **stop**: the table cannot be used. **duplicate**: a repetition, dropped and counted.
  **tell**: said of a whole month, no single row.
- An expectation is *passed*, *failed*, *error* (column missing or of a wrong type) or *not checked*: the table is
  empty, the whole column is empty, or the source is declared not to have it. Nothing passes by default; the rows
  looked at stand beside every verdict.
- A date without time of day may be any moment of that day: an order of times is broken only when it cannot have been
  kept. *end* is the later of `as_of` and the day the loaded data really reaches (stray dates far ahead do not move
  it).
- A lead may be: """
_MONTHS = """
## This month against the months before

Asked of every table with months and of each of its columns (`expectations/months.py`), with bounds from the past months
in the data (at least {at_least}, at most {at_most}): their median and {spreads} robust spreads (median deviations) on
either side, or the least move below where that is more. Native expectations on the month's rows; nothing to compare
with is *not checked*, and so is a month not over. A failure is told when the step ends and stands in the Data Docs, per
dealer where it is about dealers; it sets no row apart and costs no points.

"""
_RIPENING = """The dealer list has no months. Columns that fill as a lead grows older are not compared, since the
youngest month has fewer of them by nature: """


def page() -> str:
    """The whole page as Markdown."""
    legal = ", ".join(f"`{closing}`" for closing in suites.LEGAL_CLOSINGS)
    parts = [f"{_INTRO}{legal}.\n"]
    standard = standard_until(_HORIZON)
    for table in suites.TABLES:
        lines = [_line(expectation, standard.planning_horizon) for expectation in suites.declared(table, standard)]
        parts += [f"\n## {table}\n\n", _head(*_COLUMNS), *lines]
    parts.append(_months())
    parts.append(_rules())
    parts.append(_scores())
    return "".join(parts)


def _head(*names: str) -> str:
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n"


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |\n"


def _line(expectation: Any, planning: datetime) -> str:
    meta = expectation.meta
    return _row(
        f"`{meta['rule']}`",
        meta["column"],
        _holds(expectation, planning),
        *(meta[name] for name in ("severity", "action", "dimension", "owner")),
    )


def _holds(expectation: Any, planning: datetime) -> str:
    kind, columns = type(expectation).__name__, masks.columns_used(expectation)
    if kind == "ExpectColumnValuesToBeBetween":
        return f"`{columns[0]}` {_bounds(expectation, planning)}"
    if kind == "ExpectColumnValuesToBeInSet":
        values = list(expectation.value_set)
        if values == [1.0]:
            return f"`{columns[0]}`"
        return "a code of the reason standard" if len(values) > 12 else " / ".join(f"`{value}`" for value in values)
    said = {
        "ExpectColumnValuesToNotBeNull": "not empty",
        "ExpectColumnValuesToBeUnique": "unique",
        "ExpectCompoundColumnsToBeUnique": f"unique: {', '.join(columns)}",
        "ExpectColumnPairValuesAToBeGreaterThanB": " not below ".join(f"`{column}`" for column in columns),
        "ExpectTableRowCountToBeBetween": "at least one row",
    }
    return said[kind]


def _bounds(expectation: Any, planning: datetime) -> str:
    names = {_HORIZON: "end", planning: "end + planning time"}
    low, high = (names.get(bound, _plain(bound)) for bound in (expectation.min_value, expectation.max_value))
    if high is None:
        return f"{'above' if expectation.strict_min else 'at least'} {low}"
    return f"at most {high}" if low is None else f"{low} to {high}"


def _plain(bound: object) -> object:
    if isinstance(bound, datetime):
        return f"{bound:%Y-%m-%d}"
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _months() -> str:
    kept = limits().months
    several = f"{kept.dealer_times:g} times as many, or under one in {kept.dealer_times:g} (none included)"
    rows = [
        (months.ROWS, "ExpectTableRowCountToBeBetween", f"rows move by more than {kept.rows_move:.0%}"),
        (
            months.DEALER_ROWS,
            "ExpectColumnValuesToBeBetween, a row per dealer",
            f"a dealer with usually {kept.dealer_rows} rows or more has over {several}",
        ),
        (
            months.FILLED,
            "ExpectColumnProportionOfNonNullValuesToBeBetween",
            f"the share of filled cells moves by more than {100 * kept.filled_move:g} points",
        ),
        (
            months.STILL_FILLED,
            "ExpectColumnProportionOfNonNullValuesToBeBetween",
            "a column filled in every past month is empty",
        ),
        (
            months.VARIED,
            "ExpectColumnUniqueValueCountToBeBetween",
            f"one value in all of {kept.column_rows} cells or more, where every past month had several",
        ),
        (
            months.MEDIAN,
            "ExpectColumnMedianToBeBetween",
            f"the median of a number moves by more than {kept.median_move:.0%}",
        ),
        (
            months.WORDS,
            "ExpectColumnDistinctValuesToBeInSet",
            f"a word on {kept.word_rows} rows or more is new (columns of at most {kept.words_at_most} words)",
        ),
    ]
    intro = _MONTHS.format(at_least=kept.at_least, at_most=kept.at_most, spreads=f"{kept.spreads:g}")
    table = "".join(_row(f"`{rule}`", *said) for rule, *said in rows)
    ripening = ", ".join(f"`{name}`" for name in sorted(kept.ripening))
    return f"{intro}{_head('rule', 'native expectation', 'unusual when')}{table}\n{_RIPENING}{ripening}.\n"


def _rules() -> str:
    said = "Those of reading, mapping and typing included; there the row's own problem says the severity."
    names = ("rule", "severity", "action", "zh_CN", "en", "how to mend it")
    lines = [
        _row(
            f"`{code}`",
            rule.severity.value,
            rule.action.value,
            messages()[rule.wrong(code)]["zh_CN"],
            *(messages()[key]["en"] for key in (rule.wrong(code), rule.mend(code))),
        )
        for code, rule in rules().items()
    ]
    return f"\n## All rules, in words\n\n{said}\n\n{_head(*names)}{''.join(lines)}"


def _scores() -> str:
    measure = weights()
    points = "".join(_row(f"`{action.value}`", value) for action, value in measure.points.items())
    tables = "".join(_row(table, value) for table, value in measure.tables.items())
    small = measure.small.rows
    return (
        "\n## The score\n\n100 points less, for every rule and table: points of the action x weight of the table x\n"
        f"share of the dealer's rows of that table that fail (taken of at least {small} rows).\n\n"
        f"{_head('action', 'points if every row fails')}{points}\n{_head('table', 'weight')}{tables}\n"
        "Flagged authenticity signals ([signals](signals.md)) cost besides, together at most "
        f"{measure.signals.most:g} points.\n"
    )


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
