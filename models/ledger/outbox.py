"""Messages to organisations: written with the change they tell of, sent later, once by business key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from models.catalogue.deadlines import deadlines
from models.database import Database, reading, writing
from models.enums import Role
from models.ledger.reading import read_plans
from models.ledger.writing import OUTBOX, PLANS, upsert
from models.lifecycle import OPEN, organisation, overdue
from models.schemas import OutboxMessage, Plan


def waiting(db: Database, limit: int = 500) -> tuple[OutboxMessage, ...]:
    """The messages not yet sent, oldest first."""
    wanted = select(OUTBOX).where(OUTBOX.c.sent_at.is_(None)).order_by(OUTBOX.c.message_id).limit(limit)
    with reading(db.url) as connection:
        return tuple(
            OutboxMessage(
                row["message_id"],
                row["key"],
                row["kind"],
                row["recipient"],
                row["payload"],
                row["created_at"],
                row["attempts"],
            )
            for row in connection.execute(wanted).mappings()
        )


def enqueue(db: Database, key: str, kind: str, recipient: str, payload: Mapping[str, Any], *, at: datetime) -> None:
    """Put a message into the outbox; a key already known is left alone. ``payload`` carries no personal data."""
    row = {
        "key": key,
        "kind": kind,
        "recipient": recipient,
        "payload": dict(payload),
        "created_at": at,
        "sent_at": None,
        "attempts": 0,
    }
    with writing(db.url) as connection:
        upsert(connection, OUTBOX, [row], keep=True, keys=("key",))


def mark_sent(db: Database, message_ids: Iterable[int], *, at: datetime) -> None:
    """Record that messages were sent; the first time counts."""
    with writing(db.url) as connection:
        connection.execute(
            update(OUTBOX)
            .where(OUTBOX.c.message_id.in_(list(message_ids)), OUTBOX.c.sent_at.is_(None))
            .values(sent_at=at, attempts=OUTBOX.c.attempts + 1)
        )


def mark_failed(db: Database, message_ids: Iterable[int]) -> None:
    """Record an attempt that failed; the messages go on waiting."""
    with writing(db.url) as connection:
        connection.execute(
            update(OUTBOX)
            .where(OUTBOX.c.message_id.in_(list(message_ids)), OUTBOX.c.sent_at.is_(None))
            .values(attempts=OUTBOX.c.attempts + 1)
        )


_LEVELS = (Role.DEALER, Role.REGION, Role.OEM)


def _reminders(plan: Plan, db: Database, at: datetime) -> list[dict[str, Any]]:
    late = overdue(plan, at, deadlines(), db.zone)
    if late is None:
        return []
    told = _LEVELS[_LEVELS.index(late.owner) : _LEVELS.index(late.level) + 1]
    return [
        {
            "key": f"overdue:{plan.plan_id}:{late.action}:{late.since}:{role}",
            "kind": "plan_overdue",
            "recipient": organisation(plan, role),
            "payload": {
                "plan_id": plan.plan_id,
                "cycle": plan.cycle,
                "dealer_id": plan.dealer_id,
                "action": late.action.value,
                "since": late.since.isoformat(),
            },
            "created_at": at,
            "sent_at": None,
            "attempts": 0,
        }
        for role in told
    ]


def remind(db: Database, *, at: datetime) -> tuple[str, ...]:
    """Remind of everything overdue at ``at``, each level (dealer, region, OEM) once per lateness; ids of late plans."""
    wanted = select(PLANS.c.plan_id).where(PLANS.c.state.in_(OPEN))
    with writing(db.url) as connection:
        rows = [row for plan in read_plans(connection, wanted) for row in _reminders(plan, db, at)]
        upsert(connection, OUTBOX, rows, keep=True, keys=("key",))
    return tuple(sorted({row["payload"]["plan_id"] for row in rows}))
