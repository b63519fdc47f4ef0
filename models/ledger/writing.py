"""The one way a plan changes: state, history and outbox in one transaction (domain.md section 9).

A step repeated by the same actor with the same content changes nothing, so that a run killed half-way can run again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from models.database import Database, writing
from models.enums import PlanState, Role
from models.errors import LifecycleError
from models.ledger.reading import read_plan
from models.lifecycle import Action, StepRefusedError, Transition, check, organisation
from models.schemas import Actor, Plan, plain
from models.tables import OutboxRow, PlanEventRow, PlanRow, table

PLANS = table(PlanRow)
EVENTS = table(PlanEventRow)
OUTBOX = table(OutboxRow)

Change = Callable[[Connection, Plan], Mapping[str, Any]]
"""Writes what belongs to a step besides the state; returns further columns of the plan to set."""


def digest(*parts: object) -> str:
    """A fingerprint of the content of a step or draft."""
    content = json.dumps(parts, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def upsert(
    connection: Connection, into: Table, rows: list[dict[str, Any]], *, keep: bool = False, keys: tuple[str, ...] = ()
) -> None:
    """Insert ``rows``, replacing (or, with ``keep``, leaving alone) those whose business key is already there."""
    if not rows:
        return
    key = list(keys) or [column.name for column in into.primary_key]
    flavour = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = flavour.insert(into)
    rest = {name: statement.excluded[name] for name in rows[0] if name not in key}
    if keep or not rest:
        connection.execute(statement.on_conflict_do_nothing(index_elements=key), rows)
    else:
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_=rest), rows)


def _messages(plan: Plan, line: Transition, sequence: int, deed: Deed) -> list[dict[str, Any]]:
    return [
        {
            "key": f"plan:{plan.plan_id}:{sequence}:{role}",
            "kind": f"plan_{line.action}",
            "recipient": organisation(plan, role),
            "payload": {"plan_id": plan.plan_id, "cycle": plan.cycle, "dealer_id": plan.dealer_id, "note": deed.note},
            "created_at": deed.at,
            "sent_at": None,
            "attempts": 0,
        }
        for role in line.tells
    ]


@dataclass(frozen=True)
class Deed:
    """Who does what, when, and why; ``fingerprint`` tells a repetition from a new deed."""

    action: Action
    actor: Actor
    at: datetime
    note: str = ""
    fingerprint: str = ""

    def event(
        self, plan_id: str, dealer_id: str, sequence: int, *, came_from: PlanState | None, to: PlanState
    ) -> dict[str, Any]:
        """The deed's row in the history."""
        return {
            "plan_id": plan_id,
            "dealer_id": dealer_id,
            "sequence": sequence,
            "at": self.at,
            "actor": self.actor.name,
            "role": self.actor.role,
            "action": self.action.value,
            "from_state": came_from,
            "to_state": to,
            "note": self.note,
            "fingerprint": self.fingerprint,
        }


def take(connection: Connection, plan: Plan, deed: Deed, change: Change | None = None) -> None:
    """Take one step inside an open transaction; StepRefusedError when it is not allowed or somebody was quicker."""
    line = check(plan, deed.action, deed.actor, deed.note)
    sequence = plan.version + 1
    to = line.to or plan.state
    values: dict[str, Any] = {"version": sequence, "state": to}
    if line.sets:
        values[line.sets] = deed.at
    # The plan is claimed before anything else is written: of two writers one finds no row of its version left.
    claimed = connection.execute(
        update(PLANS).where(PLANS.c.plan_id == plan.plan_id, PLANS.c.version == plan.version).values(values)
    )
    if claimed.rowcount != 1:
        raise StepRefusedError("lifecycle.changed_meanwhile", plan=plan.plan_id, action=deed.action)
    further = change(connection, plan) if change else {}
    if further:
        connection.execute(update(PLANS).where(PLANS.c.plan_id == plan.plan_id).values(dict(further)))
    event = deed.event(plan.plan_id, plan.dealer_id, sequence, came_from=plan.state, to=to)
    connection.execute(insert(EVENTS), [event])
    upsert(connection, OUTBOX, _messages(plan, line, sequence, deed), keep=True, keys=("key",))


def _may_see(plan: Plan, actor: Actor) -> bool:
    return actor.role not in {Role.DEALER, Role.REGION} or actor.organisation == organisation(plan, actor.role)


def _repeated(connection: Connection, plan: Plan, fingerprint: str) -> bool:
    last = connection.execute(
        select(EVENTS.c.fingerprint).where(EVENTS.c.plan_id == plan.plan_id, EVENTS.c.sequence == plan.version)
    ).scalar_one_or_none()
    return bool(last == fingerprint)


def step(
    db: Database,
    plan_id: str,
    action: Action,
    *,
    actor: Actor,
    at: datetime,
    note: str = "",
    seen: int | None = None,
    content: object = None,
    change: Change | None = None,
) -> Plan:
    """Take one step with a plan and return it as it then stands.

    ``seen`` is the version the actor had in front of it: if the plan has changed since, StepRefusedError
    (``lifecycle.changed_meanwhile``). The same step with the same ``content`` by the same actor, repeated as the
    plan's last one, changes nothing. LifecycleError for an unknown plan, a forbidden step, a missing note or a note
    that holds personal data.
    """
    note = plain(note)
    fingerprint = digest(action, actor.name, actor.role, actor.organisation, note, content)
    with writing(db.url) as connection:
        plan = read_plan(connection, plan_id)
        if not _may_see(plan, actor):
            raise LifecycleError("lifecycle.unknown_plan", plan=plan_id)
        if _repeated(connection, plan, fingerprint):
            return plan
        if seen is not None and seen != plan.version:
            raise StepRefusedError("lifecycle.changed_meanwhile", plan=plan_id, action=action)
        take(connection, plan, Deed(action, actor, at, note, fingerprint), change)
        return read_plan(connection, plan_id)
