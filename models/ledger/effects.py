"""Verification in the ledger: which measures still need a look, what was found, what follows (domain.md section 10)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from models.catalogue.deadlines import deadlines
from models.catalogue.follow_ups import follow_ups, next_step
from models.database import Database, reading, writing
from models.enums import EffectVerdict, Gate, PlanKind, PlanState
from models.errors import LifecycleError
from models.facts import Cycle, Effect
from models.ledger.drafts import MEASURES
from models.ledger.reading import read_plan, read_plans, registration
from models.ledger.writing import PLANS, Change, Deed, step, take, upsert
from models.lifecycle import Action, Look, concluded, looked_at, month_after, months_through, plan_verdict
from models.schemas import SYSTEM, Actor, OpenMeasure, Plan
from models.tables import EffectRow, table

EFFECTS = table(EffectRow)
_UNJUDGED = (PlanState.APPROVED, PlanState.IN_PROGRESS, PlanState.DONE)


def _looks(connection: Connection, before: str | None = None, upto: str | None = None) -> dict[str, list[Look]]:
    """Each measure's looks, oldest first, of cycles before or up to one."""
    columns = (EFFECTS.c.measure_id, EFFECTS.c.months, EFFECTS.c.verdict, EFFECTS.c.reason_key)
    wanted = select(*columns).order_by(EFFECTS.c.cycle)
    if before is not None:
        wanted = wanted.where(EFFECTS.c.cycle < before)
    if upto is not None:
        wanted = wanted.where(EFFECTS.c.cycle <= upto)
    found: dict[str, list[Look]] = defaultdict(list)
    for measure, months, verdict, reason_key in connection.execute(wanted):
        found[measure].append(Look(months, verdict, reason_key))
    return found


def open_measures(db: Database, cycle: str) -> tuple[OpenMeasure, ...]:
    """The approved measures that ``cycle`` is to look at, in the order of their ids.

    A measure is open while no look of an *earlier* cycle decided and its looks are not used up (one that came too early
    uses none, ``lifecycle.concluded``), its plan is not withdrawn, and at least one whole month lies between execution
    (approval where execution is unknown) and the end of ``cycle``. Looks of ``cycle`` itself do not count, so that a
    repeated run judges the same measures.
    """
    rules, last = deadlines(), follow_ups().look_months[-1]
    wanted = (
        select(MEASURES, PLANS.c.cycle, PLANS.c.dealer_id, PLANS.c.region_id)
        .join(PLANS, PLANS.c.plan_id == MEASURES.c.plan_id)
        .where(MEASURES.c.registered_at.is_not(None), PLANS.c.state != PlanState.WITHDRAWN)
        .order_by(MEASURES.c.measure_id)
    )
    with reading(db.url) as connection:
        looks = _looks(connection, before=cycle)
        rows = connection.execute(wanted).mappings().all()
    found = []
    for row in rows:
        fixed = registration(row)
        earlier = looks.get(row["measure_id"], [])
        if fixed is None or concluded(earlier, rules, last):
            continue
        first = month_after(row["executed_on"]) if row["executed_on"] else fixed.effect_from
        months = months_through(first, cycle)
        if months < 1:
            continue
        found.append(
            OpenMeasure(
                plan_id=row["plan_id"],
                measure_id=row["measure_id"],
                cycle=row["cycle"],
                dealer_id=row["dealer_id"],
                region_id=row["region_id"],
                measure=row["measure"],
                reason=row["reason"],
                indicator=fixed.indicator,
                baseline=row["baseline"],
                target=row["target"],
                executed=row["executed"],
                partly=row["partly"],
                executed_on=row["executed_on"],
                registration=fixed,
                first_month=first,
                months=months,
                looked_at=tuple(sorted(looked_at(earlier))),
            )
        )
    return tuple(found)


def _figure(value: Any) -> Any:
    """Numbers as the drivers know them: numpy's own become Python's, NaN becomes empty."""
    if value is None or value != value:  # noqa: PLR0124  NaN is not equal to itself
        return None
    return value.item() if hasattr(value, "item") else value


def record_effects(db: Database, cycle: Cycle, effects: Iterable[Effect], *, at: datetime) -> int:
    """Record the look of ``cycle`` at measures; a repeated look of the same cycle replaces it. How many were recorded.

    LifecycleError when a measure is unknown or nothing was fixed for it at approval: such a look would not be one.
    ``at`` is when the plan's history may say that the look was made.
    """
    if at.tzinfo is None:
        raise ValueError("at needs a time zone")
    rows = []
    for effect in effects:
        values = {name: _figure(value) for name, value in asdict(effect).items()}
        rows.append(values | {"cycle": cycle.name, "as_of": cycle.as_of})
    with writing(db.url) as connection:
        known = set(
            connection.execute(select(MEASURES.c.measure_id).where(MEASURES.c.registered_at.is_not(None))).scalars()
        )
        for row in rows:
            if row["measure_id"] not in known:
                raise LifecycleError("lifecycle.not_registered", measure=row["measure_id"])
        upsert(connection, EFFECTS, rows)
    return len(rows)


# ---- what follows ----


def _set(**values: object) -> Change:
    def change(_connection: Connection, _plan: Plan) -> Mapping[str, Any]:
        return values

    return change


def verify(
    db: Database, plan_id: str, verdict: EffectVerdict, *, at: datetime, actor: Actor = SYSTEM, note: str = ""
) -> Plan:
    """The system gives a plan its verdict; LifecycleError when the plan is not in a state to be judged."""
    change = _set(verdict=verdict)
    return step(
        db, plan_id, Action.VERIFY, actor=actor, at=at, note=note or verdict.value, content=verdict.value, change=change
    )


def close(db: Database, plan_id: str, *, actor: Actor, at: datetime, note: str = "", seen: int | None = None) -> Plan:
    """A verified plan (or an issued "keep" report) is closed."""
    return step(db, plan_id, Action.CLOSE, actor=actor, at=at, note=note, seen=seen)


def carry(
    db: Database, plan_id: str, *, actor: Actor, at: datetime, into: str, note: str = "", seen: int | None = None
) -> Plan:
    """What is not solved is taken up again in the cycle ``into``; a plan nobody answered needs a note."""
    change = _set(carried_into=into)
    return step(db, plan_id, Action.CARRY, actor=actor, at=at, note=note, seen=seen, content=into, change=change)


@dataclass(frozen=True)
class Settled:
    """A plan that came to its end: its verdict and final state."""

    plan_id: str
    dealer_id: str
    verdict: EffectVerdict
    state: PlanState


def _end(connection: Connection, plan: Plan, verdict: EffectVerdict, cycle: str, at: datetime) -> Settled:
    take(connection, plan, Deed(Action.VERIFY, SYSTEM, at, verdict.value), _set(verdict=verdict))
    verified = read_plan(connection, plan.plan_id)
    if follow_ups().steps[next_step(verdict, looks_left=False, executed=None)].plan == "close":
        take(connection, verified, Deed(Action.CLOSE, SYSTEM, at))
        return Settled(plan.plan_id, plan.dealer_id, verdict, PlanState.CLOSED)
    take(connection, verified, Deed(Action.CARRY, SYSTEM, at), _set(carried_into=cycle))
    return Settled(plan.plan_id, plan.dealer_id, verdict, PlanState.CARRIED)


def settle(db: Database, cycle: str, *, at: datetime) -> tuple[Settled, ...]:
    """Give every plan whose measures need no further look its verdict; what follows is that of ``follow_ups.toml``.

    Called once the looks of ``cycle`` are recorded; repeated, it finds nothing left to do. One transaction.
    """
    rules, last = deadlines(), follow_ups().look_months[-1]
    wanted = select(PLANS.c.plan_id).where(
        PLANS.c.state.in_(_UNJUDGED), PLANS.c.kind.in_((PlanKind.RECTIFY, PlanKind.COACHING)), PLANS.c.cycle < cycle
    )
    settled = []
    with writing(db.url) as connection:
        looks = _looks(connection, upto=cycle)
        for plan in read_plans(connection, wanted):
            its = [looks.get(measure.measure_id, []) for measure in plan.measures]
            if its and all(concluded(seen, rules, last) for seen in its):
                verdict = plan_verdict(seen[-1].verdict for seen in its)
                settled.append(_end(connection, plan, verdict, cycle, at))
    return tuple(settled)


def settle_short(db: Database, cycle: str, gates: Mapping[str, Gate], *, at: datetime) -> tuple[Settled, ...]:
    """End the plans of earlier cycles that have no measures to verify.

    "Keep" reports close. Data plans are judged by the dealer's gate in ``cycle``: data good enough again closes the
    plan as effective, still failing carries it over; a dealer without a gate is left alone. One transaction.
    """
    short = {PlanKind.KEEP: (PlanState.ISSUED,), PlanKind.DATA: (PlanState.ISSUED, *_UNJUDGED[1:])}
    settled = []
    with writing(db.url) as connection:
        for kind, states in short.items():
            wanted = select(PLANS.c.plan_id).where(
                PLANS.c.kind == kind, PLANS.c.state.in_(states), PLANS.c.cycle < cycle
            )
            for plan in read_plans(connection, wanted):
                if kind is PlanKind.KEEP:
                    take(connection, plan, Deed(Action.CLOSE, SYSTEM, at))
                elif plan.dealer_id in gates:
                    failing = gates[plan.dealer_id] is Gate.FAIL
                    verdict = EffectVerdict.NO_EFFECT if failing else EffectVerdict.EFFECTIVE
                    settled.append(_end(connection, plan, verdict, cycle, at))
    return tuple(settled)
