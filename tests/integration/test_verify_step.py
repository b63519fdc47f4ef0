"""The step verify on a small workspace: looks once each, what is stored, what follows; nothing to verify; durations."""

from dataclasses import replace
from datetime import datetime

import pandas as pd
import pytest
from support.networks import Setting, simulate
from support.plans import CYCLE, OEM, day, dealer, draft, drive, filing, measure, region
from support.stored_sums import store

from models import ledger
from models.database import Database, migrate
from models.enums import PlanState
from models.facts import Cycle
from models.ledger.frames import verdicts_frame
from tasks.exporting import export_frame
from tasks.job import Job
from tasks.results import Results
from tasks.verification_desk import judged_by
from tasks.verifying import verify_earlier

NET = simulate(
    Setting(dealers=60, planned=0.2, leads=300, history=15, after=7, effect_points=6, series=1, sources=1), 5
)
PLANNED = list(NET.ids[NET.planned])[:4]


def month(number):
    """Month 15 of the network, the last before the plans, is 2026-10."""
    months = 2026 * 12 + 9 + number - 15
    return f"{months // 12}-{months % 12 + 1:02d}"


def cycle_of(workspace, name):
    """The results of a cycle as the steps before leave them."""
    cycle = Cycle(name, datetime(int(name[:4]), int(name[5:]), 28))
    results = Results.of(workspace.results, cycle, "test")
    counts = NET.counts.assign(month=NET.counts["month"].map(month)).query("month <= @name")
    sums = counts.rename(columns={"n": "closed", "x": "won"}).drop(columns="cell")
    store(results, sums.assign(series="", source="", consultant_id=""))
    gates = pd.DataFrame({"dealer_id": NET.ids, "gate": "pass", "score": 90.0})
    results.write("quality", gates)
    return Job(workspace, cycle, results, "")


def verified(workspace, name):
    job = cycle_of(workspace, name)
    verify_earlier(job)
    job.results.publish(job.cycle)
    return job.results


@pytest.fixture
def empty(workspace):
    migrate(workspace.database_url)
    return workspace


@pytest.fixture
def running(empty):
    db = Database.of(empty)
    for one in PLANNED:
        drive(db, ledger, "reported", one)  # carried out on 10 November
    return empty


def test_measures_are_looked_at_after_three_and_six_months_once_each(running):
    db = Database.of(running)
    found = {name: verified(running, name) for name in (month(number) for number in range(17, 20))}
    early, second, third = (found[month(number)].read("effects") for number in (17, 18, 19))
    assert set(early["reason_key"]) == set(second["reason_key"]) == {"judge.why.too_early"}
    assert third["months"].eq(3).all()
    assert third["effect_points"].notna().all()
    settled = third.loc[third["verdict"] != "not_enough_evidence", "measure_id"]
    assert verified(running, month(20)).read("effects").empty
    last = verified(running, month(22)).read("effects")
    assert last["months"].eq(6).all()
    assert not set(last["measure_id"]) & set(settled)
    looks = verdicts_frame(db)
    assert not looks.duplicated(["measure_id", "months"]).any()
    assert {plan.state for plan in ledger.plans(db)} <= {PlanState.CLOSED, PlanState.CARRIED}


def test_a_look_leaves_the_record_what_follows_and_the_checks(empty):
    for one in PLANNED:
        drive(Database.of(empty), ledger, "reported", one, measures=1)
    running = empty
    results = verified(running, month(19))
    measures = export_frame(running, "measures", month(19)).set_index("measure")
    assert measures.loc["measure_1", ["dealers", "executed"]].tolist() == [4, 4]
    assert measures.loc["measure_1", "effect_points"] > 2
    assert {"first_hour_response", "measure_1"} <= set(measures.index)  # also what nobody has tried
    assert measures.groupby("reason")["rank"].min().eq(1).all()
    steps = results.read("follow_ups")
    assert set(steps["measure_id"]) == set(results.read("effects")["measure_id"])
    assert steps["step"].isin(["effective", "extend"]).all()
    checks = results.read("self_checks").set_index("check")
    assert checks.loc["programme_treated", "lo90"] < 6 < checks.loc["programme_treated", "hi90"] + 2
    assert checks.loc["programme_treated", "cases"] == 4
    with_loop, without = (checks.loc[f"close_rate_{name}"] for name in ("with", "without"))
    assert without["lo90"] < without["value"] < without["hi90"]
    assert with_loop["value"] - without["value"] == pytest.approx(checks.loc["programme_network", "value"])
    assert checks.loc["hours_per_closed_plan", "verdict"] == "learning.verdict.no_hours"


def test_two_measures_on_one_indicator_share_an_effect_that_is_neithers(running):
    looks = verified(running, month(19)).read("effects")
    assert looks["notes"].str.contains("judge.note.several_measures").all()
    measures = export_frame(running, "measures", month(19)).set_index("measure").loc[["measure_1", "measure_2"]]
    assert measures["executed"].tolist() == [4, 4]
    assert measures["effect_points"].isna().all()
    assert measures["verdict"].eq("not_enough_evidence").all()


def test_repeated_the_step_leaves_the_same(running):
    first = verified(running, month(19))
    before = {name: first.read(name) for name in ("effects", "measures", "follow_ups", "self_checks")}
    again = verified(running, month(19))
    for name, frame in before.items():
        pd.testing.assert_frame_equal(frame, again.read(name))


def test_without_plans_there_is_a_playbook_and_checks_and_no_look(empty):
    results = verified(empty, month(19))
    assert results.read("effects").empty
    assert results.read("follow_ups").empty
    assert set(results.read("measures")["because"]) <= {"learning.because.playbook", "learning.because.only", ""}
    assert results.read("self_checks").set_index("check").loc["placebo_z", "value"] > 0


def test_a_duration_is_judged_by_its_share_or_refused_with_the_reason(empty):
    assert judged_by("first_response_hours") == "first_response_in_1h"
    assert (judged_by("close_rate"), judged_by("reason:price_too_high")) == ("close_rate", "reason:price_too_high")
    assert judged_by("silent_days_before_defeat") == ""
    db = Database.of(empty)
    means = ("first_response_hours", "silent_days_before_defeat")
    plan = replace(draft(PLANNED[0]), measures=tuple(measure(f"m{n}", indicator=name) for n, name in enumerate(means)))
    ledger.save_plan_drafts(db, CYCLE, [plan], at=day(0))
    issued = ledger.issue(db, f"{CYCLE.name}-{PLANNED[0]}", actor=OEM, at=day(0))
    ledger.file(db, issued.plan_id, filing(issued), actor=dealer(PLANNED[0]), at=day(3))
    ledger.approve(db, issued.plan_id, actor=region(), at=day(5))
    looks = verified(empty, month(19)).read("effects").set_index("indicator")
    assert looks["reason_key"].to_dict() == {
        "first_response_hours": "judge.why.no_counts",  # this network records no response times
        "silent_days_before_defeat": "judge.why.no_share",
    }
    assert looks["verdict"].eq("not_enough_evidence").all()
