"""What follows on a verdict, as data (domain.md section 10): share, next measure, withdraw and visit, extend."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.catalogue.loading import Label, load_toml
from models.catalogue.merging import laid_over
from models.enums import EffectVerdict, Role
from models.in_force import standard

FILE = Path(__file__).parent / "follow_ups.toml"

StepName = Literal["effective", "no_effect", "worse", "extend", "pool_only", "partly", "not_executed"]
STEPS: tuple[StepName, ...] = ("effective", "no_effect", "worse", "extend", "pool_only", "partly", "not_executed")
_DECIDED: dict[EffectVerdict, StepName] = {
    EffectVerdict.EFFECTIVE: "effective",
    EffectVerdict.NO_EFFECT: "no_effect",
    EffectVerdict.WORSE: "worse",
}


class FollowUp(BaseModel):
    """One thing that follows: what becomes of the plan and of the measure, who acts, within how many days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan: Literal["close", "carry", "wait"]
    measure: Literal["share", "next", "withdraw", "again", "keep"]
    owner: Role
    days: int = Field(ge=0, le=365)
    consent: bool
    title: Label
    text: Label


class FollowUps(BaseModel):
    """All that may follow, and the months after execution at which measures are judged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    look_months: tuple[int, ...] = Field(min_length=1)
    cost_per_hour: float | None = Field(None, gt=0, description="CNY of a dealer's working hour; the OEM's to state")
    steps: dict[StepName, FollowUp]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in STEPS if name not in self.steps]
        if missing:
            raise ValueError(f"steps lacks {', '.join(missing)}")
        if list(self.look_months) != sorted(set(self.look_months)) or self.look_months[0] < 1:
            raise ValueError("look_months must be whole months from 1, each larger than the one before")
        waiting = [name for name, step in self.steps.items() if (step.plan == "wait") != (name == "extend")]
        if waiting:
            raise ValueError(f'plan = "wait" belongs to extend, and to extend alone: {", ".join(waiting)}')
        return self


def load_follow_ups(file: Path = FILE) -> FollowUps:
    """The follow-ups in ``file``; raises CatalogueError naming file, key and remedy when a rule is broken."""
    return load_toml(file, FollowUps)


@standard
def follow_ups(folder: Path | None = None) -> FollowUps:
    """The follow-ups; ``folder`` may hold an OEM's own ``follow_ups.toml``, merged over the shipped one.

    Raises CatalogueError naming file, key and remedy.
    """
    return laid_over(FILE, FollowUps, folder)[0]


def next_step(verdict: EffectVerdict, *, looks_left: bool, executed: bool | None, partly: bool = False) -> StepName:
    """What follows on the verdict of a look; ``looks_left``: another look may still decide.

    What was not carried out is never judged, whatever the figures say; ``executed`` None (unknown) counts as done.
    What was carried out ``partly`` and did not show is carried out wholly first.
    """
    if executed is False:
        return "not_executed"
    if verdict in _DECIDED:
        return _DECIDED[verdict]
    if looks_left:
        return "extend"
    return "partly" if partly else "pool_only"
