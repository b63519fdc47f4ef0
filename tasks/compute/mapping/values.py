"""How a field gets its value under a mapping: conditions, sources of values and the changes made to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import pandas as pd

from models.mapping import Condition, Value
from tasks.compute.mapping.rows import Rows, blank, keys_of, loose, numbers, per_unique

_PLACE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Evaluated:
    """A column with what the report must say of it."""

    values: pd.Series
    defaulted: int  # rows the default stood in for
    unknown: pd.Series  # bool per row: the value is not in the dictionary, under otherwise = warn or quarantine


def holds(rows: Rows, conditions: Iterable[Condition]) -> pd.Series:
    """Whether all conditions hold, per row."""
    result = pd.Series(True, index=rows.index)
    for condition in conditions:
        result &= _holds(rows, condition)
    return result


def _holds(rows: Rows, condition: Condition) -> pd.Series:
    result = pd.Series(True, index=rows.index)
    if condition.any:
        result = pd.concat([_holds(rows, one) for one in condition.any], axis=1).any(axis=1)
    if condition.column is None:
        return result
    column = rows.column(condition.column)
    tests: list[pd.Series] = []
    if condition.present is not None:
        tests.append(column.notna() == condition.present)
    if condition.is_ is not None:
        tests.append(keys_of(column) == loose(condition.is_))
    if condition.in_ is not None:
        tests.append(keys_of(column).isin([loose(text) for text in condition.in_]))
    if condition.not_in is not None:
        tests.append(column.notna() & ~keys_of(column).isin([loose(text) for text in condition.not_in]))
    if condition.pattern is not None:
        found = re.compile(condition.pattern)
        tests.append(per_unique(column, lambda text: "1" if found.search(text) else None).notna())
    if condition.min is not None:
        tests.append(numbers(column) >= condition.min)
    if condition.max is not None:
        tests.append(numbers(column) <= condition.max)
    for test in tests:
        result = result & test.fillna(False).astype(bool)
    return result


def columns_of(value: Value) -> list[str]:
    """The columns a value is taken from."""
    named = [
        *(value.column or []),
        *(value.coalesce or []),
        *(value.concat or []),
        *_PLACE.findall(value.template or ""),
    ]
    return named + [rule.column for rule in value.rules or [] if rule.column]


def evaluate(rows: Rows, value: Value) -> Evaluated:
    """The column ``value`` describes, over ``rows``; raises MappingError when a column it names is missing."""
    series = _source(rows, value)
    if value.when:
        series = series.where(holds(rows, value.when))
    series, unknown = _changed(series, value)
    gaps = series.isna()
    if value.default is not None and bool(gaps.any()):
        missing = gaps & holds(rows, value.when) if value.when else gaps
        return Evaluated(series.mask(missing, value.default), int(missing.sum()), unknown)
    return Evaluated(series, 0, unknown)


def _source(rows: Rows, value: Value) -> pd.Series:
    for key, source in _SOURCES.items():
        if getattr(value, key) is not None:
            return source(rows, value)
    return blank(rows.index)  # declared absent


def _constant(rows: Rows, value: Value) -> pd.Series:
    return blank(rows.index).fillna(value.constant)


def _coalesced(rows: Rows, value: Value) -> pd.Series:
    return _first_present(rows, [column for _, column in _columns(rows, value.coalesce or [], value)])


def _which(rows: Rows, value: Value) -> pd.Series:
    columns = _columns(rows, value.which or [], value)
    return _first_present(rows, [column.mask(column.notna(), name).astype("str") for name, column in columns])


def _columns(rows: Rows, names: Sequence[str], value: Value) -> list[tuple[str, pd.Series]]:
    wanted = [name for name in names if not value.optional or rows.find(name)]
    return [(name, rows.column(name, value.na, trim=value.trim)) for name in wanted]


def _alternatives(rows: Rows, value: Value) -> pd.Series:
    names = value.column or []
    found = [name for name in names if rows.find(name)]
    if not found and not value.optional:
        rows.column(names[0])  # raises, naming the nearest columns
    return _first_present(rows, [column for _, column in _columns(rows, found, value)])


def _first_present(rows: Rows, columns: Sequence[pd.Series]) -> pd.Series:
    result = columns[0] if columns else blank(rows.index)
    for column in columns[1:]:
        result = result.fillna(column)
    return result


def _filled(rows: Rows, value: Value) -> pd.Series:
    pieces = _PLACE.split(value.template or "")  # text, column, text, column, ..., text
    result = blank(rows.index).fillna(pieces[0])
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        result = result + rows.column(name, value.na, trim=value.trim) + text
    return result


def _concatenated(rows: Rows, value: Value) -> pd.Series:
    result = blank(rows.index)
    for _, column in _columns(rows, value.concat or [], value):
        joined = result + value.separator + column
        result = joined.fillna(result).fillna(column)
    return result


def _ruled(rows: Rows, value: Value) -> pd.Series:
    result = blank(rows.index)
    undecided = pd.Series(True, index=rows.index)
    for rule in value.rules or []:
        decided = undecided & holds(rows, rule.when)
        given = rule.value if rule.column is None else rows.column(rule.column, value.na, trim=value.trim)
        result = result.mask(decided, given)
        undecided &= ~decided
    return result


_SOURCES: dict[str, Callable[[Rows, Value], pd.Series]] = {
    "column": _alternatives,
    "coalesce": _coalesced,
    "which": _which,
    "template": _filled,
    "concat": _concatenated,
    "constant": _constant,
    "rules": _ruled,
}


def _changed(series: pd.Series, value: Value) -> tuple[pd.Series, pd.Series]:
    for change in _changes(value):
        series = per_unique(series, change)
    none = pd.Series(False, index=series.index)
    if not value.values:
        return _arithmetic(series, value), none
    dictionary = {(text if value.match == "exact" else loose(text)): code for text, code in value.values.items()}
    keys = keys_of(series, value.match)
    mapped = per_unique(keys, lambda key: dictionary[key] or None if key in dictionary else None)
    lacking = keys.notna() & ~keys.isin(list(dictionary))
    if value.otherwise != "blank":
        mapped = mapped.where(~lacking, series)
    unknown = lacking if value.otherwise in ("warn", "quarantine") else none
    return _arithmetic(mapped, value), unknown


def _changes(value: Value) -> list[Callable[[str], str | None]]:
    changes: list[Callable[[str], str | None]] = []
    if value.extract is not None:
        wanted = re.compile(value.extract)

        def extract(text: str) -> str | None:
            found = wanted.search(text)
            return None if found is None else (found.group(1) if wanted.groups else found.group(0)) or None

        changes.append(extract)
    for replacement in value.replace:
        pattern, by = re.compile(replacement.pattern), replacement.by
        changes.append(lambda text, pattern=pattern, by=by: pattern.sub(by, text) or None)  # type: ignore[misc]
    if value.case is not None:
        changes.append({"lower": str.lower, "upper": str.upper, "title": str.title}[value.case])
    return changes


def _arithmetic(series: pd.Series, value: Value) -> pd.Series:
    """Numbers rewritten and rescaled; what is no number stays as it is, for the checks to name."""
    rescaled = value.scale is not None or value.multiply is not None or value.add is not None
    if value.number is None and not rescaled and value.round is None:
        return series

    def change(text: str) -> str:
        plain = text
        if value.number is not None:
            plain = text.replace(value.number.thousands, "") if value.number.thousands else text
            plain = plain.replace(value.number.decimal, ".")
        try:
            number = Decimal(plain)
            return plain_number(_rescaled(number, value)) if number.is_finite() else text
        except InvalidOperation:  # no number, or one of a size no field has
            return text

    return per_unique(series, change)


def _rescaled(number: Decimal, value: Value) -> Decimal:
    if value.scale is not None:
        low, high = (Decimal(str(end)) for end in value.scale.source)
        to_low, to_high = (Decimal(str(end)) for end in value.scale.target)
        number = to_low + (number - low) / (high - low) * (to_high - to_low)
    number = number * Decimal(str(value.multiply)) if value.multiply is not None else number
    number = number + Decimal(str(value.add)) if value.add is not None else number
    return round(number, value.round) if value.round is not None else number


def plain_number(number: Decimal) -> str:
    """A number without exponent and without trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
