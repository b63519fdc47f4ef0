"""Small plans for the tests of state."""

from datetime import UTC, date, datetime, timedelta

from models.enums import EffectVerdict, OwnerRole, PlanKind, Role
from models.facts import Cycle, Effect, MeasureDraft, PlanDraft, Problem
from models.schemas import SYSTEM, Actor, Execution, FiledMeasure, Filing

CYCLE = Cycle("2026-10", datetime(2026, 11, 1))
MONDAY = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)  # nine in the morning in Shanghai
OEM = Actor("oem-user", Role.OEM, "oem")


def day(number, hour=0):
    """So many days after the Monday on which plans are issued."""
    return MONDAY + timedelta(days=number, hours=hour)


def dealer(dealer_id="D001"):
    return Actor(f"user-of-{dealer_id}", Role.DEALER, dealer_id)


def region(region_id="R1"):
    return Actor(f"user-of-{region_id}", Role.REGION, region_id)


def problem(dealer_id="D001", **changes):
    values = {
        "dealer_id": dealer_id,
        "indicator": "close_rate",
        "reason": "process_follow_up",
        "numerator": 12,
        "denominator": 150,
        "value": 0.08,
        "expected": 0.14,
        "gap_points": -6.0,
        "lo90": -9.5,
        "hi90": -2.5,
        "q_value": 0.01,
        "deals_at_stake": 9.0,
        "peers": 40,
        "months": ("2026-08", "2026-09", "2026-10"),
        "lead_ids": ("L1", "L2"),
        "also": ("lead_to_visit",),
    }
    return Problem(**values | changes)


def measure(code="follow_up_in_time", **changes):
    values = {
        "measure": code,
        "reason": "process_follow_up",
        "indicator": "close_rate",
        "owner_role": "sales_manager",
        "due_on": date(2026, 11, 30),
        "baseline": 0.08,
        "target": 0.11,
        "target_points": 3.0,
        "deals_at_stake": 4.5,
        "verify_after_months": 3,
    }
    return MeasureDraft(**values | changes)


def draft(dealer_id="D001", kind=PlanKind.RECTIFY, cycle="2026-10", region_id="R1", measures=2, **changes):
    empty = kind in {PlanKind.KEEP, PlanKind.DATA}
    values = {
        "cycle": cycle,
        "dealer_id": dealer_id,
        "region_id": region_id,
        "kind": kind,
        "problems": () if empty else (problem(dealer_id),),
        "measures": () if empty else tuple(measure(f"measure_{number}") for number in range(1, measures + 1)),
        "not_fixable": () if empty else (problem(dealer_id, reason="product_power", q_value=float("nan")),),
        "note": "plan.note",
        "note_params": {"leads": 150},
    }
    return PlanDraft(**values | changes)


def filing(plan, text="店内每日早会检查跟进", own=()):
    return Filing(
        measures=tuple(
            FiledMeasure(
                measure_id=entry.measure_id,
                responsible=OwnerRole.SALES_MANAGER,
                planned_on=date(2026, 11, 25),
                text=text,
            )
            for entry in plan.measures
            if not entry.own
        ),
        own=tuple(own),
    )


def executions(plan, executed_on=date(2026, 11, 10)):
    return [
        Execution(measure_id=entry.measure_id, executed=True, executed_on=executed_on, evidence="照片")
        for entry in plan.measures
    ]


def effect(of, verdict=EffectVerdict.NOT_ENOUGH, **changes):
    values = {
        "plan_id": of.plan_id,
        "measure_id": of.measure_id,
        "months": of.months,
        "executed": of.executed,
        "effect_points": 1.5,
        "lo90": -1.0,
        "hi90": 4.0,
        "shrunk_points": 0.8,
        "verdict": verdict,
        "reason_key": "verify.not_enough",
        "target_reached": False,
        "months_needed": 4,
        "numerator": 14,
        "denominator": 140,
    }
    return Effect(**values | changes)


def drive(db, ledger, to, dealer_id="D001", cycle=CYCLE, measures=2):
    """Bring a dealer's rectification plan by the usual way to the state named; the plan as it then stands."""
    plan_id = f"{cycle.name}-{dealer_id}"
    ledger.save_plan_drafts(db, cycle, [draft(dealer_id, cycle=cycle.name, measures=measures)], at=day(0))
    plan = ledger.plan(db, plan_id)
    steps = {
        "issued": lambda plan: ledger.issue(db, plan_id, actor=OEM, at=day(0)),
        "filed": lambda plan: ledger.file(db, plan_id, filing(plan), actor=dealer(dealer_id), at=day(3)),
        "approved": lambda plan: ledger.approve(db, plan_id, actor=region(), at=day(5)),
        "in_progress": lambda plan: ledger.start(db, plan_id, actor=dealer(dealer_id), at=day(6)),
        "reported": lambda plan: ledger.report(db, plan_id, executions(plan), actor=dealer(dealer_id), at=day(9)),
        "done": lambda plan: ledger.finish(db, plan_id, actor=dealer(dealer_id), at=day(20)),
        "verified": lambda plan: ledger.verify(db, plan_id, EffectVerdict.EFFECTIVE, at=day(100), actor=SYSTEM),
        "closed": lambda plan: ledger.close(db, plan_id, actor=SYSTEM, at=day(101)),
    }
    for name, take in steps.items():
        if plan.state == to or (to == "drafted"):
            break
        plan = take(plan)
        if name == to:
            break
    return plan
