"""What OEM, region and dealer do with a plan; every function is one transaction (see ``models.ledger.writing``).

All take the instant ``at`` and the ``actor`` from the caller, answer with the plan as it then stands, and raise
LifecycleError when the life cycle forbids the step. ``seen`` is the plan's version the actor had in front of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from models.catalogue.deadlines import Verification, deadlines
from models.database import Database, writing
from models.enums import PlanState
from models.errors import LifecycleError
from models.ledger.drafts import EMPTY_MEASURE, MEASURES, measure_id
from models.ledger.reading import read_plans
from models.ledger.writing import PLANS, Change, Deed, digest, step, take
from models.lifecycle import Action, StepRefusedError, month_after
from models.schemas import Actor, Execution, Filing, OwnMeasure, Plan

OWN_MEASURE = "own"  # the code of a measure that is the dealer's own, not the playbook's


# ---- issue and file ----


def issue(db: Database, plan_id: str, *, actor: Actor, at: datetime, note: str = "", seen: int | None = None) -> Plan:
    """The OEM issues a drafted plan; its deadlines start to run and the dealer is told."""
    return step(db, plan_id, Action.ISSUE, actor=actor, at=at, note=note, seen=seen)


def issue_cycle(
    db: Database, cycle: str, *, actor: Actor, at: datetime, dealers: Iterable[str] | None = None
) -> tuple[str, ...]:
    """The OEM issues all drafted plans of a cycle (or those of ``dealers``) in one transaction; the ids issued now.

    Repeated, it issues what is still drafted and leaves the rest alone.
    """
    only = None if dealers is None else set(dealers)
    wanted = select(PLANS.c.plan_id).where(PLANS.c.cycle == cycle, PLANS.c.state == PlanState.DRAFTED)
    fingerprint = digest(Action.ISSUE, actor.name, actor.role, actor.organisation, "", None)
    with writing(db.url) as connection:
        found = [plan for plan in read_plans(connection, wanted) if only is None or plan.dealer_id in only]
        for plan in found:
            take(connection, plan, Deed(Action.ISSUE, actor, at, fingerprint=fingerprint))
    return tuple(plan.plan_id for plan in found)


def _check_filing(plan: Plan, filing: Filing) -> None:
    proposed = {measure.measure_id for measure in plan.measures if not measure.own}
    filed = [entry.measure_id for entry in filing.measures]
    missing = proposed.difference(filed)
    unknown = set(filed).difference(proposed)
    if missing or unknown or len(filed) != len(set(filed)):
        raise LifecycleError(
            "lifecycle.filing_incomplete",
            plan=plan.plan_id,
            missing=", ".join(sorted(missing)) or "-",
            unknown=", ".join(sorted(unknown)) or "-",
        )
    issues = {(problem.reason, problem.indicator) for problem in plan.problems}
    for own in filing.own:
        if (own.reason, own.indicator) not in issues:
            raise LifecycleError(
                "lifecycle.own_measure_without_problem",
                plan=plan.plan_id,
                problems=", ".join(f"{reason}/{indicator}" for reason, indicator in sorted(issues)) or "-",
            )


def _own_row(plan: Plan, position: int, own: OwnMeasure) -> dict[str, Any]:
    """An own measure is judged by the same indicator and target as the proposed one for the same problem."""
    like = next((m for m in plan.measures if not m.own and m.indicator == own.indicator), None)
    problem = next(p for p in plan.problems if (p.reason, p.indicator) == (own.reason, own.indicator))
    return EMPTY_MEASURE | {
        "measure_id": measure_id(plan.plan_id, position),
        "plan_id": plan.plan_id,
        "position": position,
        "own": True,
        "measure": OWN_MEASURE,
        "reason": own.reason,
        "indicator": own.indicator,
        "owner_role": own.responsible.value,
        "due_on": own.planned_on,
        "baseline": like.baseline if like else problem.value,
        "target": like.target if like else problem.expected,
        "target_points": like.target_points if like else abs(problem.gap_points),
        "verify_after_months": like.verify_after_months if like else None,
        "responsible": own.responsible,
        "planned_on": own.planned_on,
        "own_text": own.text,
    }


def _write_filing(filing: Filing) -> Change:
    def change(connection: Connection, plan: Plan) -> Mapping[str, Any]:
        _check_filing(plan, filing)
        connection.execute(delete(MEASURES).where(MEASURES.c.plan_id == plan.plan_id, MEASURES.c.own))
        for entry in filing.measures:
            connection.execute(
                update(MEASURES)
                .where(MEASURES.c.measure_id == entry.measure_id)
                .values(responsible=entry.responsible, planned_on=entry.planned_on, own_text=entry.text)
            )
        first = len([measure for measure in plan.measures if not measure.own]) + 1
        rows = [_own_row(plan, position, own) for position, own in enumerate(filing.own, first)]
        if rows:
            connection.execute(insert(MEASURES), rows)
        return {}

    return change


def file(
    db: Database,
    plan_id: str,
    filing: Filing,
    *,
    actor: Actor,
    at: datetime,
    note: str = "",
    seen: int | None = None,
) -> Plan:
    """The dealer files who does each proposed measure, until when and how, and measures of its own.

    Filing again after a return replaces what was filed before. LifecycleError also when a proposed measure is not
    answered, or an own measure belongs to none of the plan's problems.
    """
    content = filing.model_dump(mode="json")
    change = _write_filing(filing)
    return step(db, plan_id, Action.FILE, actor=actor, at=at, note=note, seen=seen, content=content, change=change)


# ---- approve and return ----


def register(db: Database, rule: Verification, at: datetime) -> Change:
    """Fix what will be measured, against whom, by which rule, over which months; a trigger refuses later changes."""

    def change(connection: Connection, plan: Plan) -> Mapping[str, Any]:
        for measure in plan.measures:
            if measure.registration is not None:
                continue
            connection.execute(
                update(MEASURES)
                .where(MEASURES.c.measure_id == measure.measure_id)
                .values(
                    registered_at=at,
                    registered_indicator=measure.indicator,
                    registered_rule=rule.rule,
                    registered_comparison=rule.comparison,
                    registered_horizon=measure.verify_after_months,
                    registered_target=measure.target_points,
                    registered_from=month_after(db.day(at)),
                )
            )
        return {}

    return change


def approve(
    db: Database,
    plan_id: str,
    *,
    actor: Actor,
    at: datetime,
    note: str = "",
    seen: int | None = None,
    rule: Verification | None = None,
) -> Plan:
    """The region approves a filed plan; what verification will measure is fixed now, before anything happens.

    ``rule``: verification rule and comparison, by default those of the catalogue's deadlines.
    """
    change = register(db, rule or deadlines().verification, at)
    return step(db, plan_id, Action.APPROVE, actor=actor, at=at, note=note, seen=seen, change=change)


def return_(db: Database, plan_id: str, *, actor: Actor, at: datetime, note: str, seen: int | None = None) -> Plan:
    """The region sends a filed plan back with a note that says what to change; the dealer files again."""
    return step(db, plan_id, Action.RETURN, actor=actor, at=at, note=note, seen=seen)


# ---- start, report, finish ----


def start(db: Database, plan_id: str, *, actor: Actor, at: datetime, note: str = "", seen: int | None = None) -> Plan:
    """The dealer starts on an approved plan (or on an issued data plan)."""
    return step(db, plan_id, Action.START, actor=actor, at=at, note=note, seen=seen)


def write_executions(executions: Sequence[Execution]) -> Change:
    """Write what became of measures; LifecycleError for a measure that is not the plan's."""

    def change(connection: Connection, plan: Plan) -> Mapping[str, Any]:
        known = {measure.measure_id for measure in plan.measures}
        unknown = [entry.measure_id for entry in executions if entry.measure_id not in known]
        if unknown:
            raise LifecycleError("lifecycle.unknown_measure", plan=plan.plan_id, measure=", ".join(unknown))
        for entry in executions:
            connection.execute(
                update(MEASURES)
                .where(MEASURES.c.measure_id == entry.measure_id)
                .values(
                    executed=entry.executed,
                    executed_on=entry.executed_on,
                    partly=entry.partly,
                    evidence=entry.evidence,
                )
            )
        return {}

    return change


def report(
    db: Database,
    plan_id: str,
    executions: Sequence[Execution] = (),
    *,
    actor: Actor,
    at: datetime,
    note: str = "",
    seen: int | None = None,
) -> Plan:
    """The dealer reports progress on a running plan: which measures were executed, wholly or partly, when, evidence.

    LifecycleError also for a day of execution after ``at``, a measure that is not the plan's, or a change of what was
    reported of a measure after verification has looked at it: the months it judges follow from that day.
    """
    _not_in_future(db, executions, at)
    content = [entry.model_dump(mode="json") for entry in executions]
    write = write_executions(executions)

    def change(connection: Connection, plan: Plan) -> Mapping[str, Any]:
        _not_rewritten(plan, executions)
        return write(connection, plan)

    return step(db, plan_id, Action.REPORT, actor=actor, at=at, note=note, seen=seen, content=content, change=change)


def _not_rewritten(plan: Plan, executions: Iterable[Execution]) -> None:
    judged = {m.measure_id: m for m in plan.measures if m.looks and m.executed is not None}
    for entry in executions:
        known = judged.get(entry.measure_id)
        if known and (known.executed, known.executed_on) != (entry.executed, entry.executed_on):
            raise LifecycleError("lifecycle.already_judged", measure=entry.measure_id)


def _not_in_future(db: Database, executions: Iterable[Execution], at: datetime) -> None:
    today = db.day(at)
    for entry in executions:
        if entry.executed_on is not None and entry.executed_on > today:
            raise LifecycleError("lifecycle.executed_in_future", measure=entry.measure_id, day=entry.executed_on)


def _all_reported(_connection: Connection, plan: Plan) -> Mapping[str, Any]:
    waiting = [measure.measure_id for measure in plan.measures if measure.executed is None]
    if waiting:
        raise StepRefusedError("lifecycle.not_reported", plan=plan.plan_id, measures=", ".join(waiting))
    return {}


def finish(db: Database, plan_id: str, *, actor: Actor, at: datetime, note: str = "", seen: int | None = None) -> Plan:
    """The dealer declares the plan done; refused while a measure is reported neither executed nor not executed."""
    return step(db, plan_id, Action.FINISH, actor=actor, at=at, note=note, seen=seen, change=_all_reported)


# ---- withdraw ----


def withdraw(db: Database, plan_id: str, *, actor: Actor, at: datetime, note: str, seen: int | None = None) -> Plan:
    """The OEM withdraws a plan in any open state, with a note that says why."""
    return step(db, plan_id, Action.WITHDRAW, actor=actor, at=at, note=note, seen=seen)
