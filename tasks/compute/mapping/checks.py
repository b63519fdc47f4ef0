"""Issues: what a mapping finds wrong with rows of its inputs, and the checks a mapping declares on source columns.

An issue frame has ``input, source_file, row_number, rule, column, severity, params``; ``tasks.compute.mapping`` gives
each its table, key and dealer and so makes Problems of it (docs/architecture.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import pandas as pd

from models.catalogue.contract import FILE_COLUMN, PROVENANCE, ROW_COLUMN
from models.mapping import Check
from tasks.compute.mapping.rows import Rows, keys_of, loose, nearest, numbers, per_unique, shown
from tasks.compute.mapping.values import holds

ISSUE_COLUMNS = ("input", "source_file", "row_number", "rule", "column", "severity", "params")
HIDDEN = "***"


@dataclass(frozen=True)
class Place:
    """Which input and column an issue is about; values of personal columns are not shown."""

    input: str
    column: str
    personal: bool = False


def issues(
    rows: Rows,
    wrong: pd.Series,
    place: Place,
    *,
    rule: str,
    severity: str,
    values: pd.Series,
    more: Callable[[str], dict[str, str]] = lambda _: {},
) -> pd.DataFrame:
    """One issue per row where ``wrong`` holds, naming column and value and what ``more`` gives for the value."""
    chosen = rows.provenance[wrong]

    def params(value: str) -> str:
        given = {"column": place.column, "value": shown(value), **more(value)}
        hidden = dict.fromkeys(given.keys() & {"value", "nearest"}, HIDDEN) if place.personal and value else {}
        return json.dumps(given | hidden, ensure_ascii=False)

    return pd.DataFrame(
        {
            "input": place.input,
            "source_file": chosen[FILE_COLUMN],
            "row_number": chosen[ROW_COLUMN].astype("Int64"),
            "rule": rule,
            "column": place.column,
            "severity": severity,
            "params": per_unique(values[wrong].fillna("").astype("str"), params),
        }
    )


def nearest_of(names: Collection[str]) -> Callable[[str], dict[str, str]]:
    """For a value that is none of ``names``: the parameter ``nearest`` with those most like it."""
    return lambda value: {"nearest": ", ".join(shown(name) for name in nearest(value, names)) or "-"}


def repeated(rows: Rows) -> pd.Series:
    """Rows that repeat an earlier one in every column of the file: exact duplicates, wherever they stand."""
    columns = [name for name in rows.frame.columns if name not in PROVENANCE]
    return rows.frame.duplicated(subset=columns, keep="first") if columns else pd.Series(False, index=rows.index)


def run_check(rows: Rows, check: Check, place: Place, known: pd.Series | None) -> tuple[pd.Series, pd.DataFrame]:
    """The rows that break ``check``, and an issue for each; ``known`` are the values of its ``known_in`` column."""
    column = rows.column(check.column)
    checked = holds(rows, check.when)
    broken = pd.Series(False, index=rows.index)
    found = []
    for wrong, rule, extra in _findings(rows, column, check, known):
        more = _labelled(extra, check.label)
        broken |= wrong & checked
        found.append(issues(rows, wrong & checked, place, rule=rule, severity=check.severity, values=column, more=more))
    return broken, pd.concat(found, ignore_index=True)


def _labelled(more: Callable[[str], dict[str, str]], label: str) -> Callable[[str], dict[str, str]]:
    return lambda value: {**more(value), "label": label}


Finding = tuple[pd.Series, str, Callable[[str], dict[str, str]]]


def _findings(rows: Rows, column: pd.Series, check: Check, known: pd.Series | None) -> Iterable[Finding]:
    present = column.notna()
    if check.present:
        yield ~present, "source_blank", lambda _: {}
    if check.unique:
        yield present & keys_of(column).duplicated(keep=False), "source_repeated", lambda _: {}
    if check.min is not None or check.max is not None:
        number = numbers(column)
        low, high = check.min, check.max
        inside = pd.Series(True, index=rows.index)
        inside = inside & (number >= low) if low is not None else inside
        inside = inside & (number <= high) if high is not None else inside
        yield present & ~inside, "source_check", lambda _: {"limits": _range(low, high)}
    if check.pattern is not None:
        whole = column.str.fullmatch(check.pattern).fillna(False).astype(bool)
        yield present & ~whole, "source_check", lambda _: {"limits": check.pattern or ""}
    if check.at_most is not None:
        other = rows.column(check.at_most)
        wrong = present & other.notna() & ~(numbers(column) <= numbers(other))
        yield wrong, "source_check", lambda _: {"limits": f"<= {check.at_most}"}
    names = check.in_ if known is None else sorted(known.dropna().unique())
    if names is not None:
        spellings = {loose(name) for name in names}
        yield present & ~keys_of(column).isin(spellings), "source_value", nearest_of(names)


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"<= {high:g}"
    return f">= {low:g}" if high is None else f"{low:g} - {high:g}"
