"""What is wrong with a mapping before any file is read: names the contract or the mapping itself does not know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from models.catalogue.contract import contract
from models.enums import Severity
from models.mapping import Feed, SourceMapping
from tasks.compute.frames import Notice
from tasks.compute.mapping.rows import nearest


@dataclass(frozen=True)
class Finding:
    """One thing to know about a mapping and its source: ``block`` stops a run, ``warn`` does not."""

    severity: Severity
    notice: Notice

    def text(self, locale: str = "zh_CN") -> str:
        """The finding in words."""
        return self.notice.text(locale)


def blocking(key: str, **params: object) -> Finding:
    """A finding that stops a run."""
    return Finding(Severity.BLOCK, Notice(key, params))


def warning(key: str, **params: object) -> Finding:
    """A finding that stops nothing."""
    return Finding(Severity.WARN, Notice(key, params))


def faults(mapping: SourceMapping) -> list[Finding]:
    """Unknown tables, fields and inputs, with the nearest candidates; required fields and tables nobody fills."""
    found = [*_input_faults(mapping)]
    for name, feeds in mapping.tables.items():
        if name not in contract().tables:
            found.append(_unknown("mapping.unknown_table", name, contract().tables, table=name))
            continue
        for number, feed in enumerate(feeds, start=1):
            found += _feed_faults(mapping, name, number, feed)
    lacking = [name for name, table in contract().tables.items() if not table.optional and name not in mapping.tables]
    return found + [warning("mapping.table_not_mapped", table=name) for name in lacking]


def _input_faults(mapping: SourceMapping) -> Iterator[Finding]:
    for name, spec in mapping.inputs.items():
        for check in spec.checks:
            other = (check.known_in or "").partition(".")[0]
            if check.known_in and other not in mapping.inputs:
                key = f"inputs.{name}.checks.known_in"
                yield _unknown("mapping.unknown_input_at", other, mapping.inputs, input=other, entry=key)


def _feed_faults(mapping: SourceMapping, name: str, number: int, feed: Feed) -> Iterator[Finding]:
    table = contract().tables[name]
    named = [("from", feed.source), *(("join", link.input) for link in feed.join)]
    named += [("fold", spec.input) for spec in feed.fold]
    for key, wanted in named:
        if wanted not in mapping.inputs:
            entry = f"tables.{name}[{number}].{key}"
            yield _unknown("mapping.unknown_input_at", wanted, mapping.inputs, input=wanted, entry=entry)
    for field in feed.fields:
        if field not in table.fields:
            yield _unknown("mapping.unknown_field", field, table.fields, table=name, field=field)
    for field in table.required:
        if field not in feed.fields:
            yield blocking("mapping.required_not_mapped", table=name, field=field)
    aliases = [link.alias for link in feed.join] + [spec.alias for spec in feed.fold]
    for alias in {alias for alias in aliases if aliases.count(alias) > 1}:
        yield blocking("mapping.alias_twice", table=name, alias=alias)


def _unknown(key: str, name: str, known: Iterable[str], **params: object) -> Finding:
    names = list(known)
    return blocking(key, **params, candidates=", ".join(nearest(name, names) or names))
