"""Verification in the ledger on both databases: what is open, what a look leaves, what follows; actions; exports."""

from dataclasses import replace
from datetime import date, datetime

import pandas as pd
import pytest
from support.plans import CYCLE, OEM, day, dealer, draft, drive, effect, executions, region

from models import ledger
from models.enums import EffectVerdict, Gate, PlanKind, PlanState
from models.errors import LifecycleError
from models.facts import Cycle
from models.ledger import ReportedAction
from models.ledger.frames import PLAN_COLUMNS, VERDICT_COLUMNS, plans_frame, verdicts_frame
from models.lifecycle import TOO_EARLY
from models.schemas import Execution

PLAN = "2026-10-D001"
E, N, W, Q = EffectVerdict.EFFECTIVE, EffectVerdict.NO_EFFECT, EffectVerdict.WORSE, EffectVerdict.NOT_ENOUGH


def cycle(name):
    return Cycle(name, datetime(int(name[:4]), int(name[5:]), 28))


def look(db, name, *verdicts):
    """The look of a cycle at all open measures, with the verdicts in their order."""
    opened = ledger.open_measures(db, name)
    found = [effect(of, verdict) for of, verdict in zip(opened, verdicts, strict=True)]
    ledger.record_effects(db, cycle(name), found, at=day(60))
    return opened


# ---- what is open ----


def test_measures_open_with_the_first_whole_month_after_execution(db):
    drive(db, ledger, "in_progress")  # approved on 7 November
    assert ledger.open_measures(db, "2026-11") == ()
    executed = Execution(measure_id=f"{PLAN}-1", executed=True, executed_on=date(2026, 12, 1))
    ledger.report(db, PLAN, [executed], actor=dealer(), at=day(40))
    december, january = ledger.open_measures(db, "2026-12"), ledger.open_measures(db, "2027-01")
    assert [(of.measure_id, of.first_month, of.months) for of in december] == [(f"{PLAN}-2", "2026-12", 1)]
    assert [(of.first_month, of.months, of.executed) for of in january] == [("2027-01", 1, True), ("2026-12", 2, None)]
    assert january[0].registration.effect_from == "2026-12"  # what was fixed stays; the rule says when months begin
    assert (january[0].baseline, january[0].target, january[0].indicator) == (0.08, 0.11, "close_rate")


def test_only_approved_plans_are_verified_and_withdrawn_ones_never(db):
    drive(db, ledger, "filed")
    assert ledger.open_measures(db, "2027-01") == ()
    ledger.approve(db, PLAN, actor=region(), at=day(5))
    assert len(ledger.open_measures(db, "2027-01")) == 2
    ledger.withdraw(db, PLAN, actor=OEM, at=day(6), note="停业")
    assert ledger.open_measures(db, "2027-01") == ()


def test_looks_go_on_until_there_is_evidence_or_the_limit(db):
    drive(db, ledger, "approved")
    assert [of.looks for of in look(db, "2026-12", Q, E)] == [0, 0]
    assert [(of.measure_id, of.looks) for of in look(db, "2027-01", Q)] == [(f"{PLAN}-1", 1)]
    assert [of.looks for of in look(db, "2027-02", Q)] == [2]
    assert ledger.open_measures(db, "2027-03") == ()


def test_looks_before_the_horizon_or_at_the_same_months_use_up_nothing(db):
    drive(db, ledger, "approved")
    early = {"reason_key": TOO_EARLY}
    for name, months, changes in (
        ("2026-12", 1, early),
        ("2027-01", 2, early),
        ("2027-02", 3, {}),
        ("2027-03", 3, {}),
        ("2027-04", 3, {}),
        ("2027-05", 6, {}),
    ):
        opened = ledger.open_measures(db, name)
        assert len(opened) == 2, name
        ledger.record_effects(db, cycle(name), [effect(of, Q, months=months, **changes) for of in opened], at=day(60))
        ended = ledger.settle(db, name, at=day(61))
        assert [entry.state for entry in ended] == ([PlanState.CARRIED] if months == 6 else [])
    assert opened[0].looked_at == (3,)
    assert [entry.looks for entry in ledger.plan(db, PLAN).measures] == [2, 2]
    assert ledger.open_measures(db, "2027-06") == ()


def test_the_day_of_execution_may_be_corrected_until_the_first_real_look(db):
    plan = drive(db, ledger, "in_progress")
    ledger.report(db, PLAN, executions(plan), actor=dealer(), at=day(9))
    opened = ledger.open_measures(db, "2026-12")
    ledger.record_effects(db, cycle("2026-12"), [effect(of, reason_key=TOO_EARLY) for of in opened], at=day(60))
    mended = ledger.report(db, PLAN, executions(plan, date(2026, 12, 20)), actor=dealer(), at=day(60))
    assert mended.measures[0].executed_on == date(2026, 12, 20)


def test_a_cycle_run_again_judges_the_same_measures_and_replaces_its_look(db):
    drive(db, ledger, "approved")
    first = look(db, "2026-12", Q, E)
    assert look(db, "2026-12", N, E) == first
    frame = verdicts_frame(db, "2026-12")
    assert frame["verdict"].tolist() == ["no_effect", "effective"]


def test_a_look_at_what_was_never_fixed_is_refused_whole(db):
    drive(db, ledger, "approved")
    opened = ledger.open_measures(db, "2026-12")
    strange = replace(effect(opened[0]), measure_id="2026-10-D009-1")
    with pytest.raises(LifecycleError) as error:
        ledger.record_effects(db, cycle("2026-12"), [effect(opened[0]), strange], at=day(60))
    assert error.value.key == "lifecycle.not_registered"
    assert verdicts_frame(db).empty


def test_the_day_of_execution_is_not_rewritten_once_verification_has_looked(db):
    plan = drive(db, ledger, "in_progress")
    ledger.report(db, PLAN, executions(plan)[:1], actor=dealer(), at=day(9))
    look(db, "2026-12", Q, Q)
    assert [entry.looks for entry in ledger.plan(db, PLAN).measures] == [1, 1]
    with pytest.raises(LifecycleError) as error:
        ledger.report(db, PLAN, executions(plan, date(2026, 12, 20))[:1], actor=dealer(), at=day(60))
    assert error.value.key == "lifecycle.already_judged"
    late = ledger.report(db, PLAN, executions(plan, date(2026, 12, 20))[1:], actor=dealer(), at=day(60))
    assert late.measures[1].executed_on == date(2026, 12, 20)  # what was unknown may still be said


# ---- what follows ----


@pytest.mark.parametrize(
    ("verdicts", "verdict", "state"),
    [((E, N), E, "closed"), ((N, N), N, "carried"), ((W, E), W, "carried"), ((Q, Q), None, "approved")],
)
def test_the_verdict_drives_what_follows(db, verdicts, verdict, state):
    drive(db, ledger, "approved")
    look(db, "2026-12", *verdicts)
    settled = ledger.settle(db, "2026-12", at=day(61))
    plan = ledger.plan(db, PLAN)
    assert (plan.verdict, plan.state.value) == (verdict, state)
    assert [(entry.plan_id, entry.verdict, entry.state) for entry in settled] == (
        [(PLAN, verdict, plan.state)] if verdict else []
    )
    assert plan.carried_into == ("2026-12" if state == "carried" else None)
    assert ledger.settle(db, "2026-12", at=day(62)) == ()


def test_a_plan_waits_for_the_last_of_its_measures(db):
    drive(db, ledger, "approved")
    look(db, "2026-12", Q, E)
    assert ledger.settle(db, "2026-12", at=day(61)) == ()
    look(db, "2027-01", Q)
    look(db, "2027-02", Q)
    assert [entry.verdict for entry in ledger.settle(db, "2027-02", at=day(120))] == [E]


def test_plans_without_measures_end_with_the_next_cycle(db):
    drafts = [draft("D001", PlanKind.KEEP), *(draft(f"D00{n}", PlanKind.DATA) for n in (2, 3, 4))]
    ledger.save_plan_drafts(db, CYCLE, drafts, at=day(0))
    ledger.issue_cycle(db, "2026-10", actor=OEM, at=day(0))
    gates = {"D001": Gate.FAIL, "D002": Gate.PASS, "D003": Gate.FAIL}
    ledger.settle_short(db, "2026-11", gates, at=day(35))
    ends = {plan.dealer_id: plan.state for plan in ledger.plans(db)}
    assert ends == {
        "D001": PlanState.CLOSED,
        "D002": PlanState.CLOSED,
        "D003": PlanState.CARRIED,
        "D004": PlanState.ISSUED,  # no data, no judgement
    }
    assert ledger.settle_short(db, "2026-11", gates, at=day(36)) == ()


# ---- actions ----


def action(number, on=date(2026, 11, 10), plan_id=PLAN, dealer_id="D001", evidence="照片"):
    return ReportedAction(plan_id, f"{plan_id}-{number}", dealer_id, on, evidence)


def test_actions_take_an_issued_plan_over_as_running_and_fix_what_is_measured(db):
    drive(db, ledger, "issued")
    imported = ledger.import_actions(db, [action(1), action(2, on=None)], at=day(29), note="actions.csv")
    plan = ledger.plan(db, PLAN)
    assert imported.recorded == (f"{PLAN}-1", f"{PLAN}-2")
    assert [(entry.executed, entry.executed_on) for entry in plan.measures] == [
        (True, date(2026, 11, 10)),
        (False, None),
    ]
    assert (plan.state, plan.approved_at) == (PlanState.IN_PROGRESS, None)
    assert plan.measures[0].registration.at == day(29)
    assert [of.first_month for of in ledger.open_measures(db, "2027-01")] == ["2026-12", "2027-01"]


def test_actions_read_again_change_nothing_and_a_correction_is_recorded(db):
    drive(db, ledger, "approved")
    rows = [action(1), action(2)]
    ledger.import_actions(db, rows, at=day(29), note="actions.csv")
    version = ledger.plan(db, PLAN).version
    again = ledger.import_actions(db, rows, at=day(35), note="actions.csv")
    assert (again.recorded, len(again.unchanged), ledger.plan(db, PLAN).version) == ((), 2, version)
    corrected = ledger.import_actions(db, [action(1, on=date(2026, 11, 12))], at=day(36), note="actions.csv")
    assert corrected.recorded == (f"{PLAN}-1",)
    assert ledger.plan(db, PLAN).version == version + 1


def test_actions_that_fit_no_plan_come_back_with_the_reason(db):
    drive(db, ledger, "done")
    rows = [
        action(1, plan_id="2026-10-D777"),
        action(1, dealer_id="D002"),
        action(7),
        action(1, on=date(2027, 5, 1)),
        action(1, on=date(2026, 11, 12)),
        action(2, evidence=""),
    ]
    imported = ledger.import_actions(db, rows, at=day(30), note="actions.csv")
    assert [reason.removeprefix("lifecycle.") for _, reason in imported.refused] == [
        "unknown_plan",
        "unknown_plan",
        "unknown_measure",
        "executed_in_future",
        "over",
    ]
    assert imported.unchanged == (f"{PLAN}-2",)


# ---- exports ----


def test_plans_export_one_row_per_measure_in_the_public_columns(db):
    plan = drive(db, ledger, "approved")
    keep = draft("D002", PlanKind.KEEP)
    ledger.save_plan_drafts(db, CYCLE, [keep], at=day(0))
    frame = plans_frame(db, "2026-10", at=day(5))
    assert frame.columns.tolist() == list(PLAN_COLUMNS)
    assert frame["measure_id"].fillna("").tolist() == [f"{PLAN}-1", f"{PLAN}-2", ""]
    first = frame.iloc[0]
    assert (first["state"], first["due_on"], first["issued_on"]) == ("approved", "2026-11-25", "2026-11-02")
    assert (first["approved_on"], first["effect_from"], first["kind"]) == ("2026-11-07", "2026-12", "rectify")
    assert plan.measures[0].due_on == date(2026, 11, 30)  # the proposed day is kept beside the filed one
    assert frame.iloc[2]["kind"] == "keep"
    assert pd.isna(frame.iloc[2]["due_on"])
    assert plans_frame(db, "2026-09", at=day(5)).empty


def test_effect_from_follows_the_execution_and_overdue_the_measure(db):
    plan = drive(db, ledger, "in_progress")
    late = executions(plan, executed_on=date(2026, 12, 3))[:1]
    before = plans_frame(db, at=day(23))
    after_due = plans_frame(db, at=day(24))
    assert before["overdue"].tolist() == [False, False]  # 25 November in Shanghai is the filed day
    assert after_due["overdue"].tolist() == [True, True]
    ledger.report(db, PLAN, late, actor=dealer(), at=day(40))
    frame = plans_frame(db, at=day(40))
    assert frame["overdue"].tolist() == [False, True]
    assert frame["effect_from"].tolist() == ["2027-01", "2026-12"]


def test_an_issued_plan_past_its_filing_day_is_overdue(db):
    drive(db, ledger, "issued")
    assert plans_frame(db, at=day(5))["overdue"].tolist() == [False, False]
    assert plans_frame(db, at=day(6))["overdue"].tolist() == [True, True]


def test_verdicts_export_one_row_per_measure_and_look_with_unknown_kept_empty(db):
    drive(db, ledger, "approved")
    opened = ledger.open_measures(db, "2026-12")
    bare = effect(opened[1], Q, effect_points=None, lo90=float("nan"), hi90=None, target_reached=None)
    ledger.record_effects(db, cycle("2026-12"), [effect(opened[0], E, executed=True), bare], at=day(60))
    frame = verdicts_frame(db)
    assert frame.columns.tolist() == list(VERDICT_COLUMNS)
    assert frame["cycle"].tolist() == ["2026-12", "2026-12"]
    assert frame["executed"].tolist() == [True, pd.NA]
    assert frame["effect_points"].isna().tolist() == frame["lo90"].isna().tolist() == [False, True]
    assert frame["measure"].tolist() == ["measure_1", "measure_2"]
    assert frame["months"].tolist() == [1, 1]
