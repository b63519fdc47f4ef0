"""What can be wrong with a row, as data: each rule's severity, action, dimension and owner (``rules.toml``).

The rules of the suites and those found when reading and typing are one list, so that scores, exports and pages treat
them alike. Nothing here imports Great Expectations.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, RootModel

from models.catalogue.loading import checked, load_toml
from models.catalogue.merging import load_tables
from models.catalogue.own_expectations import FILE_NAME as OWN_FILE
from models.catalogue.own_expectations import OwnExpectation, own_expectations
from models.enums import OwnerRole, Role, Severity, Word
from models.errors import CatalogueError
from models.in_force import standard

FILE = Path(__file__).parent / "rules.toml"


class Dimension(Word):
    """The parts of the quality score (domain.md section 6)."""

    COMPLETENESS = "completeness"
    VALIDITY = "validity"
    CONSISTENCY = "consistency"
    UNIQUENESS = "uniqueness"
    TIMELINESS = "timeliness"
    AUTHENTICITY = "authenticity"


class CheckOutcome(Word):
    """What became of one expectation: never "passed" by default."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    NOT_CHECKED = "not_checked"


class Action(StrEnum):
    """What a failing row leads to."""

    STOP = "stop"
    DROP = "drop"
    HOLD = "hold"
    NULL = "null"
    KEEP = "keep"
    DUPLICATE = "duplicate"
    TELL = "tell"


class Rule(BaseModel):
    """One rule: how bad it is, what happens, which part of the score it belongs to, who mends it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    severity: Severity
    action: Action
    dimension: Dimension
    owner: OwnerRole | Role
    at_reading: bool = False  # decided before any suite runs

    @property
    def fixed(self) -> bool:
        """Whether later steps rely on what becomes of the row, so that an OEM cannot change it."""
        return self.at_reading or self.action not in (Action.KEEP, Action.NULL)

    @staticmethod
    def wrong(code: str) -> str:
        """Key of the message that says what is wrong."""
        return f"rule.{code}.wrong"

    @staticmethod
    def mend(code: str) -> str:
        """Key of the message that says how to mend it."""
        return f"rule.{code}.mend"


class _File(RootModel[dict[str, Rule]]):
    pass


#: What becomes of a failing row where an OEM states only how bad it is.
_USUAL = {Severity.WARN: Action.KEEP, Severity.QUARANTINE: Action.DROP}
_FITS = {Severity.WARN: (Action.KEEP, Action.NULL), Severity.QUARANTINE: (Action.DROP,)}


@standard
def rules(folder: Path | None = None) -> Mapping[str, Rule]:
    """Every rule by its code, those of an OEM's own expectations last.

    ``folder`` may hold an OEM's ``rules.toml``, which changes severity, action, dimension and owner of shipped rules,
    and its ``expectations.toml``. Raises CatalogueError naming file, entry and remedy.
    """
    shipped = load_toml(FILE, _File).root
    found = dict(shipped)
    file = None if folder is None else folder / FILE.name
    if file is not None and file.is_file():
        changes = load_tables(file)
        found |= {code: _changed(code, changes[code], shipped, file) for code in changes}
    for table, entries in own_expectations(folder).items():
        for code, entry in entries.items():
            if code in shipped:
                raise CatalogueError(
                    "standards.rule_shipped", file=(folder or FILE) / OWN_FILE, entry=f"{table}.{code}"
                )
            found[code] = _own(entry)
    return MappingProxyType(found)


def telling() -> frozenset[str]:
    """The rules about a whole month: their failures are no rows and cost no points."""
    return frozenset(code for code, rule in rules().items() if rule.action is Action.TELL)


def _changed(code: str, change: Any, shipped: Mapping[str, Rule], file: Path) -> Rule:
    """A shipped rule as an OEM changes it: never what later steps rely on (domain.md section 14)."""
    if code not in shipped:
        raise CatalogueError("standards.unknown_rule", file=file, entry=code, known=", ".join(shipped))
    before = shipped[code]
    after = checked(
        {code: before.model_dump() | (change if isinstance(change, Mapping) else {"": change})}, _File, file
    )
    rule = after.root[code]
    if rule.severity is not before.severity and "action" not in change:
        rule = rule.model_copy(update={"action": _USUAL.get(rule.severity, Action.STOP)})
    same = (rule.severity, rule.action, rule.at_reading) == (before.severity, before.action, before.at_reading)
    if same:
        return rule
    if before.fixed or rule.at_reading:
        raise CatalogueError("standards.fixed_rule", file=file, entry=code)
    if rule.action not in _FITS.get(rule.severity, ()):
        raise CatalogueError(
            "standards.bad_override", file=file, entry=code, severity=rule.severity.value, action=rule.action.value
        )
    return rule


def _own(entry: OwnExpectation) -> Rule:
    action = Action(entry.action) if entry.action else _USUAL[entry.severity]
    return Rule(severity=entry.severity, action=action, dimension=Dimension(entry.dimension), owner=entry.owner)
