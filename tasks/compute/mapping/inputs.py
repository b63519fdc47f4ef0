"""The inputs of a mapping made ready: computed columns, row filter, checks, repetitions; and what was found in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from models.catalogue.contract import contract
from models.errors import MappingError
from models.mapping import Feed, InputSpec, SourceMapping, Value
from tasks.compute.frames import Notice, RawTable
from tasks.compute.mapping.checks import Place, issues, repeated, run_check
from tasks.compute.mapping.rows import Rows, loose
from tasks.compute.mapping.values import Evaluated, columns_of, evaluate, holds


@dataclass(frozen=True)
class InputAccount:
    """What became of the rows of one input: rows = filtered + duplicates + quarantined + used."""

    input: str
    rows: int
    filtered: int
    duplicates: int
    quarantined: int

    @property
    def used(self) -> int:
        """The rows that went into tables, look-ups or folds."""
        return self.rows - self.filtered - self.duplicates - self.quarantined


@dataclass
class Prepared:
    """One input made ready. ``apart``: rows its checks set apart; ``linked``: the rows for look-ups and folds."""

    rows: Rows
    total: int
    apart: pd.Series
    linked: Rows | None = None
    duplicates: int = 0


class Inputs:
    """The inputs of one application of a mapping, each made ready once, and the issues and notices so far."""

    def __init__(self, raw: Mapping[str, RawTable], mapping: SourceMapping) -> None:
        self.raw = raw
        self.mapping = mapping
        self.issues: list[pd.DataFrame] = []
        self.notices: list[Notice] = []
        self._ready: dict[str, Prepared] = {}
        self._personal = personal_columns(mapping)

    def __getitem__(self, name: str) -> Prepared:
        if name not in self._ready:
            if name not in self.mapping.inputs or name not in self.raw:
                raise MappingError("mapping.unknown_input", input=name, candidates=", ".join(self.mapping.inputs))
            self._prepare(name, self.mapping.inputs[name])
        return self._ready[name]

    def linked(self, name: str) -> Rows:
        """The rows of ``name`` for look-ups and folds: exact repetitions once, rows set apart left out."""
        ready = self[name]
        if ready.linked is None:
            again = repeated(ready.rows) & ~ready.apart
            self.report(
                issues(
                    ready.rows,
                    again,
                    Place(name, "", True),
                    rule="exact_duplicate",
                    severity="warn",
                    values=pd.Series("", index=ready.rows.index),
                )
            )
            ready.duplicates = int(again.sum())
            ready.linked = ready.rows.select(~again & ~ready.apart)
        return ready.linked

    def place(self, name: str, columns: Iterable[str]) -> Place:
        """The place of an issue: values of a column that fills a personal field are not shown."""
        names = list(columns)
        return Place(name, ", ".join(names), any((name, loose(column)) in self._personal for column in names))

    def report(self, found: pd.DataFrame) -> None:
        """Keep issues."""
        if len(found):
            self.issues.append(found)

    def say(self, key: str, **params: object) -> None:
        """Keep a notice, once."""
        notice = Notice(key, params)
        if notice not in self.notices:
            self.notices.append(notice)

    def compute(self, rows: Rows, columns: Mapping[str, Value], name: str) -> pd.Series:
        """Add computed columns to ``rows``; returns the rows a dictionary sets apart."""
        apart = pd.Series(False, index=rows.index)
        for column, value in columns.items():
            result = evaluate(rows, value)
            rows.extra[column] = result.values
            apart |= self.report_unknown(rows, result, value, name)
        return apart

    def report_unknown(self, rows: Rows, result: Evaluated, value: Value, name: str) -> pd.Series:
        """Report values the dictionary lacks; returns the rows that sets apart."""
        severity = "quarantine" if value.otherwise == "quarantine" else "warn"
        if bool(result.unknown.any()):
            place = self.place(name, columns_of(value))
            self.report(
                issues(rows, result.unknown, place, rule="unmapped_value", severity=severity, values=result.values)
            )
        return result.unknown & (severity == "quarantine")

    def accounts(self) -> tuple[InputAccount, ...]:
        """What became of the rows of every input; makes ready those no table asked for."""
        return tuple(self._account(name, self[name]) for name in self.mapping.inputs)

    def _account(self, name: str, ready: Prepared) -> InputAccount:
        for asked, real in ready.rows.respelled.items():
            self.say("mapping.header_respelled", input=name, column=asked, header=repr(real))
        filtered = ready.total - len(ready.rows.index)
        return InputAccount(name, ready.total, filtered, ready.duplicates, int(ready.apart.sum()))

    def _prepare(self, name: str, spec: InputSpec) -> None:
        rows = Rows(self.raw[name].frame.reset_index(drop=True), name, spec.na)
        total = len(rows.index)
        apart = self.compute(rows, spec.columns, name)
        if spec.where:
            keep = holds(rows, spec.where)
            rows, apart = rows.select(keep), apart[keep].reset_index(drop=True)
            self.say("mapping.rows_filtered", place=name, rows=total - len(rows.index), total=total)
        ready = self._ready[name] = Prepared(rows, total, apart)  # before the checks: one may refer to this input
        for check in spec.checks:
            known = self._known(check.known_in) if check.known_in else None
            wrong, found = run_check(rows, check, self.place(name, [check.column]), known)
            self.report(found)
            if check.severity == "quarantine":
                ready.apart = ready.apart | wrong

    def _known(self, reference: str) -> pd.Series:
        name, _, column = reference.partition(".")
        return self[name].rows.column(column)


def personal_columns(mapping: SourceMapping) -> frozenset[tuple[str, str]]:
    """Input and column (evened out) of everything that fills a personal field, through computed columns too."""
    found: set[tuple[str, str]] = set()
    for table, feeds in mapping.tables.items():
        fields = contract().tables[table].fields if table in contract().tables else {}
        for feed in feeds:
            for name, value in feed.fields.items():
                if name in fields and fields[name].personal:
                    _trace(mapping, feed, columns_of(value), found)
    return frozenset(found)


def _trace(mapping: SourceMapping, feed: Feed, columns: Iterable[str], found: set[tuple[str, str]]) -> None:
    aliases = {link.alias: link.input for link in feed.join} | {spec.alias: spec.input for spec in feed.fold}
    for column in columns:
        alias = next((alias for alias in aliases if column.startswith(f"{alias}.")), None)
        name, bare = (aliases[alias], column.removeprefix(f"{alias}.")) if alias else (feed.source, column)
        if (name, loose(bare)) in found:
            continue
        found.add((name, loose(bare)))
        spec = mapping.inputs.get(name)
        computed = feed.columns.get(bare) or (spec.columns.get(bare) if spec else None)
        if computed is not None:
            _trace(mapping, feed, columns_of(computed), found)
