"""What the ledger says of the loop: plans filed and answered in time, measures done and effective, problems back."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from models import ledger
from models.catalogue.deadlines import deadlines
from models.catalogue.indicators import Group, indicators
from models.database import Database
from models.enums import EffectVerdict, PlanKind, PlanState
from models.ledger.frames import history_frame, verdicts_frame
from models.lifecycle import CONCLUSIVE
from models.schemas import Plan
from tasks.compute.loop import COUNT_COLUMNS, answered, duty_counts, loop_table
from tasks.job import Job

_FILED_PLANS = (PlanKind.RECTIFY, PlanKind.COACHING)


def loop_indicators(job: Job) -> pd.DataFrame:
    """The loop's rows of the cycle's ``indicators``, from plans of earlier cycles and the looks taken so far."""
    db = Database.of(job.workspace)
    as_of = pd.Timestamp(job.cycle.as_of)
    plans = {plan.plan_id: plan for plan in ledger.plans(db) if plan.cycle < job.cycle.name}
    parts = [*_duties(db, plans, as_of), *_verdicts(db, plans, job.cycle.name)]
    counts = pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=COUNT_COLUMNS)])
    codes = [one.code for one in indicators().indicators.values() if one.group is Group.LOOP and one.computed]
    return loop_table(counts.astype({"numerator": "float64", "denominator": "float64"}), job.cycle.name, codes)


def _duties(db: Database, plans: dict[str, Plan], as_of: pd.Timestamp) -> Iterator[pd.DataFrame]:
    history, rules = history_frame(db), deadlines().plan
    history = history[history["plan_id"].isin([name for name, one in plans.items() if one.kind in _FILED_PLANS])]
    for code, asked, answers, action in (
        ("plans_filed_in_time", PlanState.ISSUED, (PlanState.FILED,), "file"),
        ("plans_approved_in_time", PlanState.FILED, (PlanState.APPROVED, PlanState.RETURNED), "approve"),
    ):
        days = rules[action].clauses[0].days  # type: ignore[index]
        duties = answered(history, asked.value, [state.value for state in answers], days)
        yield duty_counts(code, _placed(duties, plans), as_of)
    registered = [
        {"plan_id": plan.plan_id, "due": pd.Timestamp(one.due), "kept": one.executed is True}
        for plan in plans.values()
        for one in plan.measures
        if one.registration is not None
    ]
    done = pd.DataFrame(registered, columns=["plan_id", "due", "kept"]).astype({"due": "datetime64[us]"})
    yield duty_counts("measures_done", _placed(done, plans), as_of)


def _placed(rows: pd.DataFrame, plans: dict[str, Plan]) -> pd.DataFrame:
    return rows.assign(
        dealer_id=[plans[name].dealer_id for name in rows["plan_id"]],
        region_id=[plans[name].region_id for name in rows["plan_id"]],
    )


def _verdicts(db: Database, plans: dict[str, Plan], cycle: str) -> Iterator[pd.DataFrame]:
    """Conclusive looks at measures that were not left undone, in the month of their cycle; what came back since."""
    looks = verdicts_frame(db)
    looks = looks[looks["verdict"].isin([one.value for one in CONCLUSIVE]) & looks["plan_id"].isin(list(plans))]
    looks = _placed(looks[looks["executed"].fillna(True).astype(bool) & (looks["cycle"] <= cycle)], plans)
    effective = (looks["verdict"] == EffectVerdict.EFFECTIVE.value).astype("float64")
    yield looks.assign(indicator="measures_effective", month=looks["cycle"], numerator=effective, denominator=1.0)[
        COUNT_COLUMNS
    ]
    worked = looks[effective > 0]
    issued = [plans[name].issued_at for name in worked["plan_id"]]
    ends = [pd.Period(month, "M").end_time.normalize() for month in worked["cycle"]]
    days = [
        float((end - pd.Timestamp(db.day(at))).days) if at is not None else float("nan")
        for end, at in zip(ends, issued, strict=True)
    ]
    timed = worked.assign(indicator="days_to_effect", month=worked["cycle"], numerator=days, denominator=1.0)
    yield timed.loc[timed["numerator"].notna(), COUNT_COLUMNS]
    yield _returned(worked, plans, cycle)


def _returned(worked: pd.DataFrame, plans: dict[str, Plan], cycle: str) -> pd.DataFrame:
    """Problems solved in the twelve months before ``cycle``, and whether a later plan names the same reason again."""
    since = str(pd.Period(cycle, "M") - 12)
    reason = {one.measure_id: one.reason for plan in plans.values() for one in plan.measures}
    recent = worked[(worked["cycle"] >= since) & (worked["cycle"] < cycle)]
    columns = (recent[name].astype("str") for name in ("dealer_id", "measure_id", "region_id", "cycle"))
    solved = {
        (dealer, reason.get(measure, "")): (region, month)
        for dealer, measure, region, month in zip(*columns, strict=True)
    }
    again = {
        (dealer, code)
        for (dealer, code), (_, month) in solved.items()
        for plan in plans.values()
        if plan.dealer_id == dealer and plan.cycle > month and code in {one.reason for one in plan.problems}
    }
    rows = [
        ("problems_returned", cycle, key[0], region, float(key in again), 1.0) for key, (region, _) in solved.items()
    ]
    return pd.DataFrame(rows, columns=COUNT_COLUMNS)
