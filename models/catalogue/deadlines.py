"""Deadlines of the process as data: the plan's steps, escalation, verification limits, the cycle's key points."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.catalogue.loading import load_toml
from models.catalogue.merging import laid_over
from models.enums import Role, Step
from models.in_force import standard

FILE = Path(__file__).parent / "deadlines.toml"

Moment = Literal["drafted", "issued", "filed", "returned", "approved", "started", "done", "measures_due"]
Awaited = Literal["file", "approve", "start", "finish"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Clause(_Part):
    """So many days after a moment."""

    after: Moment
    days: int = Field(ge=0, le=365)


class PlanDeadline(_Part):
    """Whose duty an awaited action is and until when; the latest clause whose moment has come counts."""

    owner: Role
    clauses: tuple[Clause, ...] = Field(min_length=1)


class Escalation(_Part):
    """Days after a deadline at which region and OEM are told."""

    region_after_days: int = Field(ge=0, le=365)
    oem_after_days: int = Field(ge=0, le=365)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.oem_after_days < self.region_after_days:
            raise ValueError("oem_after_days must not be less than region_after_days")
        return self


class Verification(_Part):
    """What is fixed at approval, and the limit of looks."""

    limit_cycles: int = Field(ge=1, le=24)
    horizon_months: int = Field(ge=1, le=24)
    rule: str = Field(min_length=1)
    comparison: str = Field(min_length=1)


class KeyPointDeadline(_Part):
    """Who answers for a step of the cycle and how many days after the cycle's last day it is due."""

    owner: Role
    days: int = Field(ge=0, le=365)


class FilingDeadline(_Part):
    """How many days after a defeat it is filed at the latest."""

    within_days: int = Field(ge=0, le=365)


class Deadlines(_Part):
    """All deadlines of the process."""

    plan: dict[Awaited, PlanDeadline]
    escalation: Escalation
    verification: Verification
    filing: FilingDeadline
    key_points: dict[Step, KeyPointDeadline]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [str(step) for step in Step if step not in self.key_points]
        if missing:
            raise ValueError(f"key_points lacks {', '.join(missing)}")
        return self


def load_deadlines(file: Path = FILE) -> Deadlines:
    """The deadlines in ``file``; raises CatalogueError naming file, key and remedy when a rule is broken."""
    return load_toml(file, Deadlines)


@standard
def deadlines(folder: Path | None = None) -> Deadlines:
    """The deadlines; ``folder`` may hold an OEM's own ``deadlines.toml``, merged over the shipped one.

    Raises CatalogueError naming file, key and remedy.
    """
    return laid_over(FILE, Deadlines, folder)[0]
