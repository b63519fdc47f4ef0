"""Saving the plans a cycle proposes: drafts may be replaced until they are issued, issued plans never."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from models.database import Database, writing
from models.enums import PlanState
from models.facts import Cycle, MeasureDraft, PlanDraft, Problem
from models.ledger.writing import EVENTS, PLANS, Deed, digest
from models.lifecycle import Action
from models.schemas import SYSTEM, DraftsSaved
from models.tables import PlanMeasureRow, PlanProblemRow, table

MEASURES = table(PlanMeasureRow)
PROBLEMS = table(PlanProblemRow)
_CHUNK = 5_000  # ids in one statement; SQLite allows 32,766 parameters


def plan_id(cycle: str, dealer_id: str) -> str:
    """The stable business id of a dealer's plan in a cycle: ``2026-10-D001``."""
    return f"{cycle}-{dealer_id}"


def measure_id(of_plan: str, position: int) -> str:
    """The stable business id of the plan's measure at ``position`` (from 1): ``2026-10-D001-1``."""
    return f"{of_plan}-{position}"


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _plain(value: Any) -> Any:
    """Numpy's numbers as Python's own, which JSON takes."""
    return value.item() if hasattr(value, "item") else value


def _problem_row(of_plan: str, position: int, fixable: bool, problem: Problem) -> dict[str, Any]:
    return {
        "plan_id": of_plan,
        "position": position,
        "fixable": fixable,
        "dealer_id": problem.dealer_id,
        "indicator": problem.indicator,
        "reason": problem.reason,
        "numerator": int(problem.numerator),
        "denominator": int(problem.denominator),
        "value": _number(problem.value),
        "expected": _number(problem.expected),
        "gap_points": _number(problem.gap_points),
        "lo90": _number(problem.lo90),
        "hi90": _number(problem.hi90),
        "q_value": _number(problem.q_value),
        "deals_at_stake": _number(problem.deals_at_stake),
        "peers": int(problem.peers),
        "months": list(problem.months),
        "lead_ids": list(problem.lead_ids),
        "also": list(problem.also),
    }


def measure_row(of_plan: str, position: int, draft: MeasureDraft) -> dict[str, Any]:
    """The row of a proposed measure: nothing filed, executed or fixed yet."""
    horizon = draft.verify_after_months
    return EMPTY_MEASURE | {
        "measure_id": measure_id(of_plan, position),
        "plan_id": of_plan,
        "position": position,
        "measure": draft.measure,
        "reason": draft.reason,
        "indicator": draft.indicator,
        "owner_role": str(draft.owner_role),
        "due_on": draft.due_on,
        "baseline": _number(draft.baseline),
        "target": _number(draft.target),
        "target_points": _number(draft.target_points),
        "deals_at_stake": _number(draft.deals_at_stake),
        "verify_after_months": None if horizon is None else int(horizon),
    }


EMPTY_MEASURE: dict[str, Any] = {
    column.name: {"own": False, "partly": False, "own_text": "", "evidence": ""}.get(column.name)
    for column in MEASURES.columns
}


def _plan_row(draft: PlanDraft, cycle: Cycle, fingerprint: str, at: datetime) -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(column.name for column in PLANS.columns)
    return empty | {
        "plan_id": plan_id(cycle.name, draft.dealer_id),
        "cycle": cycle.name,
        "dealer_id": draft.dealer_id,
        "region_id": draft.region_id,
        "kind": draft.kind,
        "state": PlanState.DRAFTED,
        "note": draft.note,
        "note_params": {name: _plain(value) for name, value in draft.note_params.items()},
        "as_of": cycle.as_of,
        "fingerprint": fingerprint,
        "version": 1,
        "created_at": at,
    }


def _parts(draft: PlanDraft, of_plan: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    listed = [(True, problem) for problem in draft.problems] + [(False, problem) for problem in draft.not_fixable]
    problems = [
        _problem_row(of_plan, position, fixable, problem) for position, (fixable, problem) in enumerate(listed, 1)
    ]
    return problems, [measure_row(of_plan, position, measure) for position, measure in enumerate(draft.measures, 1)]


def _replace(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Bring the plan rows of changed drafts up to date and drop their old problems and measures."""
    names = ("region_id", "kind", "note", "note_params", "as_of", "fingerprint", "version")
    connection.execute(
        update(PLANS)
        .where(PLANS.c.plan_id == bindparam("_plan_id"))
        .values({name: bindparam(f"_{name}") for name in names}),
        [{"_plan_id": row["plan_id"], **{f"_{name}": row[name] for name in names}} for row in rows],
    )
    ids = [row["plan_id"] for row in rows]
    for start in range(0, len(ids), _CHUNK):
        for part in (MEASURES, PROBLEMS):
            connection.execute(delete(part).where(part.c.plan_id.in_(ids[start : start + _CHUNK])))


def _insert(connection: Connection, into: Any, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(into), list(rows))


def save_plan_drafts(db: Database, cycle: Cycle, drafts: Iterable[PlanDraft], *, at: datetime) -> DraftsSaved:
    """Save what a cycle proposes, all in one transaction; says which plans are new, replaced, unchanged or kept.

    A draft equal to the saved one changes nothing; a different one replaces it, with a line in the history; a plan
    already issued (or further) is kept as it is. Dealers without a draft here are not touched, so that a cycle can
    save batch by batch. ``cycle.as_of`` is a local time without zone, ``at`` an instant.
    """
    with writing(db.url) as connection:
        there = {
            row["plan_id"]: row
            for row in connection.execute(
                select(PLANS.c.plan_id, PLANS.c.state, PLANS.c.fingerprint, PLANS.c.version)
                .where(PLANS.c.cycle == cycle.name)
                .with_for_update()
            ).mappings()
        }
        saved: dict[str, list[str]] = {"new": [], "replaced": [], "unchanged": [], "kept": []}
        rows: dict[str, list[dict[str, Any]]] = {"new": [], "replaced": []}
        problems, measures, events = [], [], []
        for draft in drafts:
            fingerprint = digest(asdict(draft))
            row = _plan_row(draft, cycle, fingerprint, at)
            known = there.get(row["plan_id"])
            fate = _fate(known, fingerprint)
            saved[fate].append(row["plan_id"])
            if fate not in rows:
                continue
            row["version"] = 1 if known is None else known["version"] + 1
            rows[fate].append(row)
            its_problems, its_measures = _parts(draft, row["plan_id"])
            problems += its_problems
            measures += its_measures
            came_from = None if known is None else PlanState.DRAFTED
            deed = Deed(Action.DRAFT, SYSTEM, at, fingerprint=fingerprint)
            events.append(
                deed.event(row["plan_id"], draft.dealer_id, row["version"], came_from=came_from, to=PlanState.DRAFTED)
            )
        if rows["replaced"]:
            _replace(connection, rows["replaced"])
        for into, new in ((PLANS, rows["new"]), (PROBLEMS, problems), (MEASURES, measures), (EVENTS, events)):
            _insert(connection, into, new)
    return DraftsSaved(**{name: tuple(ids) for name, ids in saved.items()})


def _fate(known: Any, fingerprint: str) -> str:
    if known is None:
        return "new"
    if known["state"] is not PlanState.DRAFTED:
        return "kept"
    return "unchanged" if known["fingerprint"] == fingerprint else "replaced"
