"""Compare a mapping with the files it is meant for: everything missing or unmapped at once, with nearest candidates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pandas as pd

from models.catalogue.contract import FILE_COLUMN, TIME_KINDS, ContractField, contract
from models.catalogue.reasons import catalogue, find_code
from models.enums import Severity
from models.mapping import SourceMapping
from models.messages import text
from tasks.compute.frames import Notice, RawTable
from tasks.compute.mapping.apply import MappedSource, apply_mapping
from tasks.compute.mapping.columns import column_use
from tasks.compute.mapping.faults import Finding, faults, warning
from tasks.compute.mapping.profile import YEAR_FIRST, code_of
from tasks.compute.mapping.rows import nearest, shown, times
from tasks.compute.mapping.values import columns_of

_VALUES = 20  # unmapped values named per column


def check(raw: Mapping[str, RawTable], mapping: SourceMapping) -> list[Finding]:
    """What is missing or unmapped, ``block`` before ``warn``; values of personal columns are never shown.

    Faults of the mapping itself stop the look at the columns, missing columns the look at the values.
    """
    found = faults(mapping)
    if _blocked(found):
        return found
    files = {name: _files(table) for name, table in raw.items()}
    use = column_use(raw, mapping, files)
    found = [*use.missing, *found]
    for name, table in raw.items():
        if not len(table.frame):
            found.append(warning("mapping.no_rows", input=name, files=files[name] or name))
    if _blocked(found):
        return found
    mapped = apply_mapping(raw, mapping)
    found += [*_values(mapped, mapping), *_rules(mapped)]
    found += [Finding(Severity.WARN, notice) for notice in mapped.notices]
    return found + list(use.unused(raw))


def _blocked(found: list[Finding]) -> bool:
    return any(finding.severity is Severity.BLOCK for finding in found)


def _files(table: RawTable) -> str:
    names = [str(name) for name in table.frame[FILE_COLUMN].unique()] if FILE_COLUMN in table.frame else []
    names = names or [outcome.file for outcome in table.files]
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _values(mapped: MappedSource, mapping: SourceMapping) -> Iterator[Finding]:
    """Blanks in required fields, words and reasons without a code, times no format reads."""
    for name, frame in mapped.tables.items():
        table = contract().tables[name]
        for field in table.fields.values():
            if field.name not in frame or field.name in mapped.absent[name]:
                continue
            columns = [one for feed in mapping.tables[name] if field.name in feed.fields
                       for one in columns_of(feed.fields[field.name])]  # fmt: skip
            column = frame[field.name]
            about = {
                "table": name,
                "field": field.name,
                "column": ", ".join(dict.fromkeys(columns)) or "-",
                "file": ", ".join(str(file) for file in frame[FILE_COLUMN].unique()[:3]),
            }
            blank = int(column.isna().sum())
            if field.required and blank:
                yield warning("mapping.blank_required", **about, rows=blank)
            if field.kind in TIME_KINDS:
                yield from _unread(column, mapped.formats[name].get(field.name, ()), about)
            elif field.kind in contract().words or field.kind == "reason":
                yield from _unmapped(column, field, about)


def _unread(column: pd.Series, formats: tuple[str, ...], about: dict[str, str]) -> Iterator[Finding]:
    left = column.dropna()
    left = left[~left.str.fullmatch(YEAR_FIRST).astype(bool)]
    left = left[times(left, formats).isna()] if formats else left
    serial = left.str.fullmatch(r"\d{5}(\.\d+)?").astype(bool)  # days as Excel counts them, which typing understands
    if not left[~serial].empty:
        rows = int((~serial).sum())
        yield warning("mapping.unread_time", **about, rows=rows, value=shown(left[~serial].iloc[0]))


def _unmapped(column: pd.Series, field: ContractField, about: dict[str, str]) -> Iterator[Finding]:
    codes = list(catalogue()) if field.kind == "reason" else list(contract().codes(field.kind))
    for value, rows in column.value_counts().head(200).items():
        word = str(value)
        known = find_code(word) if field.kind == "reason" else code_of(word, field.kind)
        if known is None:
            near = nearest(word, codes) or codes[:_VALUES]
            yield warning(
                "mapping.unmapped_value", **about, value=shown(word), rows=int(rows), candidates=", ".join(near)
            )


def _rules(mapped: MappedSource) -> Iterator[Finding]:
    """The problems the mapping's own checks and links find, one finding per rule and column."""
    for (table, rule, column), rows in mapped.problems.groupby(["table", "rule", "column"], dropna=False):
        first = rows.iloc[0]
        example = Notice(f"rule.{rule}.wrong", json.loads(str(first["params"])))
        yield Finding(
            Severity.WARN,
            Notice(
                "mapping.rows_of_rule",
                {
                    "table": table,
                    "rule": rule,
                    "column": column,
                    "rows": len(rows),
                    "file": first["source_file"],
                    "row": int(first["row_number"]),
                    "example": _Localised(example),
                },
            ),
        )


class _Localised:
    """A notice inside a notice."""

    def __init__(self, notice: Notice) -> None:
        self.notice = notice

    def __format__(self, locale: str) -> str:
        return text(self.notice.key, locale, **self.notice.params)
