"""From rows to frozen facts: the only place where rows of plans are taken apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select

from models.database import Database, reading
from models.enums import PlanState, PointState, Step
from models.errors import LifecycleError
from models.facts import Problem
from models.lifecycle import TOO_EARLY
from models.schemas import KeyPoint, Measure, Plan, Published, Registration, Run
from models.tables import (
    EffectRow,
    KeyPointRow,
    PlanMeasureRow,
    PlanProblemRow,
    PlanRow,
    PublishedRow,
    RunRow,
    table,
)

_PLANS = table(PlanRow)
_PROBLEMS = table(PlanProblemRow)
_MEASURES = table(PlanMeasureRow)
_EFFECTS = table(EffectRow)
_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in (Plan, Measure, Problem, Run, KeyPoint)}


def _problem(row: RowMapping) -> Problem:
    values = {name: row[name] for name in _NAMES[Problem]}
    values |= {name: float("nan") for name, value in values.items() if value is None}
    return Problem(**values | {name: tuple(row[name]) for name in ("months", "lead_ids", "also")})


def registration(row: RowMapping) -> Registration | None:
    """What was fixed for a measure when its plan was approved; None before."""
    if row["registered_at"] is None:
        return None
    return Registration(
        at=row["registered_at"],
        indicator=row["registered_indicator"],
        rule=row["registered_rule"],
        comparison=row["registered_comparison"],
        horizon_months=row["registered_horizon"],
        target_points=row["registered_target"],
        effect_from=row["registered_from"],
    )


def _measure(row: RowMapping, looks: int) -> Measure:
    names = (name for name in _NAMES[Measure] if name not in {"registration", "looks"})
    return Measure(**{name: row[name] for name in names}, registration=registration(row), looks=looks)


def _plan(row: RowMapping, problems: list[RowMapping], measures: list[RowMapping], looks: Mapping[str, int]) -> Plan:
    parts = {"problems", "not_fixable", "measures"}
    return Plan(
        **{name: row[name] for name in _NAMES[Plan] if name not in parts},
        problems=tuple(_problem(entry) for entry in problems if entry["fixable"]),
        not_fixable=tuple(_problem(entry) for entry in problems if not entry["fixable"]),
        measures=tuple(_measure(entry, looks.get(entry["measure_id"], 0)) for entry in measures),
    )


def _by_plan(rows: Iterable[RowMapping]) -> dict[str, list[RowMapping]]:
    found: dict[str, list[RowMapping]] = defaultdict(list)
    for row in rows:
        found[row["plan_id"]].append(row)
    return found


def read_plans(connection: Connection, wanted: Select[Any]) -> tuple[Plan, ...]:
    """The plans whose ids ``wanted`` selects, by plan id, inside an open transaction."""
    rows = connection.execute(select(_PLANS).where(_PLANS.c.plan_id.in_(wanted)).order_by(_PLANS.c.plan_id))
    plans = rows.mappings().all()
    parts = [
        _by_plan(
            connection.execute(
                select(part).where(part.c.plan_id.in_(wanted)).order_by(part.c.plan_id, part.c.position)
            ).mappings()
        )
        for part in (_PROBLEMS, _MEASURES)
    ]
    problems, measures = parts
    counted = (
        select(_EFFECTS.c.measure_id, func.count(_EFFECTS.c.months.distinct()))
        .where(_EFFECTS.c.plan_id.in_(wanted), _EFFECTS.c.reason_key != TOO_EARLY)
        .group_by(_EFFECTS.c.measure_id)
    )
    looks = {measure: int(count) for measure, count in connection.execute(counted)}
    return tuple(_plan(row, problems.get(row["plan_id"], []), measures.get(row["plan_id"], []), looks) for row in plans)


def read_plan(connection: Connection, plan_id: str) -> Plan:
    """One plan inside an open transaction; LifecycleError when there is none of that id."""
    found = read_plans(connection, select(_PLANS.c.plan_id).where(_PLANS.c.plan_id == plan_id))
    if not found:
        raise LifecycleError("lifecycle.unknown_plan", plan=plan_id)
    return found[0]


def plan(db: Database, plan_id: str) -> Plan:
    """One plan as it stands; LifecycleError when there is none of that id."""
    with reading(db.url) as connection:
        return read_plan(connection, plan_id)


def plans(
    db: Database,
    cycle: str | None = None,
    *,
    dealer_id: str | None = None,
    region_id: str | None = None,
    states: Iterable[PlanState] | None = None,
) -> tuple[Plan, ...]:
    """Plans by cycle, dealer, region and state, in the order of their ids; whatever is not given is not asked."""
    wanted = select(_PLANS.c.plan_id)
    for column, value in ((_PLANS.c.cycle, cycle), (_PLANS.c.dealer_id, dealer_id), (_PLANS.c.region_id, region_id)):
        if value is not None:
            wanted = wanted.where(column == value)
    if states is not None:
        wanted = wanted.where(_PLANS.c.state.in_(list(states)))
    with reading(db.url) as connection:
        return read_plans(connection, wanted)


def runs(db: Database, cycle: str | None = None, state: PointState | None = None) -> tuple[Run, ...]:
    """Runs, oldest first, of a cycle or in a state (``RUNNING`` finds what a killed process left behind)."""
    rows = table(RunRow)
    wanted = select(rows).order_by(rows.c.started_at, rows.c.run_id)
    if cycle is not None:
        wanted = wanted.where(rows.c.cycle == cycle)
    if state is not None:
        wanted = wanted.where(rows.c.state == state)
    with reading(db.url) as connection:
        return tuple(Run(**{name: row[name] for name in _NAMES[Run]}) for row in connection.execute(wanted).mappings())


def key_points(db: Database, cycle: str) -> tuple[KeyPoint, ...]:
    """The recorded steps of a cycle, in the order of the procedure."""
    rows = table(KeyPointRow)
    with reading(db.url) as connection:
        found = connection.execute(select(rows).where(rows.c.cycle == cycle)).mappings().all()
    points = (KeyPoint(**{name: row[name] for name in _NAMES[KeyPoint]}) for row in found)
    order = list(Step)
    return tuple(sorted(points, key=lambda point: order.index(point.step)))


def published(db: Database, cycle: str, name: str) -> tuple[Published, ...]:
    """All published versions of a result, oldest first."""
    rows = table(PublishedRow)
    wanted = select(rows).where(rows.c.cycle == cycle, rows.c.name == name).order_by(rows.c.version)
    with reading(db.url) as connection:
        return tuple(
            Published(
                row["cycle"],
                row["name"],
                row["version"],
                row["as_of"],
                row["path"],
                row["checksum"],
                row["row_count"],
                row["published_at"],
            )
            for row in connection.execute(wanted).mappings()
        )
