"""An OEM's own expectations: ``expectations.toml`` in its standards folder, checked before anything runs.

A table per expectation, ``[<table>.<rule>]``, names a native Great Expectations type, its column and parameters, how
bad a failure is, who mends it, and its texts in both languages (docs/standards.md). The rule is a new one: shipped
rules are changed in ``rules.toml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from models.catalogue.contract import TIME_KINDS, Table, contract
from models.catalogue.loading import Label, checked
from models.catalogue.merging import load_tables
from models.catalogue.reasons import valid_codes
from models.enums import OwnerRole, Role, Severity
from models.errors import CatalogueError
from models.in_force import standard
from models.messages import LOCALES, fields_of

FILE_NAME = "expectations.toml"
PARTS = ("title", "wrong", "mend")
#: What the texts of a rule may fill in.
SHOWN = frozenset({"column", "value", "low", "high"})
_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_NUMBERS = frozenset({"int", "money", "score"})
_BETWEEN = frozenset({"min_value", "max_value", "strict_min", "strict_max"})

_FLAGS = frozenset({"strict_min", "strict_max", "or_equal"})

#: Native type -> its parameters beside the column: those it needs, those it may have.
PARAMETERS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "ExpectColumnValuesToNotBeNull": (frozenset(), frozenset()),
    "ExpectColumnValuesToBeNull": (frozenset(), frozenset()),
    "ExpectColumnValuesToBeUnique": (frozenset(), frozenset()),
    "ExpectColumnValuesToBeBetween": (frozenset(), _BETWEEN),
    "ExpectColumnValuesToBeInSet": (frozenset({"value_set"}), frozenset()),
    "ExpectColumnValuesToNotBeInSet": (frozenset({"value_set"}), frozenset()),
    "ExpectColumnValuesToMatchRegex": (frozenset({"regex"}), frozenset()),
    "ExpectColumnValuesToNotMatchRegex": (frozenset({"regex"}), frozenset()),
    "ExpectColumnPairValuesAToBeGreaterThanB": (frozenset({"column_A", "column_B"}), frozenset({"or_equal"})),
    "ExpectCompoundColumnsToBeUnique": (frozenset({"column_list"}), frozenset()),
}
#: Types over several columns, which name them in their parameters.
SEVERAL = frozenset({"ExpectColumnPairValuesAToBeGreaterThanB", "ExpectCompoundColumnsToBeUnique"})


class OwnExpectation(BaseModel):
    """One expectation: ``column`` is the contract's column a person has to look at, ``action`` what a failing row
    leads to (by default a quarantined row is dropped, a warned one kept)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    column: str
    params: dict[str, Any] = Field(default_factory=dict)
    severity: Literal[Severity.QUARANTINE, Severity.WARN] = Severity.WARN
    action: Literal["", "drop", "null", "keep"] = ""
    dimension: Literal["completeness", "validity", "consistency", "uniqueness", "timeliness"] = "validity"
    owner: OwnerRole | Role
    title: Label
    wrong: Label
    mend: Label

    @property
    def arguments(self) -> dict[str, Any]:
        """What the native expectation is made with; dates as times, as the checks see them."""
        given = {name: _moment(value) for name, value in self.params.items()}
        if self.type == "ExpectColumnPairValuesAToBeGreaterThanB":
            return {"or_equal": True, "ignore_row_if": "either_value_is_missing"} | given
        if self.type == "ExpectCompoundColumnsToBeUnique":
            return {"ignore_row_if": "any_value_is_missing"} | given
        return {"column": self.column} | given


class _File(RootModel[dict[str, dict[str, OwnExpectation]]]):
    pass


Own = Mapping[str, Mapping[str, OwnExpectation]]


@standard
def own_expectations(folder: Path | None = None) -> Own:
    """The OEM's own expectations by table and rule; none without a folder or without its file.

    Raises CatalogueError naming file, entry and remedy for anything that could not be carried out later: an unknown
    table, column, type or parameter, a bound of the wrong kind, a code nobody knows, a text with an unknown parameter.
    """
    file = None if folder is None else folder / FILE_NAME
    if file is None or not file.is_file():
        return MappingProxyType({})
    found = checked(load_tables(file), _File, file).root
    seen: dict[str, str] = {}
    for table, entries in found.items():
        if table not in contract().tables or table == "actions":
            known = ", ".join(name for name in contract().tables if name != "actions")
            raise CatalogueError("standards.unknown_table", file=file, entry=table, known=known)
        for rule, entry in entries.items():
            for key, params in _problems(contract().tables[table], rule, entry, valid_codes(folder)):
                raise CatalogueError(f"standards.{key}", file=file, entry=f"{table}.{rule}", **params)
            if rule in seen:
                raise CatalogueError("standards.rule_twice", file=file, entry=f"{table}.{rule}", other=seen[rule])
            seen[rule] = f"{table}.{rule}"
    return MappingProxyType(found)


def own_texts(own: Own) -> dict[str, dict[str, str]]:
    """The texts of the rules as messages ``rule.<rule>.<part>``."""
    return {
        f"rule.{rule}.{part}": {locale: getattr(entry, part).text(locale) for locale in LOCALES}
        for entries in own.values()
        for rule, entry in entries.items()
        for part in PARTS
    }


_Finding = tuple[str, dict[str, object]]


def _problems(table: Table, rule: str, entry: OwnExpectation, reasons: frozenset[str]) -> Iterator[_Finding]:
    if not _CODE.fullmatch(rule):
        yield "bad_rule", {}
    if entry.type not in PARAMETERS:
        yield "unknown_type", {"type": entry.type, "known": ", ".join(PARAMETERS)}
        return
    need, may = PARAMETERS[entry.type]
    if missing := sorted(need - set(entry.params)):
        yield "missing_param", {"type": entry.type, "param": ", ".join(missing)}
        return
    if unknown := sorted(set(entry.params) - need - may):
        known = ", ".join(sorted(need | may)) or "-"
        yield "unknown_param", {"type": entry.type, "param": ", ".join(unknown), "known": known}
    for flag in sorted(_FLAGS & set(entry.params)):
        if not isinstance(entry.params[flag], bool):
            yield "bad_flag", {"param": flag}
    yield from _column_problems(table, entry)
    yield from _action_problems(table, entry)
    yield from _text_problems(entry)
    if all(column in _kinds(table) for column in _columns(entry)):
        yield from _value_problems(entry, [_kinds(table)[column] for column in _columns(entry)], reasons)


def _kinds(table: Table) -> dict[str, str]:
    """The columns the checks see, with their kinds: personal ones only by their keyed hash."""
    plain = {name: field.kind for name, field in table.fields.items() if not field.personal}
    return plain | {field.key_column: "text" for field in table.fields.values() if field.key_column}


def _columns(entry: OwnExpectation) -> tuple[str, ...]:
    if entry.type == "ExpectColumnPairValuesAToBeGreaterThanB":
        return (str(entry.params["column_A"]), str(entry.params["column_B"]))
    if entry.type == "ExpectCompoundColumnsToBeUnique":
        listed = entry.params["column_list"]
        return tuple(map(str, listed)) if isinstance(listed, list) else (str(listed),)
    return (entry.column,)


def _column_problems(table: Table, entry: OwnExpectation) -> Iterator[_Finding]:
    known = _kinds(table)
    for column in dict.fromkeys((entry.column, *_columns(entry))):
        if column not in known:
            yield "unknown_column", {"column": column, "table": table.name, "known": ", ".join(known)}


def _action_problems(table: Table, entry: OwnExpectation) -> Iterator[_Finding]:
    """A quarantined row is set apart, a warned one stays; a cell that nothing goes without is never emptied."""
    fits = ("", "drop") if entry.severity is Severity.QUARANTINE else ("", "keep", "null")
    field = table.fields.get(entry.column)
    if entry.action not in fits or (entry.action == "null" and (field is None or field.required)):
        yield "bad_action", {"action": entry.action, "severity": entry.severity.value}


def _text_problems(entry: OwnExpectation) -> Iterator[_Finding]:
    for part in PARTS:
        for locale in LOCALES:
            try:
                used = fields_of(getattr(entry, part).text(locale))
            except ValueError:
                used = {"{"}
            allowed = SHOWN if part == "wrong" else SHOWN & {"column"}
            if used - allowed:
                names = ", ".join(sorted(used - allowed))
                yield "bad_text", {"text": f"{part}.{locale}", "param": names, "known": ", ".join(sorted(allowed))}


def _value_problems(entry: OwnExpectation, kinds: list[str], reasons: frozenset[str]) -> Iterator[_Finding]:
    """Bounds, sets and patterns that do not fit what the columns hold."""
    kind, params = kinds[0], entry.params
    words = kind not in _NUMBERS and kind not in TIME_KINDS and kind != "bool"
    if entry.type == "ExpectColumnValuesToBeBetween":
        bounds = [params[name] for name in ("min_value", "max_value") if name in params]
        fitting = bool(bounds) and not words and kind != "bool" and all(_fits(bound, kind) for bound in bounds)
        if not fitting or _moment(bounds[0]) > _moment(bounds[-1]):
            yield "bad_bounds", {"kind": kind}
    elif "value_set" in params:
        codes = reasons if kind == "reason" else frozenset(contract().codes(kind))
        values = params["value_set"]
        if not isinstance(values, list) or not values or not all(_fits(value, kind) for value in values):
            yield "bad_set", {"kind": kind}
        elif codes and (unknown := sorted(set(map(str, values)) - codes)):
            yield "unknown_value", {"value": ", ".join(unknown), "known": ", ".join(sorted(codes))}
    elif "regex" in params:
        if not words or not _compiles(params["regex"]):
            yield "bad_regex", {"regex": params["regex"], "kind": kind}
    elif entry.type == "ExpectColumnPairValuesAToBeGreaterThanB":
        comparable = {"time" if each in TIME_KINDS else "number" if each in _NUMBERS else each for each in kinds}
        if len(comparable) != 1 or not comparable <= {"time", "number"}:
            yield "not_comparable", {"kinds": ", ".join(kinds)}


def _fits(value: object, kind: str) -> bool:
    if kind in TIME_KINDS:
        return isinstance(value, date) and getattr(value, "tzinfo", None) is None
    if kind in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, bool if kind == "bool" else str)


def _moment(value: Any) -> Any:
    return datetime(value.year, value.month, value.day) if type(value) is date else value


def _compiles(pattern: object) -> bool:
    try:
        return isinstance(pattern, str) and bool(re.compile(pattern))
    except re.error:
        return False
