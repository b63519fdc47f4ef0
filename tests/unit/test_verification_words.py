"""What a dealer reads of earlier measures and of those proposed: every verdict and state of execution, by hand."""

import re
from dataclasses import replace
from datetime import date
from itertools import product

import pandas as pd
import pytest
from openpyxl import load_workbook
from support.delivered import KEEP, RECTIFY, UNDER_WAY

from models import ledger
from models.catalogue.follow_ups import STEPS, follow_ups
from models.database import Database
from models.enums import EffectVerdict, ExecutionState, PlanKind, PlanState, Role
from models.messages import LOCALES, messages
from reports.html import links, render
from reports.plan_page import plan_page
from reports.verification_figures import DealerVerification, LookFacts, Practice
from reports.verification_words import look_views, proposal
from reports.words import Words
from tasks.figures import CycleFigures
from tasks.folders import folder_name

EXECUTED = {"executed": True, "partly": True, "not": False, "unknown": pd.NA}
SAID = {"executed": "reported", "partly": "reported_partly", "not": "reported_not", "unknown": "not_reported"}
POINTS = {"effective": (2.1, 0.4, 3.8), "worse": (-3.2, -5.9, -0.5), "no_effect": (0.3, -1.6, 2.2)}
NOTHING = re.compile(r"\bnan\b|None|NaT|not available|无数据|–|<NA>")


def look(verdict="effective", state="executed", key="", **more):
    points, low, high = POINTS.get(verdict, (0.8, -1.1, 2.7))
    key = key or ("judge.why.not_executed" if state == "not" else f"judge.verdict.{verdict}")
    effect = {
        "dealer_id": "D1", "measure_id": "2026-06-D1-1", "measure": "first_hour_response",
        "reason": "process_follow_up", "plan_id": "2026-06-D1",
        "indicator": "close_rate", "months": 3, "denominator": 312, "effect_points": points,
        "shrunk_points": points, "lo90": low, "hi90": high, "target_points": 3.0, "months_needed": 6, "untreated": 20,
        "verdict": verdict if state != "not" else "not_enough_evidence", "reason_key": key, "notes": "",
        "executed": EXECUTED[state], "execution": state, "execution_because": f"judge.execution.{SAID[state]}",
        "revised_months": 2, "revised_cases": 41,
    }  # fmt: skip
    return LookFacts(effect | more, "2026-06", "", "2026-07", "", None)


def view(one, locale="en"):
    return look_views(DealerVerification((one,)), Words(locale))[0]


def said(one, locale="en"):
    shown = view(one, locale)
    return " ".join([shown.title, shown.badge, shown.sentence, *(part for line in shown.lines for part in line)])


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(("verdict", "state"), list(product(EffectVerdict, ExecutionState)))
def test_every_verdict_and_state_of_execution_is_a_sentence_with_figure_and_sample(verdict, state, locale):
    one = look(verdict.value, state.value)
    shown = view(one, locale)
    assert "312" in shown.sentence
    assert not NOTHING.search(said(one, locale))
    if state is ExecutionState.NOT:
        assert shown.badge == state.label(locale)
        assert "2.1" not in shown.sentence
    else:
        assert shown.badge == verdict.label(locale)
        ends = POINTS.get(verdict.value, (0.8, -1.1, 2.7))[1:]
        assert all(f"{abs(end):.1f}" in shown.sentence for end in ends)


def test_the_sentence_says_direction_interval_and_sample():
    expected = (
        "It works: since 2026-07, close rate is 2.1 points better than what was to be expected without the measure "
        "(90 % interval: from 0.4 to 3.8 points better; 3 months, 312 closed leads)."
    )
    assert view(look()).sentence == expected
    assert "3.2 points worse than" in view(look("worse")).sentence
    assert "from 0.5 to 5.9 points worse" in view(look("worse")).sentence
    assert "from 1.6 points worse to 2.2 better" in view(look("no_effect")).sentence
    level = view(look("no_effect", shrunk_points=-0.02)).sentence
    assert "level with what was to be expected" in level
    assert "好 2.1 个百分点（90% 区间：好 0.4 至 3.8 个百分点；共 312 条已关闭线索）" in view(look(), "zh_CN").sentence


def test_the_shrunk_effect_is_shown():
    assert "1.4 points better" in view(look(shrunk_points=1.4)).sentence
    assert "2.1 points better" in view(look(shrunk_points=float("nan"))).sentence


def test_an_open_verdict_says_how_many_months_it_takes_or_that_it_never_will():
    assert "should show after 6 months" in view(look("not_enough_evidence")).sentence
    pooled = look("not_enough_evidence", key="judge.verdict.pool_only", months_needed=pd.NA)
    assert "judged together with the other dealers" in view(pooled).sentence
    bare = look("not_enough_evidence", key="judge.verdict.pool_only", months_needed=pd.NA, target_points=float("nan"))
    for locale in LOCALES:
        assert not NOTHING.search(view(bare, locale).sentence)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("key", sorted(key for key in messages() if key.startswith("judge.why.")))
def test_a_verdict_that_is_withheld_says_why_and_keeps_its_sample(key, locale):
    figures = look("not_enough_evidence", key=key)
    assert not NOTHING.search(said(figures, locale))
    without = {name: float("nan") for name in ("effect_points", "shrunk_points", "lo90", "hi90", "months_needed")}
    assert not NOTHING.search(said(look("not_enough_evidence", key=key, **without), locale))
    if key != "judge.why.too_early":
        assert "312" in view(figures, locale).sentence


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("key", sorted(key for key in messages() if key.startswith("judge.note.")))
def test_every_doubt_is_said_beside_the_verdict(key, locale):
    one = look(notes=key)
    assert len(view(one, locale).lines) == len(view(look(), locale).lines) + 1
    assert not NOTHING.search(said(one, locale))


def test_a_look_that_is_not_due_has_no_verdict():
    shown = view(replace(look("not_enough_evidence", key="judge.why.too_early"), next_look="2026-12"))
    assert shown.badge == "not due yet"
    assert shown.standing == ""
    assert shown.sentence == "Counts from 2026-07; the first look is with the figures of 2026-12."
    later = view(replace(look("not_enough_evidence"), next_look="2026-12"))
    assert later.due
    assert ("Next look", "with the figures of 2026-12.") in later.lines


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("step", STEPS)
def test_what_follows_names_step_owner_day_and_the_next_measure(step, locale):
    rule = follow_ups().steps[step]
    row = {"step": step, "owner": rule.owner.value, "due_on": pd.Timestamp("2026-11-15"), "next_measure": "lead_alarm"}
    words = said(replace(look(), follow_up=row), locale)
    assert rule.text.text(locale) in words
    assert rule.owner.label(locale) in words
    assert Words(locale).f.day(date(2026, 11, 15)) in words
    assert Words(locale).measure("lead_alarm") in words


def test_execution_stands_apart_with_its_evidence():
    process = {"process_indicator": "reviewed_in_time", "process_points": 4.0, "process_lo90": 1.0,
               "process_hi90": 7.0, "process_least": 10.0}  # fmt: skip
    both = "judge.execution.reported;judge.execution.process_in_part"
    lines = dict(view(look(state="partly", execution_because=both, **process)).lines)
    assert lines["Carried out?"].startswith("carried out in part. The dealer reports it as carried out.")
    assert "+4.0 percentage points only (90 % interval +1.0 to +7.0)" in lines["Carried out?"]


# ---- measures proposed


FIRST, SECOND = ("process_follow_up", "first_hour_response"), ("process_follow_up", "lead_alarm")


def row(key, rank, because=""):
    figures = {"pooled": 4, "shrunk_points": 1.5, "shrunk_lo90": 0.2, "shrunk_hi90": 2.8, "best_chance": 0.7}
    return {"reason": key[0], "measure": key[1], "rank": rank, "because": because, **figures}


@pytest.fixture
def measure(delivered):
    return ledger.plan(Database.of(delivered.workspace), f"2026-10-{RECTIFY}").measures[0]


@pytest.mark.parametrize("locale", LOCALES)
def test_the_first_measure_says_why_it_comes_first(measure, locale):
    records = {FIRST: row(FIRST, 1, "learning.because.record"), SECOND: row(SECOND, 2)}
    why = proposal(DealerVerification(records=records), measure, leading=True, words=Words(locale))
    assert len(why) == 1
    assert "+1.5" in why[0]
    second = replace(measure, measure=SECOND[1])
    assert proposal(DealerVerification(records=records), second, leading=False, words=Words(locale)) == ()
    tried = DealerVerification(records=records, tried=frozenset({FIRST}))
    assert len(proposal(tried, second, leading=True, words=Words(locale))) == 1
    assert proposal(DealerVerification(records=records), second, leading=True, words=Words(locale)) == ()


@pytest.mark.parametrize("locale", LOCALES)
def test_where_it_worked_is_said_and_a_dealer_named_only_with_its_consent(measure, locale):
    for dealer_id, named in (("D9", True), ("", False)):
        note = {"dealers": 2, "dealer_id": dealer_id, "effect": 2.6}
        figures = DealerVerification(practices={FIRST: Practice(note, "苏州立成店")})
        (sentence,) = proposal(figures, measure, leading=True, words=Words(locale))
        assert "2.6" in sentence
        assert ("苏州立成店" in sentence) is named


def test_delivered_plans_say_because_and_name_the_dealer_that_agreed(delivered):
    page = plan_page(
        ledger.plan(Database.of(delivered.workspace), f"2026-10-{RECTIFY}"),
        CycleFigures(delivered).dealer(RECTIFY),
        "en",
    )
    first, only = (problem.measures[0].because for problem in page.problems if problem.measures)
    assert first[0].startswith("Proposed first because of its record (dealers with a result: 2)")
    assert "苏州立成店" in first[1]
    assert only == ("Proposed first because it is the only measure of the scheme for this reason.",)
    own = CycleFigures(delivered).dealer(KEEP)
    assert FIRST not in own.verification.practices  # a dealer is not told of itself


@pytest.mark.parametrize("locale", LOCALES)
def test_a_plan_withheld_by_chance_says_so(delivered, locale):
    plan = ledger.plan(Database.of(delivered.workspace), f"2026-10-{RECTIFY}")
    plan = replace(plan, kind=PlanKind.KEEP, measures=(), note="plan_note.held_back", note_params={})
    page = plan_page(plan, CycleFigures(delivered).dealer(RECTIFY), locale)
    assert {"zh_CN": "随机", "en": "at random"}[locale] in page.headline
    assert {"zh_CN": "暂不下发措施", "en": "no measures in this half-year"}[locale] in page.problems_title
    shown = render("plan.html.j2", page, locale, links("plan", locale))
    assert page.next_steps[0] in shown
    assert {"zh_CN": "措施正在进行", "en": "are under way"}[locale] not in shown


@pytest.mark.parametrize("locale", LOCALES)
def test_the_workbook_says_what_the_page_says(delivered, locale):
    plan = ledger.plan(Database.of(delivered.workspace), f"2026-10-{UNDER_WAY}")
    (shown,) = plan_page(plan, CycleFigures(delivered).dealer(UNDER_WAY), locale).looks
    book = load_workbook(delivered.pages / "dealers" / folder_name(UNDER_WAY) / f"plan.{locale}.xlsx", read_only=True)
    cells = {value for row in book.worksheets[0].iter_rows(values_only=True) for value in row if value}
    assert {shown.title, shown.badge, shown.sentence, *(said for _, said in shown.lines)} <= cells
    book.close()


def test_plans_filed_wait_for_their_region(delivered):
    figures = CycleFigures(delivered).verification
    plan = replace(ledger.plan(Database.of(delivered.workspace), f"2026-10-{RECTIFY}"), state=PlanState.FILED)
    (found,) = [one for one in figures.nation([replace(plan, filed_at=plan.issued_at)]).duties if one.step is None]
    assert (found.owner, found.region_id, found.dealer_id) == (Role.REGION, "R1", RECTIFY)
    assert found.due == date(2026, 11, 3)  # three days after it was filed, at the end of the cycle
