"""What goes into the ledger from people (validated) and what comes out of it (frozen facts; never rows)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from models.enums import EffectVerdict, OwnerRole, PlanKind, PlanState, PointState, Role, Step
from models.errors import LifecycleError
from models.facts import Problem

OEM = "oem"  # the OEM's organisation id; dealers and regions have those of the input

_PHONE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def plain(words: str) -> str:
    """Text a person wrote, fit for the history: no control characters; LifecycleError when it holds a mobile number."""
    if _PHONE.search(words):
        raise LifecycleError("lifecycle.personal_data")
    return _CONTROL.sub("", words).strip()


PlainText = Annotated[str, StringConstraints(max_length=2000), AfterValidator(plain)]


# ---- in ----


@dataclass(frozen=True)
class Actor:
    """Who acts: a name for the history (a user name, never a person's full name), a role and its organisation's id."""

    name: str
    role: Role
    organisation: str = ""


SYSTEM = Actor("rematch", Role.SYSTEM)


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FiledMeasure(_Input):
    """What the dealer states about a proposed measure: who (a role), until when, in its own words how."""

    measure_id: str
    responsible: OwnerRole
    planned_on: date
    text: PlainText = ""


class OwnMeasure(_Input):
    """A measure of the dealer's own, tied to one of the plan's problems by reason and indicator."""

    reason: str
    indicator: str
    responsible: OwnerRole
    planned_on: date
    text: Annotated[PlainText, Field(min_length=1)]


class Filing(_Input):
    """What a dealer files on an issued plan: something on every proposed measure, and measures of its own."""

    measures: tuple[FiledMeasure, ...]
    own: tuple[OwnMeasure, ...] = ()


class Execution(_Input):
    """What became of a measure: executed yes (wholly or ``partly``), no, or unknown; when, and what shows it."""

    measure_id: str
    executed: bool | None
    executed_on: date | None = None
    partly: bool = False
    evidence: PlainText = ""  # a description or the path of a file in the workspace

    @model_validator(mode="after")
    def _consistent(self) -> Execution:
        if not self.executed and (self.executed_on is not None or self.partly):
            raise ValueError("a measure that was not executed has neither executed_on nor partly")
        return self


# ---- out ----


@dataclass(frozen=True)
class Registration:
    """What was fixed when the plan was approved; ``horizon_months`` None: judged in the pool only."""

    at: datetime
    indicator: str
    rule: str
    comparison: str
    horizon_months: int | None
    target_points: float | None
    effect_from: str  # YYYY-MM, first whole month after approval


@dataclass(frozen=True)
class Measure:
    """A measure of a plan: as proposed, as filed, as executed, and its pre-registration."""

    measure_id: str
    own: bool
    measure: str
    reason: str
    indicator: str
    owner_role: str
    due_on: date  # as proposed
    planned_on: date | None  # as filed
    responsible: OwnerRole | None
    own_text: str
    baseline: float | None
    target: float | None
    target_points: float | None
    deals_at_stake: float | None
    verify_after_months: int | None
    executed: bool | None
    partly: bool
    executed_on: date | None
    evidence: str
    registration: Registration | None
    looks: int = 0  # of verification, so far

    @property
    def due(self) -> date:
        """The day that counts: the dealer's own once it has filed one, else the proposed one."""
        return self.planned_on or self.due_on


@dataclass(frozen=True)
class Plan:
    """A plan as it stands; times are UTC."""

    plan_id: str
    cycle: str
    dealer_id: str
    region_id: str
    kind: PlanKind
    state: PlanState
    note: str  # message key: why the plan has this kind
    note_params: dict[str, Any]  # the figures of the note
    as_of: datetime  # local
    version: int
    verdict: EffectVerdict | None
    carried_into: str | None
    created_at: datetime
    issued_at: datetime | None
    filed_at: datetime | None
    returned_at: datetime | None
    approved_at: datetime | None
    started_at: datetime | None
    done_at: datetime | None
    verified_at: datetime | None
    closed_at: datetime | None  # closed, carried or withdrawn
    problems: tuple[Problem, ...]
    not_fixable: tuple[Problem, ...]
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class OpenMeasure:
    """A measure that still needs verification in a cycle, with what was fixed at its approval."""

    plan_id: str
    measure_id: str
    cycle: str  # of the plan
    dealer_id: str
    region_id: str
    measure: str
    reason: str
    indicator: str
    baseline: float | None
    target: float | None
    executed: bool | None
    partly: bool
    executed_on: date | None
    registration: Registration
    first_month: str  # YYYY-MM: first whole month after execution, after approval where that is unknown
    months: int  # whole months from first_month to the cycle judged, both included
    looked_at: tuple[int, ...]  # months after execution it was judged at in earlier cycles

    @property
    def looks(self) -> int:
        """How many looks earlier cycles have taken."""
        return len(self.looked_at)


@dataclass(frozen=True)
class DraftsSaved:
    """What saving a cycle's drafts changed, as plan ids."""

    new: tuple[str, ...]
    replaced: tuple[str, ...]
    unchanged: tuple[str, ...]
    kept: tuple[str, ...]  # already issued: never touched


@dataclass(frozen=True)
class ActionsImported:
    """What became of the rows of ``actions``: measure ids, and refused ones with the message key that says why."""

    recorded: tuple[str, ...]
    unchanged: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Run:
    """One run of a cycle's flow; times are UTC, ``as_of`` is local."""

    run_id: str
    cycle: str
    source: str
    as_of: datetime
    state: PointState
    started_at: datetime
    finished_at: datetime | None
    host: str
    pid: int
    settings_fingerprint: str
    prefect_flow_run_id: str | None
    message: str


@dataclass(frozen=True)
class KeyPoint:
    """The state of one step of one cycle; times are UTC."""

    cycle: str
    step: Step
    owner: Role
    due_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    state: PointState
    late: bool
    prefect_flow_run_id: str | None
    counts: dict[str, Any]
    note: str


@dataclass(frozen=True)
class DealerOutcome:
    """How one step ended for one dealer; ``message`` is a message key, ``params`` fill it (never personal data)."""

    dealer_id: str
    ok: bool
    message: str = ""
    params: tuple[tuple[str, str | int | float], ...] = ()


@dataclass(frozen=True)
class FileLoad:
    """One version of one source file loaded into one table."""

    source: str
    table: str
    file: str
    sha256: str
    rows_in: int
    received: int
    duplicates: int
    quarantined: int


@dataclass(frozen=True)
class Dealer:
    """A known organisation."""

    dealer_id: str
    name: str
    region_id: str
    region_name: str | None = None
    city: str | None = None
    tier: str | None = None
    active: bool = True


@dataclass(frozen=True)
class OutboxMessage:
    """A message to an organisation that waits to be sent."""

    message_id: int
    key: str
    kind: str
    recipient: str
    payload: dict[str, Any]
    created_at: datetime
    attempts: int


@dataclass(frozen=True)
class Published:
    """A published version of a cycle's result."""

    cycle: str
    name: str
    version: int
    as_of: datetime
    path: str
    checksum: str
    rows: int
    published_at: datetime
