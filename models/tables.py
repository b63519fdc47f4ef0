"""The tables of the state database; only ``models.ledger`` writes them, and no row object leaves it.

Closed words are stored by value and kept in bounds by CHECK constraints; every table has the business key that
makes a repeated write harmless. Triggers (in the migrations) keep what may never change.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, CheckConstraint, Column, Enum, Index, MetaData, Table, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.database import LocalDateTime, UtcDateTime
from models.enums import EffectVerdict, Gate, OwnerRole, PlanKind, PlanState, PointState, Role, Severity, Step, Word

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def _word(name: str, words: type[Word], *, nullable: bool = False, primary_key: bool = False) -> Any:
    kind = Enum(
        words,
        name=name,
        values_callable=lambda members: [member.value for member in members],
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=32,
    )
    return Field(sa_column=Column(name, kind, nullable=nullable, primary_key=primary_key))


def _instant(*, nullable: bool = False) -> Any:
    return Field(sa_column=Column(UtcDateTime, nullable=nullable))


def _local() -> Any:
    return Field(sa_column=Column(LocalDateTime, nullable=False))


def _json() -> Any:
    return Field(sa_column=Column(JSON(none_as_null=True), nullable=False))


def _cycle_like(column: str = "cycle") -> CheckConstraint:
    return CheckConstraint(f"{column} LIKE '____-__'", name=column)


class State(SQLModel):
    """Base of all state tables: one metadata with named constraints, so that both databases migrate alike."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMING)


class DealerRow(State, table=True):
    """A known organisation; dealers no longer in the network stay, inactive."""

    __tablename__ = "dealers"
    dealer_id: str = Field(primary_key=True)
    name: str
    region_id: str = Field(index=True)
    region_name: str | None
    city: str | None
    tier: str | None
    active: bool
    updated_at: datetime = _instant()


class RunRow(State, table=True):
    """One run of a cycle's flow."""

    __tablename__ = "cycle_runs"
    __table_args__ = (_cycle_like(),)
    run_id: str = Field(primary_key=True)
    cycle: str = Field(index=True)
    source: str
    as_of: datetime = _local()
    state: PointState = _word("state", PointState)
    started_at: datetime = _instant()
    finished_at: datetime | None = _instant(nullable=True)
    host: str
    pid: int
    settings_fingerprint: str
    prefect_flow_run_id: str | None
    message: str


class KeyPointRow(State, table=True):
    """The state of one step of one cycle: owner, deadline, times, counts."""

    __tablename__ = "key_points"
    __table_args__ = (_cycle_like(),)
    cycle: str = Field(primary_key=True)
    step: Step = _word("step", Step, primary_key=True)
    owner: Role = _word("owner", Role)
    due_at: datetime | None = _instant(nullable=True)
    started_at: datetime | None = _instant(nullable=True)
    finished_at: datetime | None = _instant(nullable=True)
    state: PointState = _word("state", PointState)
    late: bool
    prefect_flow_run_id: str | None
    counts: dict[str, Any] = _json()
    note: str


class DealerOutcomeRow(State, table=True):
    """How one step ended for one dealer: a message key and its parameters, never personal data."""

    __tablename__ = "dealer_outcomes"
    __table_args__ = (_cycle_like(),)
    cycle: str = Field(primary_key=True)
    step: Step = _word("step", Step, primary_key=True)
    dealer_id: str = Field(primary_key=True)
    ok: bool
    message: str
    params: dict[str, Any] = _json()
    at: datetime = _instant()


class FileLoadRow(State, table=True):
    """One version of one source file that was loaded into one table."""

    __tablename__ = "file_loads"
    source: str = Field(primary_key=True)
    table_name: str = Field(primary_key=True)
    file: str = Field(primary_key=True)
    sha256: str = Field(primary_key=True)
    rows_in: int
    received: int
    duplicates: int
    quarantined: int
    loaded_at: datetime = _instant()


class QualityResultRow(State, table=True):
    """How many rows of a dealer one expectation checked and failed in a cycle."""

    __tablename__ = "quality_results"
    __table_args__ = (_cycle_like(), CheckConstraint("failed <= checked", name="failed"))
    cycle: str = Field(primary_key=True)
    dealer_id: str = Field(primary_key=True)
    expectation: str = Field(primary_key=True)
    table_name: str
    severity: Severity = _word("severity", Severity)
    failed: int
    checked: int
    suite_version: str


class DealerScoreRow(State, table=True):
    """The quality score of a dealer in a cycle and whether it may be compared."""

    __tablename__ = "dealer_scores"
    __table_args__ = (_cycle_like(), CheckConstraint("score BETWEEN 0 AND 100", name="score"))
    cycle: str = Field(primary_key=True)
    dealer_id: str = Field(primary_key=True)
    row_count: int
    accepted: int
    duplicates: int
    quarantined: int
    held: int
    warned: int
    completeness: float | None
    validity: float | None
    consistency: float | None
    uniqueness: float | None
    timeliness: float | None
    authenticity: float | None
    score: float | None
    gate: Gate = _word("gate", Gate)


class PlanRow(State, table=True):
    """One rectification plan; ``version`` counts its changes and equals the last event's sequence."""

    __tablename__ = "plans"
    __table_args__ = (UniqueConstraint("cycle", "dealer_id"), _cycle_like())
    plan_id: str = Field(primary_key=True)
    cycle: str
    dealer_id: str = Field(index=True)
    region_id: str = Field(index=True)
    kind: PlanKind = _word("kind", PlanKind)
    state: PlanState = _word("state", PlanState)
    note: str
    note_params: dict[str, Any] = _json()
    as_of: datetime = _local()
    fingerprint: str
    version: int
    verdict: EffectVerdict | None = _word("verdict", EffectVerdict, nullable=True)
    carried_into: str | None
    created_at: datetime = _instant()
    issued_at: datetime | None = _instant(nullable=True)
    filed_at: datetime | None = _instant(nullable=True)
    returned_at: datetime | None = _instant(nullable=True)
    approved_at: datetime | None = _instant(nullable=True)
    started_at: datetime | None = _instant(nullable=True)
    done_at: datetime | None = _instant(nullable=True)
    verified_at: datetime | None = _instant(nullable=True)
    closed_at: datetime | None = _instant(nullable=True)


class PlanProblemRow(State, table=True):
    """A problem of a plan with the figures that show it (facts.Problem); empty where a figure is not available."""

    __tablename__ = "plan_problems"
    plan_id: str = Field(primary_key=True, foreign_key="plans.plan_id")
    position: int = Field(primary_key=True)
    fixable: bool
    dealer_id: str
    indicator: str
    reason: str
    numerator: int
    denominator: int
    value: float | None
    expected: float | None
    gap_points: float | None
    lo90: float | None
    hi90: float | None
    q_value: float | None
    deals_at_stake: float | None
    peers: int
    months: list[str] = _json()
    lead_ids: list[str] = _json()
    also: list[str] = _json()


class PlanMeasureRow(State, table=True):
    """A measure: as proposed, as filed by the dealer, as executed; ``registered_*`` was fixed at approval."""

    __tablename__ = "plan_measures"
    __table_args__ = (
        UniqueConstraint("plan_id", "position"),
        _cycle_like("registered_from"),
        CheckConstraint("executed_on IS NULL OR executed", name="executed_on"),
    )
    measure_id: str = Field(primary_key=True)
    plan_id: str = Field(foreign_key="plans.plan_id")
    position: int
    own: bool  # the dealer's own measure, added when it filed
    measure: str
    reason: str
    indicator: str
    owner_role: str
    due_on: date
    baseline: float | None
    target: float | None
    target_points: float | None
    deals_at_stake: float | None
    verify_after_months: int | None
    responsible: OwnerRole | None = _word("responsible", OwnerRole, nullable=True)
    planned_on: date | None
    own_text: str
    executed: bool | None
    partly: bool
    executed_on: date | None
    evidence: str
    registered_at: datetime | None = _instant(nullable=True)
    registered_indicator: str | None
    registered_rule: str | None
    registered_comparison: str | None
    registered_horizon: int | None
    registered_target: float | None
    registered_from: str | None


class PlanEventRow(State, table=True):
    """The history of plans: only ever appended, which a trigger enforces on both databases."""

    __tablename__ = "plan_events"
    __table_args__ = (UniqueConstraint("plan_id", "sequence"),)
    event_id: int | None = Field(default=None, primary_key=True)
    plan_id: str = Field(foreign_key="plans.plan_id")
    sequence: int
    at: datetime = _instant()
    actor: str
    role: Role = _word("role", Role)
    dealer_id: str = Field(index=True)
    action: str
    from_state: PlanState | None = _word("from_state", PlanState, nullable=True)
    to_state: PlanState = _word("to_state", PlanState)
    note: str
    fingerprint: str


class EffectRow(State, table=True):
    """What verification found of one measure at the look of one cycle (facts.Effect)."""

    __tablename__ = "effects"
    __table_args__ = (_cycle_like(),)
    measure_id: str = Field(primary_key=True, foreign_key="plan_measures.measure_id")
    cycle: str = Field(primary_key=True)
    plan_id: str = Field(index=True, foreign_key="plans.plan_id")
    as_of: datetime = _local()
    months: int
    executed: bool | None
    effect_points: float | None
    lo90: float | None
    hi90: float | None
    shrunk_points: float | None
    verdict: EffectVerdict = _word("verdict", EffectVerdict)
    reason_key: str
    target_reached: bool | None
    months_needed: int | None
    numerator: int
    denominator: int


class OutboxRow(State, table=True):
    """A message to an organisation, written with the change it tells of and sent later; never personal data."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_waiting", "sent_at", "message_id"),)
    message_id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    kind: str
    recipient: str
    payload: dict[str, Any] = _json()
    created_at: datetime = _instant()
    sent_at: datetime | None = _instant(nullable=True)
    attempts: int


class PublishedRow(State, table=True):
    """A version of a cycle's result as it was published; a re-judged result is a new version."""

    __tablename__ = "published_results"
    __table_args__ = (_cycle_like(),)
    cycle: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    as_of: datetime = _local()
    path: str
    checksum: str
    row_count: int
    published_at: datetime = _instant()


def table(row: type[State]) -> Table:
    """The SQL table of a row class."""
    return State.metadata.tables[str(row.__tablename__)]
