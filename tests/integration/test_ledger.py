"""The ledger on both databases: drafts, the life of a plan, history, outbox, races, repetition."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import delete, text, update
from sqlalchemy.exc import IntegrityError
from support.plans import CYCLE, OEM, day, dealer, draft, drive, executions, filing, measure, region

from models import ledger
from models.database import writing
from models.enums import EffectVerdict, OwnerRole, PlanKind, PlanState, Role
from models.errors import LifecycleError
from models.ledger.frames import history_frame
from models.schemas import SYSTEM, Actor, Execution, OwnMeasure
from models.tables import PlanMeasureRow, table

PLAN = "2026-10-D001"


def states(db, plan_id=PLAN):
    history = history_frame(db, plan_id=plan_id)
    return list(zip(history["from_state"].fillna("-"), history["to_state"], strict=True))


def recipients(db, kind):
    return sorted(message.recipient for message in ledger.waiting(db) if message.kind == kind)


# ---- drafts ----


def test_a_saved_draft_comes_back_as_it_was_proposed(db):
    saved = ledger.save_plan_drafts(db, CYCLE, [draft()], at=day(0))
    plan = ledger.plan(db, PLAN)
    assert saved.new == (PLAN,)
    assert plan.problems == draft().problems
    assert plan.not_fixable[0].reason == "product_power"
    assert plan.not_fixable[0].q_value != plan.not_fixable[0].q_value  # not available stays not available
    assert [entry.measure_id for entry in plan.measures] == [f"{PLAN}-1", f"{PLAN}-2"]
    assert {name: getattr(plan.measures[0], name) for name in asdict(measure())} == asdict(measure("measure_1"))
    assert (plan.state, plan.version, plan.note_params) == (PlanState.DRAFTED, 1, {"leads": 150})
    assert (plan.created_at, plan.as_of) == (day(0), CYCLE.as_of)


def test_running_a_cycle_again_replaces_changed_drafts_and_never_an_issued_plan(db):
    ledger.save_plan_drafts(db, CYCLE, [draft("D001"), draft("D002"), draft("D003")], at=day(0))
    ledger.issue(db, "2026-10-D003", actor=OEM, at=day(0))
    changed = [draft("D001"), draft("D002", measures=1), draft("D003", measures=1), draft("D004")]
    saved = ledger.save_plan_drafts(db, CYCLE, changed, at=day(1))
    assert saved.unchanged == ("2026-10-D001",)
    assert saved.replaced == ("2026-10-D002",)
    assert saved.kept == ("2026-10-D003",)
    assert saved.new == ("2026-10-D004",)
    assert len(ledger.plan(db, "2026-10-D002").measures) == 1
    assert len(ledger.plan(db, "2026-10-D003").measures) == 2
    assert states(db, "2026-10-D002") == [("-", "drafted"), ("drafted", "drafted")]
    assert states(db, "2026-10-D001") == [("-", "drafted")]


def test_saving_the_same_drafts_twice_changes_nothing(db):
    ledger.save_plan_drafts(db, CYCLE, [draft()], at=day(0))
    before = ledger.plan(db, PLAN)
    saved = ledger.save_plan_drafts(db, CYCLE, [draft()], at=day(9))
    assert repr(ledger.plan(db, PLAN)) == repr(before)
    assert (saved.new, saved.replaced) == ((), ())


def test_a_draft_that_became_a_keep_report_loses_its_problems_and_measures(db):
    ledger.save_plan_drafts(db, CYCLE, [draft()], at=day(0))
    ledger.save_plan_drafts(db, CYCLE, [draft(kind=PlanKind.KEEP)], at=day(1))
    plan = ledger.plan(db, PLAN)
    assert (plan.kind, plan.problems, plan.measures) == (PlanKind.KEEP, (), ())


def test_no_drafts_are_no_error(db):
    assert ledger.save_plan_drafts(db, CYCLE, [], at=day(0)).new == ()


# ---- the life of a plan ----


def test_the_usual_way_from_draft_to_closed_sets_each_time_once(db):
    plan = drive(db, ledger, "closed")
    assert [to for _, to in states(db)] == [
        "drafted",
        "issued",
        "filed",
        "approved",
        "in_progress",
        "in_progress",
        "done",
        "verified",
        "closed",
    ]
    assert (plan.issued_at, plan.filed_at, plan.approved_at, plan.started_at) == (day(0), day(3), day(5), day(6))
    assert (plan.done_at, plan.verified_at, plan.closed_at) == (day(20), day(100), day(101))
    assert (plan.verdict, plan.returned_at) == (EffectVerdict.EFFECTIVE, None)


def test_a_returned_plan_is_filed_again_and_what_was_filed_is_replaced(db):
    plan = drive(db, ledger, "issued")
    own = OwnMeasure(
        reason="process_follow_up",
        indicator="close_rate",
        responsible=OwnerRole.SALES_CONSULTANT,
        planned_on=date(2026, 11, 20),
        text="每周复盘",
    )
    filed = ledger.file(db, PLAN, filing(plan, own=[own, own]), actor=dealer(), at=day(1))
    assert [entry.measure_id for entry in filed.measures if entry.own] == [f"{PLAN}-3", f"{PLAN}-4"]
    assert {(entry.target, entry.baseline, entry.target_points) for entry in filed.measures} == {(0.11, 0.08, 3.0)}
    with pytest.raises(LifecycleError, match="needs a note"):
        ledger.return_(db, PLAN, actor=region(), at=day(2), note="")
    ledger.return_(db, PLAN, actor=region(), at=day(2), note="责任人不明确")
    again = ledger.file(db, PLAN, filing(plan, text="改为店总负责", own=[own]), actor=dealer(), at=day(3))
    assert [entry.measure_id for entry in again.measures if entry.own] == [f"{PLAN}-3"]
    assert again.measures[0].own_text == "改为店总负责"
    assert (again.state, again.filed_at) == (PlanState.FILED, day(3))
    assert history_frame(db, plan_id=PLAN)["note"].tolist()[-2] == "责任人不明确"


def test_a_filing_answers_every_proposed_measure_and_only_those(db):
    plan = drive(db, ledger, "issued")
    full = filing(plan)
    strange = full.measures[0].model_copy(update={"measure_id": "2026-10-D002-1"})
    for measures in (full.measures[:1], (*full.measures, strange), (*full.measures, full.measures[0])):
        with pytest.raises(LifecycleError) as error:
            ledger.file(db, PLAN, full.model_copy(update={"measures": measures}), actor=dealer(), at=day(1))
        assert error.value.key == "lifecycle.filing_incomplete"
    assert ledger.plan(db, PLAN).state is PlanState.ISSUED
    assert ledger.plan(db, PLAN).measures[0].planned_on is None


def test_an_own_measure_belongs_to_a_problem_of_the_plan(db):
    plan = drive(db, ledger, "issued")
    own = OwnMeasure(
        reason="supply_no_stock",
        indicator="close_rate",
        responsible=OwnerRole.SALES_MANAGER,
        planned_on=date(2026, 11, 20),
        text="补库存",
    )
    with pytest.raises(LifecycleError) as error:
        ledger.file(db, PLAN, filing(plan, own=[own]), actor=dealer(), at=day(1))
    assert "process_follow_up/close_rate" in error.value.text()


def test_approval_fixes_what_will_be_measured_and_nothing_changes_it_afterwards(db):
    plan = drive(db, ledger, "approved")
    fixed = plan.measures[0].registration
    assert (fixed.at, fixed.indicator, fixed.horizon_months, fixed.target_points) == (day(5), "close_rate", 3, 3.0)
    assert (fixed.rule, fixed.comparison, fixed.effect_from) == (
        "dynamic_empirical_bayes_1",
        "untreated_dealers",
        "2026-12",
    )
    measures = table(PlanMeasureRow)
    for column, value in (
        ("registered_target", 1.0),
        ("registered_from", "2027-02"),
        ("registered_rule", None),
        ("registered_horizon", None),
        ("registered_at", None),
    ):
        with pytest.raises(IntegrityError, match="fixed at approval"), writing(db.url) as connection:
            connection.execute(update(measures).values({column: value}))
    with pytest.raises(IntegrityError, match="fixed at approval"), writing(db.url) as connection:
        connection.execute(delete(measures))
    assert ledger.plan(db, PLAN).measures[0].registration == fixed


def test_progress_is_reported_wholly_partly_or_not_and_a_plan_is_done_only_when_all_is_said(db):
    drive(db, ledger, "in_progress")
    first = Execution(
        measure_id=f"{PLAN}-1", executed=True, partly=True, executed_on=date(2026, 11, 9), evidence="签到表"
    )
    ledger.report(db, PLAN, [first], actor=dealer(), at=day(9))
    with pytest.raises(LifecycleError) as error:
        ledger.finish(db, PLAN, actor=dealer(), at=day(10))
    assert f"{PLAN}-2" in error.value.text()
    assert f"{PLAN}-1" not in error.value.text()
    ledger.report(db, PLAN, [Execution(measure_id=f"{PLAN}-2", executed=False)], actor=dealer(), at=day(10))
    plan = ledger.finish(db, PLAN, actor=dealer(), at=day(11))
    assert [(entry.executed, entry.partly) for entry in plan.measures] == [(True, True), (False, False)]
    assert plan.state is PlanState.DONE


def test_execution_in_the_future_or_of_another_plan_is_refused(db):
    drive(db, ledger, "in_progress")
    tomorrow = Execution(measure_id=f"{PLAN}-1", executed=True, executed_on=db.day(day(8)))
    with pytest.raises(LifecycleError) as error:
        ledger.report(db, PLAN, [tomorrow], actor=dealer(), at=day(7))
    assert error.value.key == "lifecycle.executed_in_future"
    strange = Execution(measure_id="2026-10-D002-1", executed=False)
    with pytest.raises(LifecycleError) as error:
        ledger.report(db, PLAN, [strange], actor=dealer(), at=day(7))
    assert error.value.key == "lifecycle.unknown_measure"
    with pytest.raises(ValidationError):
        Execution(measure_id=f"{PLAN}-1", executed=False, executed_on=date(2026, 11, 9))


def test_the_oem_withdraws_with_a_note(db):
    drive(db, ledger, "filed")
    plan = ledger.withdraw(db, PLAN, actor=OEM, at=day(4), note="数据有误")
    assert (plan.state, plan.closed_at) == (PlanState.WITHDRAWN, day(4))
    assert recipients(db, "plan_withdraw") == ["D001", "R1"]
    with pytest.raises(LifecycleError):
        ledger.approve(db, PLAN, actor=region(), at=day(5))


def test_an_unanswered_plan_is_carried_over_with_a_note(db):
    drive(db, ledger, "issued")
    with pytest.raises(LifecycleError, match="needs a note"):
        ledger.carry(db, PLAN, actor=SYSTEM, at=day(30), into="2026-11")
    plan = ledger.carry(db, PLAN, actor=SYSTEM, at=day(30), into="2026-11", note="逾期未报备")
    assert (plan.state, plan.carried_into) == (PlanState.CARRIED, "2026-11")


def test_keep_and_data_plans_take_the_short_way(db):
    drafts = [draft("D001", PlanKind.KEEP), draft("D002", PlanKind.DATA)]
    ledger.save_plan_drafts(db, CYCLE, drafts, at=day(0))
    assert ledger.issue_cycle(db, "2026-10", actor=OEM, at=day(0)) == ("2026-10-D001", "2026-10-D002")
    assert ledger.close(db, "2026-10-D001", actor=SYSTEM, at=day(30)).state is PlanState.CLOSED
    ledger.start(db, "2026-10-D002", actor=dealer("D002"), at=day(2))
    assert ledger.finish(db, "2026-10-D002", actor=dealer("D002"), at=day(3)).state is PlanState.DONE


def test_no_organisation_sees_or_changes_anothers_plan(db):
    plan = drive(db, ledger, "issued")
    for actor in (dealer("D002"), region("R2"), Actor("x", Role.DEALER)):
        with pytest.raises(LifecycleError) as error:
            ledger.file(db, PLAN, filing(plan), actor=actor, at=day(1))
        assert error.value.key == "lifecycle.unknown_plan"


@pytest.mark.parametrize("words", ["客户电话13812345678", "call 138-1234-5678", "+86 13812345678 已回访"])
def test_texts_with_a_mobile_number_never_reach_the_history(db, words):
    plan = drive(db, ledger, "issued")
    with pytest.raises(LifecycleError) as error:
        filing(plan, text=words)
    assert "1381" not in error.value.text()
    with pytest.raises(LifecycleError) as error:
        ledger.withdraw(db, PLAN, actor=OEM, at=day(1), note=words)
    assert error.value.key == "lifecycle.personal_data"
    assert ledger.plan(db, PLAN).state is PlanState.ISSUED


# ---- history and outbox ----


@pytest.mark.parametrize("statement", ["UPDATE plan_events SET note = 'x'", "DELETE FROM plan_events"])
def test_the_history_can_only_be_appended_to(db, statement):
    drive(db, ledger, "filed")
    with pytest.raises(IntegrityError, match="append-only"), writing(db.url) as connection:
        connection.execute(text(statement))
    assert [to for _, to in states(db)] == ["drafted", "issued", "filed"]


def test_the_history_cannot_be_truncated_either(db):
    drive(db, ledger, "issued")
    if not db.url.startswith("postgresql"):
        return  # SQLite knows no TRUNCATE
    with pytest.raises(IntegrityError, match="append-only"), writing(db.url) as connection:
        connection.execute(text("TRUNCATE plan_events"))


def test_each_step_tells_those_who_must_know_in_the_same_transaction(db):
    drive(db, ledger, "closed")
    assert recipients(db, "plan_issue") == ["D001"]
    assert recipients(db, "plan_file") == ["R1"]
    assert recipients(db, "plan_approve") == ["D001"]
    assert recipients(db, "plan_finish") == ["R1"]
    assert recipients(db, "plan_verify") == ["D001", "R1"]
    keys = [message.key for message in ledger.waiting(db)]
    assert len(keys) == len(set(keys))


def test_a_refused_step_leaves_no_trace(db):
    plan = drive(db, ledger, "issued")
    before, told = states(db), ledger.waiting(db)
    broken = filing(plan).model_copy(update={"measures": ()})
    with pytest.raises(LifecycleError):
        ledger.file(db, PLAN, broken, actor=dealer(), at=day(1))
    assert (states(db), ledger.waiting(db), ledger.plan(db, PLAN).version) == (before, told, plan.version)


def test_sent_messages_wait_no_longer_and_failed_ones_go_on_waiting(db):
    ledger.enqueue(db, "a", "kind", "D001", {"plan_id": PLAN}, at=day(0))
    ledger.enqueue(db, "a", "kind", "D001", {"plan_id": "again"}, at=day(1))
    ledger.enqueue(db, "b", "kind", "D002", {}, at=day(1))
    first, second = ledger.waiting(db)
    assert first.payload == {"plan_id": PLAN}
    ledger.mark_failed(db, [first.message_id])
    ledger.mark_sent(db, [second.message_id], at=day(2))
    assert [(message.key, message.attempts) for message in ledger.waiting(db)] == [("a", 1)]


def test_reminders_go_to_dealer_then_region_then_oem_once_each(db):
    drive(db, ledger, "issued")  # to be filed within five days
    assert ledger.remind(db, at=day(5)) == ()
    told = []
    for number in (6, 7, 9, 10, 13, 20):
        assert ledger.remind(db, at=day(number)) == (PLAN,)
        told.append(recipients(db, "plan_overdue"))
    assert told == [["D001"], ["D001"], ["D001", "R1"], ["D001", "R1"], ["D001", "R1", "oem"], ["D001", "R1", "oem"]]


# ---- repetition and races ----


def test_a_step_repeated_with_the_same_content_changes_nothing(db):
    plan = drive(db, ledger, "issued")
    filed = ledger.file(db, PLAN, filing(plan), actor=dealer(), at=day(3))
    again = ledger.file(db, PLAN, filing(plan), actor=dealer(), at=day(4))
    assert repr(again) == repr(filed)
    with pytest.raises(LifecycleError):
        ledger.file(db, PLAN, filing(plan, text="别的内容"), actor=dealer(), at=day(4))
    ledger.approve(db, PLAN, actor=region(), at=day(5))
    assert ledger.approve(db, PLAN, actor=region(), at=day(6)).approved_at == day(5)
    assert len(states(db)) == 4


def test_issuing_a_cycle_again_issues_only_what_is_new(db):
    ledger.save_plan_drafts(db, CYCLE, [draft("D001")], at=day(0))
    assert ledger.issue_cycle(db, "2026-10", actor=OEM, at=day(0)) == (PLAN,)
    ledger.save_plan_drafts(db, CYCLE, [draft("D001"), draft("D002"), draft("D003")], at=day(1))
    assert ledger.issue_cycle(db, "2026-10", actor=OEM, at=day(1), dealers=["D002"]) == ("2026-10-D002",)
    assert ledger.issue_cycle(db, "2026-10", actor=OEM, at=day(1)) == ("2026-10-D003",)
    assert ledger.plan(db, PLAN).issued_at == day(0)


def test_who_acts_on_an_old_page_is_told_to_reload(db):
    plan = drive(db, ledger, "filed")
    ledger.return_(db, PLAN, actor=region(), at=day(4), note="补充责任人", seen=plan.version)
    ledger.file(db, PLAN, filing(plan, text="新内容"), actor=dealer(), at=day(5))
    with pytest.raises(LifecycleError) as error:
        ledger.approve(db, PLAN, actor=region(), at=day(6), seen=plan.version)
    assert error.value.key == "lifecycle.changed_meanwhile"


def test_of_two_people_at_once_one_wins_and_the_other_is_told(db):
    drive(db, ledger, "filed")
    barrier, outcomes = threading.Barrier(2), []

    def act(step):
        barrier.wait()
        try:
            step()
            outcomes.append("done")
        except LifecycleError as error:
            outcomes.append(error.key)

    steps = [
        lambda: ledger.approve(db, PLAN, actor=region(), at=day(5)),
        lambda: ledger.return_(db, PLAN, actor=replace(region(), name="other"), at=day(5), note="不够具体"),
    ]
    threads = [threading.Thread(target=act, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("done") == 1
    assert set(outcomes) - {"done"} <= {"lifecycle.changed_meanwhile", "lifecycle.not_allowed"}
    assert len(states(db)) == 4


def test_plans_are_found_by_cycle_dealer_region_and_state(db):
    drafts = [draft("D001"), draft("D002", region_id="R2"), draft("D003", region_id="R2")]
    ledger.save_plan_drafts(db, CYCLE, drafts, at=day(0))
    ledger.issue(db, "2026-10-D002", actor=OEM, at=day(0))

    def ids(**asked):
        return [plan.dealer_id for plan in ledger.plans(db, **asked)]

    assert ids() == ids(cycle="2026-10") == ["D001", "D002", "D003"]
    assert ids(region_id="R2") == ["D002", "D003"]
    assert ids(region_id="R2", states=[PlanState.DRAFTED]) == ["D003"]
    assert ids(dealer_id="D001", cycle="2026-11") == []


def test_a_repeated_report_of_a_running_plan_is_recorded_once(db):
    plan = drive(db, ledger, "in_progress")
    for number in (9, 10):
        ledger.report(db, PLAN, executions(plan), actor=dealer(), at=day(number))
    assert states(db).count(("in_progress", "in_progress")) == 1


def test_the_event_table_holds_what_the_export_shows(db):
    drive(db, ledger, "filed")
    history = history_frame(db, "2026-10")
    assert history.columns.tolist() == [
        "at",
        "actor",
        "role",
        "plan_id",
        "dealer_id",
        "from_state",
        "to_state",
        "note",
    ]
    assert history["role"].tolist() == ["system", "oem", "dealer"]
    assert history["actor"].tolist() == ["rematch", "oem-user", "user-of-D001"]
    assert history["at"].iloc[0].isoformat() == "2026-11-02T09:00:00"


KILLED = """
import os, signal, sys
from zoneinfo import ZoneInfo
from sqlalchemy import event
from models import ledger
from models.database import Database, engine
from support.plans import CYCLE, day, draft

db = Database(sys.argv[1], ZoneInfo("Asia/Shanghai"))

@event.listens_for(engine(db.url), "before_cursor_execute")
def stop(connection, cursor, statement, *rest):
    if "INSERT INTO plan_events" in statement:
        os.kill(os.getpid(), signal.SIGKILL)

ledger.save_plan_drafts(db, CYCLE, [draft("D001"), draft("D002")], at=day(0))
"""


def test_a_process_killed_half_way_leaves_nothing_and_the_next_run_does_it_all(db):
    path = {"PYTHONPATH": str(Path(__file__).parents[1])}
    died = subprocess.run([sys.executable, "-c", KILLED, db.url], env=os.environ | path, check=False)
    assert died.returncode == -signal.SIGKILL
    assert ledger.plans(db) == ()
    assert len(ledger.save_plan_drafts(db, CYCLE, [draft("D001"), draft("D002")], at=day(0)).new) == 2
