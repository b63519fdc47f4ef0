"""From problems to plans, by small tables worked out by hand (tasks.compute.planning)."""

import math
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd
import pytest

from models.catalogue.playbook import playbook
from models.enums import EffectVerdict, Gate, PlanKind, PlanState
from models.facts import Cycle, Problem
from models.messages import LOCALES, text
from tasks.compute.diagnosis import Diagnosis, Level
from tasks.compute.planning import (
    DataQuality,
    PlanningRules,
    TriedMeasure,
    draft_plans,
    standard_error,
    target_points,
    verify_after,
)

CYCLE = Cycle("2025-03", datetime(2025, 4, 3))
MONTHS = ("2025-01", "2025-02", "2025-03")
TEST_DRIVE = "visit_to_test_drive"


@dataclass(frozen=True)
class _Settings:
    minimum_leads: int = 30
    window_months: int = 3
    gate_fail_below: float = 60.0


def level(indicator=TEST_DRIVE, value=0.30, gap=-20.0, half=3.29, cases=600, expected=0.50):
    loss = gap if indicator.startswith("reason:") or indicator == "premature_share" else -gap
    return Level(indicator, value, expected, gap, gap - half, gap + half, cases, loss)


def problem(of, reason="process_no_test_drive", deals=6.0, also=()):
    return Problem(
        dealer_id="D1",
        indicator=of.indicator,
        reason=reason,
        numerator=round(of.value * of.denominator),
        denominator=of.denominator,
        value=of.value,
        expected=of.expected,
        gap_points=of.gap_points,
        lo90=of.lo90,
        hi90=of.hi90,
        q_value=0.01,
        deals_at_stake=deals,
        peers=40,
        months=MONTHS,
        lead_ids=(),
        also=also,
    )


def found(*problems, levels=(), closings=200, judged=True, not_fixable=()):
    return Diagnosis(
        "D1", closings, judged, tuple(problems), (), tuple(not_fixable), {one.indicator: one for one in levels}
    )


def planned(diagnosis=None, gate=None, records=None, tried=(), **more):
    plans = draft_plans(
        CYCLE,
        {"D1": "R1"},
        {"D1": diagnosis} if diagnosis else {},
        {"D1": gate} if gate else {},
        playbook(),
        measure_records=records,
        previous_plans=tried,
        settings=_Settings(),
        **more,
    )
    (plan,) = plans
    for locale in LOCALES:  # every note can be read with its own figures
        assert text(plan.note, locale, **plan.note_params)
    return plan


def weak():
    one = level()
    return found(problem(one), levels=[one])


def tried(measure="test_drive_for_every_visit", cycle="2024-12", state=PlanState.CLOSED, executed=True, verdict=None):
    return TriedMeasure("D1", cycle, measure, "process_no_test_drive", state, executed, verdict)


class TestTheKindOfPlan:
    def test_a_problem_gives_a_rectification_plan(self):
        plan = planned(weak())
        assert (plan.kind, plan.note, plan.region_id, plan.cycle) == (
            PlanKind.RECTIFY,
            "plan_note.rectify",
            "R1",
            "2025-03",
        )
        assert plan.note_params == {"closings": 200, "months": 3, "problems": 1, "deals": 6.0}
        assert "6.0" in text(plan.note, "en", **plan.note_params)

    def test_nothing_abnormal_gives_keep_without_an_invented_problem(self):
        plan = planned(found(levels=[level(gap=-0.5)]))
        assert (plan.kind, plan.note, plan.problems, plan.measures) == (
            PlanKind.KEEP,
            "plan_note.nothing_abnormal",
            (),
            (),
        )
        assert plan.note_params["indicators"] == 1

    def test_too_few_cases_is_said_as_such(self):
        plan = planned(found(closings=12, judged=False))
        assert (plan.kind, plan.note) == (PlanKind.KEEP, "plan_note.too_few")
        assert plan.note_params == {"closings": 12, "months": 3, "minimum": 30}

    def test_a_dealer_without_any_lead_has_too_few_cases(self):
        assert planned().note == "plan_note.too_few"

    def test_cases_enough_but_nobody_to_compare_with_is_another_matter(self):
        assert planned(found(closings=80, judged=False)).note == "plan_note.not_comparable"

    def test_a_failed_gate_gives_a_data_plan_whatever_was_found(self):
        plan = planned(weak(), gate=DataQuality(Gate.FAIL, 41.6))
        assert (plan.kind, plan.note, plan.problems, plan.measures) == (PlanKind.DATA, "plan_note.data", (), ())
        assert plan.note_params == {"score": 41.6, "limit": 60.0}

    @pytest.mark.parametrize("gate", [Gate.PASS, Gate.WARN])
    def test_a_gate_that_did_not_fail_changes_nothing(self, gate):
        assert planned(weak(), gate=DataQuality(gate, 70.0)).kind is PlanKind.RECTIFY

    def test_what_only_the_oem_can_mend_keeps_the_dealer_and_is_counted(self):
        oem = level("reason:product_power", 0.1, 4.0)
        plan = planned(found(not_fixable=[problem(oem, "product_power", 8.0)], levels=[oem]))
        assert (plan.kind, plan.note) == (PlanKind.KEEP, "plan_note.oem_only")
        assert (plan.note_params["findings"], plan.note_params["deals"]) == (1, 8.0)
        assert [one.reason for one in plan.not_fixable] == ["product_power"]


class TestMeasures:
    def test_come_from_the_scheme_with_owner_due_date_and_figures(self):
        (measure,) = planned(weak()).measures
        assert (measure.measure, measure.reason, measure.indicator) == (
            "test_drive_for_every_visit",
            "process_no_test_drive",
            TEST_DRIVE,
        )
        assert measure.owner_role == "sales_manager"
        assert measure.due_on == date(2025, 4, 22)  # 21 days after 1 April
        assert (measure.baseline, measure.target_points) == (0.30, 10.0)  # half of 20 points
        assert measure.target == pytest.approx(0.40)
        assert measure.deals_at_stake == 6.0

    def test_a_second_one_needs_an_indicator_of_its_own_where_the_dealer_is_surely_behind(self):
        order = level("test_drive_to_order", 0.15, -6.0, half=2.0, cases=180, expected=0.22)
        one = level()
        plan = planned(found(problem(one), levels=[one, order]))
        assert [(m.measure, m.indicator) for m in plan.measures] == [
            ("test_drive_for_every_visit", TEST_DRIVE),
            ("test_drive_route", "test_drive_to_order"),
        ]
        assert [m.deals_at_stake for m in plan.measures] == [3.0, 3.0]  # the problem's six deals, not twice six

    def test_an_unsure_gap_judges_no_measure(self):
        order = level("test_drive_to_order", 0.15, -6.0, half=8.0, cases=180)
        one = level()
        assert len(planned(found(problem(one), levels=[one, order])).measures) == 1

    def test_a_lower_is_better_indicator_is_moved_down(self):
        one = level("reason:price_trade_in_price", 0.12, 6.0, half=0.5, cases=900, expected=0.06)
        (measure,) = planned(found(problem(one, "price_trade_in_price"), levels=[one])).measures
        assert (measure.measure, measure.target_points) == ("trade_in_on_the_spot", 3.0)
        assert measure.target == pytest.approx(0.09)

    def test_what_had_no_effect_here_is_not_proposed_first_again(self):
        plan = planned(weak(), tried=[tried(verdict=EffectVerdict.NO_EFFECT)])
        assert [m.measure for m in plan.measures] == ["test_car_readiness"]
        assert plan.kind is PlanKind.RECTIFY

    def test_what_was_not_executed_is_still_to_be_done(self):
        plan = planned(weak(), tried=[tried(executed=False, verdict=EffectVerdict.NO_EFFECT)])
        assert [m.measure for m in plan.measures] == ["test_drive_for_every_visit"]

    def test_the_learned_rank_goes_before_the_playbooks_order(self):
        records = pd.DataFrame({"measure": ["test_car_readiness"], "rank": [1], "verdict": ["effective"]})
        assert planned(weak(), records=records).measures[0].measure == "test_car_readiness"

    def test_a_measure_that_works_nowhere_goes_behind_the_untried(self):
        records = pd.DataFrame({"measure": ["test_drive_for_every_visit"], "rank": [1], "verdict": ["no_effect"]})
        assert planned(weak(), records=records).measures[0].measure == "test_car_readiness"

    def test_a_record_without_rank_changes_nothing(self):
        records = pd.DataFrame({"measure": ["test_car_readiness"], "rank": pd.array([None], dtype="Int64")})
        assert planned(weak(), records=records).measures[0].measure == "test_drive_for_every_visit"

    def test_two_findings_of_one_scheme_share_its_measures(self):
        one, two = level("reason:price", 0.2, 6.0, cases=900), level("reason:price_too_high", 0.2, 5.0, cases=900)
        plan = planned(found(problem(one, "price_too_high"), problem(two, "price_too_high"), levels=[one, two]))
        assert len(plan.problems) == 2
        assert len({m.measure for m in plan.measures}) == len(plan.measures)


class TestEarlierPlans:
    @pytest.mark.parametrize(
        ("state", "verdict", "waits"),
        [
            (PlanState.FILED, None, True),
            (PlanState.IN_PROGRESS, None, True),
            (PlanState.DONE, None, True),
            (PlanState.VERIFIED, EffectVerdict.NOT_ENOUGH, True),
            (PlanState.ISSUED, None, False),  # never taken up: proposed again
            (PlanState.WITHDRAWN, None, False),
            (PlanState.CLOSED, EffectVerdict.NOT_ENOUGH, False),
            (PlanState.VERIFIED, EffectVerdict.EFFECTIVE, False),
        ],
    )
    def test_no_new_measure_while_one_for_the_reason_is_under_way(self, state, verdict, waits):
        plan = planned(weak(), tried=[tried(state=state, executed=None, verdict=verdict)])
        assert (plan.note == "plan_note.under_way") is waits
        assert bool(plan.measures) is not waits
        if waits:
            assert plan.kind is PlanKind.KEEP
            assert plan.note_params["since"] == "2024-12"

    @pytest.mark.parametrize(("cycle", "waits"), [("2024-08", True), ("2024-07", False)])
    def test_an_unsettled_measure_waits_seven_months_at_most(self, cycle, waits):
        plan = planned(weak(), tried=[tried(cycle=cycle, state=PlanState.DONE)])
        assert bool(plan.measures) is not waits

    def test_other_reasons_go_on(self):
        one, two = level(), level("reason:price_trade_in_price", 0.12, 6.0, half=0.5, cases=900)
        both = found(problem(one), problem(two, "price_trade_in_price"), levels=[one, two])
        plan = planned(both, tried=[tried(state=PlanState.IN_PROGRESS, executed=None)])
        assert [m.reason for m in plan.measures] == ["price_trade_in_price"]

    def test_twice_without_effect_calls_for_coaching(self):
        history = [
            tried(cycle="2024-08", verdict=EffectVerdict.NO_EFFECT),
            tried("test_car_readiness", "2024-12", verdict=EffectVerdict.WORSE),
        ]
        plan = planned(weak(), tried=history)
        assert (plan.kind, plan.note) == (PlanKind.COACHING, "plan_note.coaching_without_effect")
        assert plan.note_params == {"plans": 2, "deals": 6.0}
        assert [m.measure for m in plan.measures] == ["test_drive_route"]

    def test_twice_not_executed_calls_for_coaching_and_says_so(self):
        plan = planned(weak(), tried=[tried(cycle=cycle, executed=False) for cycle in ("2024-08", "2024-12")])
        assert (plan.kind, plan.note) == (PlanKind.COACHING, "plan_note.coaching_not_executed")

    def test_not_executed_and_without_effect_are_never_added_up(self):
        history = [tried(cycle="2024-08", executed=False), tried(cycle="2024-12", verdict=EffectVerdict.NO_EFFECT)]
        assert planned(weak(), tried=history).kind is PlanKind.RECTIFY

    def test_another_dealers_history_does_not_count(self):
        other = TriedMeasure("D2", "2024-12", "x", "process_no_test_drive", PlanState.IN_PROGRESS)
        assert planned(weak(), tried=[other]).kind is PlanKind.RECTIFY


ERRORS = {1: 4.0, 2: 3.0, 3: 2.0, 6: 1.0}  # 2.49 x: 9.96, 7.47, 4.98, 2.49 points


class TestTargetsAndTheirVerdict:
    @pytest.mark.parametrize(
        ("loss", "points", "months"),
        [
            (30.0, 15.0, 1),
            (16.0, 8.0, 2),
            (10.0, 5.0, 3),
            (6.0, 3.0, 6),
            (4.0, 2.49, 6),  # half would be 2.0, which six months could not tell from chance
            (2.4, 1.2, None),  # even the whole gap could not
        ],
    )
    def test_half_the_gap_at_least_what_can_be_told_from_chance_never_beyond_the_gap(self, loss, points, months):
        found_points = target_points(loss, ERRORS, PlanningRules())
        assert found_points == pytest.approx(points)
        assert verify_after(found_points, ERRORS) == months

    def test_the_standard_error_is_the_levels_own_and_that_of_the_months(self):
        # level sd 6.58 / 3.29 = 2 points; target rate .30 + .10 = .40; 300 cases: 100 sqrt(.24 / 300) = 2.828
        assert standard_error(level(), 100, 3) == pytest.approx(math.hypot(2.0, 2.8284), abs=1e-3)

    def test_more_months_make_it_smaller_and_no_cases_infinite(self):
        errors = [standard_error(level(), 100, months) for months in (1, 2, 3, 6)]
        assert errors == sorted(errors, reverse=True)
        assert standard_error(level(), 0, 3) == math.inf

    def test_a_small_dealer_is_judged_in_the_pool_only(self):
        small = level(gap=-8.0, half=6.0, cases=45)
        (measure,) = planned(found(problem(small), levels=[small])).measures
        assert measure.verify_after_months is None
        assert measure.target_points == 4.0

    def test_standard_errors_of_the_fit_take_the_place_of_the_formula(self):
        exact = {("D1", TEST_DRIVE): {1: 9.0, 2: 5.0, 3: 4.01, 6: 2.0}}
        (measure,) = planned(weak(), standard_errors=exact).measures
        assert (measure.target_points, measure.verify_after_months) == (10.0, 3)


def test_every_dealer_gets_exactly_one_plan_in_its_order():
    dealers = {"D3": "R2", "D1": "R1", "D2": "R1"}
    plans = draft_plans(
        CYCLE, dealers, {"D1": weak()}, {}, playbook(), measure_records=None, previous_plans=[], settings=_Settings()
    )
    assert [(plan.dealer_id, plan.region_id) for plan in plans] == list(dealers.items())
    assert [plan.kind for plan in plans] == [PlanKind.KEEP, PlanKind.RECTIFY, PlanKind.KEEP]
