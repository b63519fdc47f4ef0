"""What can be wrong with a row, as data: each rule's severity, action, dimension and owner (``rules.toml``).

The rules of the suites and those found when reading and typing are one list, so that scores, exports and pages treat
them alike. Nothing here imports Great Expectations.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, RootModel

from models.catalogue.loading import load_toml
from models.enums import OwnerRole, Role, Severity, Word

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


class Rule(BaseModel):
    """One rule: how bad it is, what happens, which part of the score it belongs to, who mends it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    severity: Severity
    action: Action
    dimension: Dimension
    owner: OwnerRole | Role

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


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule by its code; raises CatalogueError when the file breaks its form."""
    return MappingProxyType(load_toml(FILE, _File).root)
