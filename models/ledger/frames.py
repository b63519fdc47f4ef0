"""The state as tables for export and pages: exactly the columns of exports.md, in their order.

Days are ISO text in the workspace's zone, times ``datetime64`` local without zone, codes and states plain text;
booleans and counts are nullable types. ``cycle`` None: all cycles.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Select, select

from models.catalogue.deadlines import deadlines
from models.database import Database, reading
from models.enums import Step
from models.ledger.drafts import MEASURES
from models.ledger.effects import EFFECTS
from models.ledger.reading import plans
from models.ledger.writing import EVENTS, PLANS
from models.lifecycle import measure_overdue, month_after, overdue
from models.schemas import Measure, Plan
from models.tables import DealerOutcomeRow, DealerScoreRow, KeyPointRow, QualityResultRow, table

_TYPES = {"text": "str", "flag": "boolean", "count": "Int64", "number": "float64", "time": "datetime64[us]"}

PLAN_COLUMNS = {
    "cycle": "text",
    "plan_id": "text",
    "dealer_id": "text",
    "region_id": "text",
    "kind": "text",
    "state": "text",
    "measure_id": "text",
    "measure": "text",
    "indicator": "text",
    "reason": "text",
    "owner_role": "text",
    "due_on": "text",
    "baseline": "number",
    "target": "number",
    "deals_at_stake": "number",
    "verify_after_months": "count",
    "overdue": "flag",
    "issued_on": "text",
    "approved_on": "text",
    "done_on": "text",
    "effect_from": "text",
}
VERDICT_COLUMNS = {
    "cycle": "text",
    "plan_id": "text",
    "measure_id": "text",
    "dealer_id": "text",
    "measure": "text",
    "indicator": "text",
    "months": "count",
    "executed": "flag",
    "effect_points": "number",
    "lo90": "number",
    "hi90": "number",
    "shrunk_points": "number",
    "verdict": "text",
    "target_reached": "flag",
    "months_needed": "count",
}
HISTORY_COLUMNS = {
    "at": "time",
    "actor": "text",
    "role": "text",
    "plan_id": "text",
    "dealer_id": "text",
    "from_state": "text",
    "to_state": "text",
    "note": "text",
}
POINT_COLUMNS = {
    "cycle": "text",
    "stage": "text",
    "owner": "text",
    "due_at": "time",
    "started_at": "time",
    "finished_at": "time",
    "state": "text",
    "late": "flag",
    "prefect_flow_run_id": "text",
}
OUTCOME_COLUMNS = {
    "cycle": "text",
    "step": "text",
    "dealer_id": "text",
    "ok": "flag",
    "message": "text",
    "at": "time",
}
SCORE_COLUMNS = {
    "cycle": "text",
    "dealer_id": "text",
    **dict.fromkeys(("rows", "accepted", "duplicates", "quarantined", "held", "warned"), "count"),
    **dict.fromkeys(
        ("completeness", "validity", "consistency", "uniqueness", "timeliness", "authenticity", "score"), "number"
    ),
    "gate": "text",
}
QUALITY_COLUMNS = {
    "cycle": "text",
    "dealer_id": "text",
    "expectation": "text",
    "table": "text",
    "severity": "text",
    "failed": "count",
    "checked": "count",
    "suite_version": "text",
}


def _frame(db: Database, rows: list[dict[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    def cell(value: Any) -> Any:
        return db.local(value) if isinstance(value, datetime) and value.tzinfo is not None else value

    return pd.DataFrame(
        {name: pd.Series([cell(row.get(name)) for row in rows], dtype=_TYPES[kind]) for name, kind in columns.items()}
    )


def _select(db: Database, wanted: Select[Any]) -> list[dict[str, Any]]:
    with reading(db.url) as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()]


def _day(db: Database, at: datetime | None) -> str | None:
    return None if at is None else db.day(at).isoformat()


def _effect_from(measure: Measure) -> str | None:
    if measure.registration is None:
        return None
    return month_after(measure.executed_on) if measure.executed_on else measure.registration.effect_from


def _plan_rows(db: Database, plan: Plan, at: datetime) -> list[dict[str, Any]]:
    late = overdue(plan, at, deadlines(), db.zone) is not None
    shared = {
        "cycle": plan.cycle,
        "plan_id": plan.plan_id,
        "dealer_id": plan.dealer_id,
        "region_id": plan.region_id,
        "kind": plan.kind.value,
        "state": plan.state.value,
        "overdue": late,
        "issued_on": _day(db, plan.issued_at),
        "approved_on": _day(db, plan.approved_at),
        "done_on": _day(db, plan.done_at),
    }
    running = plan.approved_at is not None or plan.started_at is not None
    return [
        shared
        | {
            "measure_id": measure.measure_id,
            "measure": measure.measure,
            "indicator": measure.indicator,
            "reason": measure.reason,
            "owner_role": measure.owner_role,
            "due_on": measure.due.isoformat(),
            "baseline": measure.baseline,
            "target": measure.target,
            "deals_at_stake": measure.deals_at_stake,
            "verify_after_months": measure.verify_after_months,
            "overdue": measure_overdue(plan, measure, at, db.zone) or (late and not running),
            "effect_from": _effect_from(measure),
        }
        for measure in plan.measures
    ] or [shared]


def plans_frame(db: Database, cycle: str | None = None, *, at: datetime) -> pd.DataFrame:
    """The export ``plans``: a row per measure; a plan without measures ("keep", "data") has one row without them.

    ``overdue`` at the instant ``at``: the plan's awaited step is late, or, once it is running, the measure itself.
    ``due_on`` is the dealer's own day once it has filed one; ``effect_from`` (YYYY-MM) the first month verification
    counts: after execution, after approval where execution is unknown, empty before approval.
    """
    rows = [row for plan in plans(db, cycle) for row in _plan_rows(db, plan, at)]
    return _frame(db, rows, PLAN_COLUMNS)


def verdicts_frame(db: Database, cycle: str | None = None) -> pd.DataFrame:
    """The export ``verdicts``: a row per measure and look; ``cycle`` is that of the look."""
    wanted = (
        select(EFFECTS, PLANS.c.dealer_id, MEASURES.c.measure, MEASURES.c.registered_indicator.label("indicator"))
        .join(MEASURES, MEASURES.c.measure_id == EFFECTS.c.measure_id)
        .join(PLANS, PLANS.c.plan_id == EFFECTS.c.plan_id)
        .order_by(EFFECTS.c.cycle, EFFECTS.c.measure_id)
    )
    if cycle is not None:
        wanted = wanted.where(EFFECTS.c.cycle == cycle)
    return _frame(db, _select(db, wanted), VERDICT_COLUMNS)


def history_frame(
    db: Database, cycle: str | None = None, *, plan_id: str | None = None, dealer_id: str | None = None
) -> pd.DataFrame:
    """The export ``history``: the events of a cycle's plans, of a plan or of a dealer, in their order."""
    wanted = select(EVENTS).order_by(EVENTS.c.event_id)
    if cycle is not None:
        wanted = wanted.join(PLANS, PLANS.c.plan_id == EVENTS.c.plan_id).where(PLANS.c.cycle == cycle)
    for column, value in ((EVENTS.c.plan_id, plan_id), (EVENTS.c.dealer_id, dealer_id)):
        if value is not None:
            wanted = wanted.where(column == value)
    return _frame(db, _select(db, wanted), HISTORY_COLUMNS)


def keypoints_frame(db: Database, cycle: str | None = None) -> pd.DataFrame:
    """The export ``keypoints``: the recorded steps, in the order of the procedure."""
    rows = table(KeyPointRow)
    wanted = select(rows, rows.c.step.label("stage"))
    if cycle is not None:
        wanted = wanted.where(rows.c.cycle == cycle)
    order = list(Step)
    found = sorted(_select(db, wanted), key=lambda row: (row["cycle"], order.index(row["step"])))
    return _frame(db, found, POINT_COLUMNS)


def outcomes_frame(db: Database, cycle: str) -> pd.DataFrame:
    """How each step ended for each dealer: step, dealer_id, ok, message (a key), params, at."""
    rows = table(DealerOutcomeRow)
    found = _select(db, select(rows).where(rows.c.cycle == cycle).order_by(rows.c.step, rows.c.dealer_id))
    return _frame(db, found, OUTCOME_COLUMNS).assign(params=[row["params"] for row in found])


def scores_frame(db: Database, cycle: str | None = None) -> pd.DataFrame:
    """The export ``quality``: the recorded scores by dealer."""
    rows = table(DealerScoreRow)
    wanted = select(rows, rows.c.row_count.label("rows")).order_by(rows.c.cycle, rows.c.dealer_id)
    if cycle is not None:
        wanted = wanted.where(rows.c.cycle == cycle)
    return _frame(db, _select(db, wanted), SCORE_COLUMNS)


def quality_frame(db: Database, cycle: str) -> pd.DataFrame:
    """How many rows of each dealer each expectation checked and failed."""
    rows = table(QualityResultRow)
    wanted = select(rows, rows.c.table_name.label("table")).where(rows.c.cycle == cycle)
    return _frame(db, _select(db, wanted.order_by(rows.c.dealer_id, rows.c.expectation)), QUALITY_COLUMNS)
