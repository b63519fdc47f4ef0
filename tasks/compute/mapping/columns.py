"""Every column a mapping asks for, looked up in the headers of its inputs: what is missing, and what nobody uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from models.catalogue.contract import PROVENANCE
from models.mapping import Condition, Feed, SourceMapping, Value
from tasks.compute.frames import RawTable
from tasks.compute.mapping.faults import Finding, blocking, warning
from tasks.compute.mapping.rows import loose, nearest
from tasks.compute.mapping.values import columns_of

_NAMED = 20  # columns listed when none is alike


@dataclass
class _Scope:
    """The columns that can be asked for at one place of the mapping: name there -> input and column."""

    input: str
    columns: dict[str, tuple[str, str]]

    def find(self, name: str) -> str | None:
        if name in self.columns:
            return name
        alike = [one for one in self.columns if loose(one) == loose(name)]
        return alike[0] if len(alike) == 1 else None


@dataclass
class ColumnUse:
    """Which columns of the inputs a mapping uses, and a finding for each it asks for in vain."""

    files: Mapping[str, str]
    used: set[tuple[str, str]] = field(default_factory=set)
    missing: list[Finding] = field(default_factory=list)

    def need(self, scope: _Scope, names: Iterable[str], table: str, entry: str, *, required: bool = True) -> None:
        """Note that ``entry`` of ``table`` asks for (one of) ``names``."""
        wanted = list(names)
        found = [real for name in wanted if (real := scope.find(name))]
        self.used.update(scope.columns[real] for real in found)
        if found or not required:
            return
        near = nearest(wanted[0], scope.columns) or list(scope.columns)[:_NAMED]
        finding = blocking(
            "mapping.no_column_for",
            table=table,
            field=entry,
            input=scope.input,
            file=self.files[scope.input],
            column=" / ".join(wanted),
            candidates=", ".join(near),
        )
        if finding not in self.missing:
            self.missing.append(finding)

    def value(self, scope: _Scope, value: Value, table: str, entry: str) -> None:
        """Note the columns one value asks for."""
        if value.column is not None:
            self.need(scope, value.column, table, entry, required=not value.optional)
        else:
            for name in [*columns_of(value), *(value.which or [])]:
                self.need(scope, [name], table, entry, required=not value.optional)
        self.conditions(scope, [*value.when, *(one for rule in value.rules or [] for one in rule.when)], table, entry)

    def conditions(self, scope: _Scope, conditions: Iterable[Condition], table: str, entry: str) -> None:
        """Note the columns conditions ask for."""
        for name in _asked(conditions):
            self.need(scope, [name], table, entry)

    def unused(self, raw: Mapping[str, RawTable]) -> Iterator[Finding]:
        """A finding for each input that has columns no entry asks for."""
        for name, table in raw.items():
            columns = [column for column in table.frame.columns if (name, column) not in self.used]
            idle = ", ".join(column for column in columns if column not in PROVENANCE)
            if idle:
                yield warning("mapping.columns_unused", input=name, file=self.files[name], columns=idle)


def _asked(conditions: Iterable[Condition]) -> Iterator[str]:
    for condition in conditions:
        if condition.column is not None:
            yield condition.column
        yield from _asked(condition.any or [])


def column_use(raw: Mapping[str, RawTable], mapping: SourceMapping, files: Mapping[str, str]) -> ColumnUse:
    """The columns ``mapping`` asks for against the headers in ``raw``; ``files`` names each input's files."""
    use = ColumnUse(files)
    scopes = {
        name: _Scope(name, {column: (name, column) for column in raw[name].frame.columns}) for name in mapping.inputs
    }
    for name, spec in mapping.inputs.items():
        for column, value in spec.columns.items():
            use.value(scopes[name], value, "-", f"inputs.{name}.columns.{column}")
            scopes[name].columns[column] = (name, column)
        use.conditions(scopes[name], spec.where, "-", f"inputs.{name}.where")
    for name, spec in mapping.inputs.items():
        entry = f"inputs.{name}.checks"
        for rule in spec.checks:
            use.need(scopes[name], [rule.column], "-", entry)
            use.conditions(scopes[name], rule.when, "-", entry)
            if rule.at_most is not None:
                use.need(scopes[name], [rule.at_most], "-", entry)
            if rule.known_in is not None:
                other, _, column = rule.known_in.partition(".")
                use.need(scopes[other], [column], "-", entry)
    for table, feeds in mapping.tables.items():
        for feed in feeds:
            _feed(use, scopes, table, feed)
    return use


def _feed(use: ColumnUse, scopes: Mapping[str, _Scope], table: str, feed: Feed) -> None:
    scope = _Scope(feed.source, dict(scopes[feed.source].columns))
    for link in feed.join:
        for here, there in link.on.items():
            use.need(scope, [here], table, "join")
            use.need(scopes[link.input], [there], table, "join")
        scope.columns |= {f"{link.alias}.{name}": at for name, at in scopes[link.input].columns.items()}
    for spec in feed.fold:
        events = scopes[spec.input]
        for here, there in spec.on.items():
            use.need(scope, [here], table, "fold")
            use.need(events, [there], table, "fold")
        if spec.order_by is not None:
            use.need(events, [spec.order_by], table, "fold.order_by")
        use.conditions(events, spec.where, table, "fold.where")
        for name, column in spec.columns.items():
            if column.column is not None:
                use.need(events, [column.column], table, f"fold.{name}")
            use.conditions(events, column.where, table, f"fold.{name}")
            scope.columns[f"{spec.alias}.{name}"] = (spec.input, f"{spec.alias}.{name}")
    for name, value in feed.columns.items():
        use.value(scope, value, table, name)
        scope.columns[name] = (feed.source, name)
    use.conditions(scope, feed.where, table, "where")
    for name, value in feed.fields.items():
        use.value(scope, value, table, name)
