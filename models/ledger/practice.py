"""The dealer's consent to be named as good practice, and refused requests to change what was fixed at approval."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from models.database import Database, reading, writing
from models.enums import Consent
from models.errors import LifecycleError
from models.ledger.reading import read_plan
from models.ledger.writing import EVENTS, Deed, digest, step, take
from models.lifecycle import Action
from models.schemas import Actor, Plan, plain

_STATES = {Action.ASK: Consent.ASKED, Action.CONSENT: Consent.GIVEN, Action.DECLINE: Consent.DECLINED}


def ask_consent(
    db: Database, plan_id: str, *, actor: Actor, at: datetime, note: str = "", seen: int | None = None
) -> Plan:
    """The OEM asks the dealer of a closed plan whether what worked there may be shown to others under its name."""
    return step(db, plan_id, Action.ASK, actor=actor, at=at, note=note, seen=seen)


def answer_consent(
    db: Database, plan_id: str, *, given: bool, actor: Actor, at: datetime, note: str = "", seen: int | None = None
) -> Plan:
    """The dealer agrees, or not; asked or unasked, and it may change its mind: the last answer counts."""
    action = Action.CONSENT if given else Action.DECLINE
    return step(db, plan_id, action, actor=actor, at=at, note=note, seen=seen)


def consents(db: Database) -> dict[str, Consent]:
    """Where the consent of each plan stands; plans that are missing were never asked."""
    wanted = select(EVENTS.c.plan_id, EVENTS.c.action).where(EVENTS.c.action.in_([one.value for one in _STATES]))
    with reading(db.url) as connection:
        rows = connection.execute(wanted.order_by(EVENTS.c.event_id)).all()
    return {plan_id: _STATES[Action(action)] for plan_id, action in rows}


def request_change(
    db: Database,
    plan_id: str,
    measure_id: str,
    *,
    actor: Actor,
    at: datetime,
    note: str,
    indicator: str | None = None,
    target_points: float | None = None,
    horizon_months: int | None = None,
) -> None:
    """Ask to change what was fixed for a measure at approval: always refused, and the history says who asked for what.

    Raises LifecycleError ``lifecycle.fixed_at_approval`` once the refusal is recorded; before approval, for another's
    plan or an unknown measure, the error says so and nothing is recorded. The same request repeated is recorded once.
    """
    asked = {"indicator": indicator, "target_points": target_points, "horizon_months": horizon_months}
    wish = ", ".join(f"{name}={value}" for name, value in asked.items() if value is not None)
    said = plain(f"refused: {measure_id}: {wish}; {note.strip()}") if note.strip() else ""
    fingerprint = digest(Action.REFIX, actor.name, actor.role, actor.organisation, said)
    with writing(db.url) as connection:
        plan = read_plan(connection, plan_id)
        if measure_id not in {measure.measure_id for measure in plan.measures}:
            raise LifecycleError("lifecycle.unknown_measure", plan=plan_id, measure=measure_id)
        last = select(EVENTS.c.fingerprint).where(EVENTS.c.plan_id == plan_id, EVENTS.c.sequence == plan.version)
        if connection.execute(last).scalar_one_or_none() != fingerprint:
            take(connection, plan, Deed(Action.REFIX, actor, at, said, fingerprint))
    raise LifecycleError("lifecycle.fixed_at_approval", plan=plan_id, measure=measure_id, wish=wish or "-")
