"""What dealers did on plans they keep in their own system: the table ``actions`` (domain.md section 14)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from models.catalogue.deadlines import deadlines
from models.database import Database, writing
from models.enums import Role
from models.ledger.reading import read_plans
from models.ledger.steps import register, write_executions
from models.ledger.writing import PLANS, Change, Deed, take
from models.lifecycle import Action, allowed
from models.schemas import SYSTEM, ActionsImported, Execution, Measure, Plan, plain


@dataclass(frozen=True)
class ReportedAction:
    """A row of the table ``actions``: no day of execution means not executed."""

    plan_id: str
    measure_id: str
    dealer_id: str
    executed_on: date | None
    evidence: str = ""


def _how(plan: Plan) -> Action | None:
    """The step by which the system may record executions on the plan; None when it is not running any more."""
    possible = allowed(plan.state, Role.SYSTEM, plan.kind)
    return next((action for action in (Action.REPORT, Action.ADOPT) if action in possible), None)


def _known(measure: Measure, row: ReportedAction) -> bool:
    """Whether the ledger already says what the row says; an empty evidence says nothing."""
    if (measure.executed, measure.executed_on) != (row.executed_on is not None, row.executed_on):
        return False
    return not row.evidence or measure.evidence == plain(row.evidence)


def _refusal(plan: Plan | None, row: ReportedAction, today: date) -> str:
    """The message key that says why a row is refused; empty when it is not."""
    if plan is None or plan.dealer_id != row.dealer_id:
        return "lifecycle.unknown_plan"
    measure = next((measure for measure in plan.measures if measure.measure_id == row.measure_id), None)
    if measure is None:
        return "lifecycle.unknown_measure"
    if row.executed_on is not None and row.executed_on > today:
        return "lifecycle.executed_in_future"
    return "" if _how(plan) or _known(measure, row) else "lifecycle.over"


def _change(db: Database, rows: Sequence[ReportedAction], at: datetime) -> Change:
    write = write_executions(
        [
            Execution(
                measure_id=row.measure_id,
                executed=row.executed_on is not None,
                executed_on=row.executed_on,
                evidence=row.evidence,
            )
            for row in rows
        ]
    )
    fix = register(db, deadlines().verification, at)

    def change(connection: Connection, plan: Plan) -> Mapping[str, Any]:
        fix(connection, plan)
        return write(connection, plan)

    return change


def import_actions(db: Database, rows: Iterable[ReportedAction], *, at: datetime, note: str) -> ActionsImported:
    """Record what dealers did on their plans according to the table ``actions``; ``note`` names where it comes from.

    A plan that was not yet running is taken over as running (the dealer works in its own system), and what
    verification will measure is fixed then. Rows equal to what is known change nothing. Refused rows (unknown plan or
    measure, another dealer's plan, a day in the future, a plan that is done or over) come back with a message key.
    """
    by_plan: dict[str, list[ReportedAction]] = defaultdict(list)
    for row in rows:
        by_plan[row.plan_id].append(row)
    today = db.day(at)
    recorded: list[str] = []
    unchanged: list[str] = []
    refused: list[tuple[str, str]] = []
    with writing(db.url) as connection:
        wanted = select(PLANS.c.plan_id).where(PLANS.c.plan_id.in_(sorted(by_plan)))
        plans = {plan.plan_id: plan for plan in read_plans(connection, wanted)}
        for plan_id, its in by_plan.items():
            plan = plans.get(plan_id)
            reasons = [(row, _refusal(plan, row, today)) for row in its]
            refused += [(row.measure_id, reason) for row, reason in reasons if reason]
            if plan is None:
                continue
            measures = {measure.measure_id: measure for measure in plan.measures}
            good = [row for row, reason in reasons if not reason]
            new = [row for row in good if not _known(measures[row.measure_id], row)]
            unchanged += [row.measure_id for row in good if row not in new]
            recorded += [row.measure_id for row in new]
            action = _how(plan)
            if new and action is not None:
                take(connection, plan, Deed(action, SYSTEM, at, plain(note)), _change(db, new, at))
    return ActionsImported(tuple(recorded), tuple(unchanged), tuple(refused))
