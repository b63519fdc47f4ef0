"""Simulated dealers and regions that answer plans through the ledger, as real ones do: for demonstrations and tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial

from models import ledger
from models.database import Database
from models.enums import OwnerRole, PlanKind, Role
from models.schemas import Actor, Execution, FiledMeasure, Filing, Plan
from tasks.compute.simulation.network import Effects
from tasks.compute.simulation.responses import (
    MeasureResponse,
    PlanFacts,
    PlanMeasure,
    Response,
    combined,
    effects_of,
    respond,
)

Step = tuple[datetime, str, Callable[[], object]]  # when, plan, what


@dataclass
class SimulatedDealers:
    """The people of a simulated network: what they will do about plans, and what has come of it."""

    db: Database
    seed: int
    pending: list[Step] = field(default_factory=list)
    answers: list[tuple[date, Response]] = field(default_factory=list)  # day of issue, answer

    def take(self, plans: Iterable[Plan], cycle: str) -> list[Response]:
        """Decide how the dealers answer the issued plans of ``cycle``; nothing happens before ``live_until``."""
        issued = [plan for plan in plans if plan.issued_at is not None and plan.measures]
        answers = respond([_facts(plan) for plan in issued], self.seed, cycle)
        for plan, answer in zip(issued, answers, strict=True):
            at = plan.issued_at
            if at is None:
                continue
            self.answers.append((self.db.day(at), answer))
            self.pending += _steps(self.db, plan, answer, at)
        return answers

    def live_until(self, moment: datetime) -> int:
        """Do everything that falls before ``moment``, in the order it happens; how many steps were done."""
        due = sorted((step for step in self.pending if step[0] <= moment), key=lambda step: (step[0], step[1]))
        for _, _, act in due:
            act()
        self.pending = [step for step in self.pending if step[0] > moment]
        return len(due)

    def effects_in(self, month: str) -> Effects:
        """What measures executed before ``month`` (YYYY-MM) do to leads that close in it."""
        at_work = [
            replace(
                answer,
                measures=tuple(
                    measure
                    for measure in answer.measures
                    if measure.days_after_issue is not None
                    and f"{issued + timedelta(days=measure.days_after_issue):%Y-%m}" < month
                ),
            )
            for issued, answer in self.answers
        ]
        return combined(*(effects_of([answer]) for answer in at_work))


def _facts(plan: Plan) -> PlanFacts:
    measures = tuple(
        PlanMeasure(measure.measure_id, measure.measure, measure.reason, measure.indicator) for measure in plan.measures
    )
    return PlanFacts(plan.plan_id, plan.dealer_id, measures)


def _steps(db: Database, plan: Plan, answer: Response, issued: datetime) -> Sequence[Step]:
    """What happens to one plan, in order: filed, perhaps returned and filed again, approved, executed, done."""
    dealer = Actor("sales-manager", Role.DEALER, plan.dealer_id)
    region = Actor("region-desk", Role.REGION, plan.region_id)
    steps: list[Step] = []

    def on(days: float, what: Callable[..., object], *arguments: object, actor: Actor, **more: object) -> None:
        at = issued + timedelta(days=days)
        act = partial(what, db, plan.plan_id, *arguments, actor=actor, at=at, **more)
        steps.append((at, plan.plan_id, act))

    if answer.filed_days is None:
        return steps
    filing = _filing(plan)
    on(answer.filed_days, ledger.file, filing, actor=dealer)
    if answer.refiled_days is not None:
        on(answer.filed_days + 1, ledger.return_, actor=region, note="请写明每项措施的具体负责人和日期")
        on(answer.refiled_days, ledger.file, filing, actor=dealer)
    if answer.approved_days is None or plan.kind not in (PlanKind.RECTIFY, PlanKind.COACHING):
        return steps
    on(answer.approved_days, ledger.approve, actor=region)
    on(answer.approved_days + 0.5, ledger.start, actor=dealer)
    last = answer.approved_days + 1.0
    for measure in answer.measures:
        day = answer.approved_days + 1.0 if measure.days_after_issue is None else measure.days_after_issue + 0.5
        on(day, ledger.report, [_execution(db, issued, measure)], actor=dealer)
        last = max(last, day)
    on(last + 1, ledger.finish, actor=dealer)
    return steps


def _filing(plan: Plan) -> Filing:
    measures = tuple(
        FiledMeasure(
            measure_id=measure.measure_id,
            responsible=OwnerRole(measure.owner_role),
            planned_on=measure.due_on,
            text="按辅导方案执行,每周例会检查进度",
        )
        for measure in plan.measures
    )
    return Filing(measures=measures)


def _execution(db: Database, issued: datetime, measure: MeasureResponse) -> Execution:
    if measure.days_after_issue is None:
        return Execution(measure_id=measure.measure_id, executed=False)
    return Execution(
        measure_id=measure.measure_id,
        executed=True,
        executed_on=db.day(issued + timedelta(days=measure.days_after_issue)),
        partly=measure.executed == "partly",
        evidence=measure.evidence,
    )
