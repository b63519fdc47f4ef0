"""Simulated answers to plans: pure, plausible, and true to what they say was done."""

import pytest

from tasks.compute.simulation.months import effect_points
from tasks.compute.simulation.network import Network
from tasks.compute.simulation.responses import (
    PlanFacts,
    PlanMeasure,
    combined,
    effects_of,
    respond,
    true_points,
)


def _plans(count):
    measures = [
        (
            PlanMeasure("m1", f"call_{number % 7}", "process_follow_up", "first_response_in_1h"),
            PlanMeasure("m2", f"drive_{number % 5}", "process_no_test_drive", "visit_to_test_drive"),
        )
        for number in range(count)
    ]
    return [PlanFacts(f"p{number}", f"D{number + 1:04d}", pair) for number, pair in enumerate(measures)]


def test_answers_depend_on_the_plan_alone():
    plans = _plans(30)
    assert respond(plans, 4, "2026-08") == respond(plans, 4, "2026-08")
    assert respond(plans[10:12], 4, "2026-08") == respond(plans, 4, "2026-08")[10:12]
    assert respond(plans, 4, "2026-09") != respond(plans, 4, "2026-08")
    assert respond(plans, 5, "2026-08") != respond(plans, 4, "2026-08")


def test_most_dealers_file_in_time_and_few_do_nothing():
    answers = respond(_plans(800), 1, "2026-08")
    assert 0.7 < sum(answer.in_time for answer in answers) / 800 < 0.85
    assert 0.03 < sum(answer.filed_days is None for answer in answers) / 800 < 0.13
    assert 0.08 < sum(answer.returned for answer in answers) / 800 < 0.2
    done = [measure.executed for answer in answers for measure in answer.measures]
    assert 0.5 < done.count("yes") / len(done) < 0.68
    assert 0.1 < done.count("partly") / len(done) < 0.25


def test_steps_come_in_their_order():
    for answer in respond(_plans(300), 2, "2026-08"):
        days = [answer.filed_days, answer.refiled_days, answer.approved_days]
        done = [measure.days_after_issue for measure in answer.measures if measure.days_after_issue is not None]
        known = [day for day in days if day is not None]
        assert known == sorted(known)
        assert answer.returned == (answer.refiled_days is not None)
        if answer.filed_days is None:
            assert answer.approved_days is None
            assert not done
        assert all(day > answer.approved_days for day in done)


def test_only_executed_measures_have_an_effect():
    for answer in respond(_plans(300), 3, "2026-08"):
        for measure in answer.measures:
            full = true_points(3, measure.reason, measure.measure)
            if measure.executed == "no":
                assert (measure.effect_points, measure.evidence, measure.days_after_issue) == (0.0, "", None)
            else:
                assert 0.15 * full <= measure.effect_points <= 1.6 * full
                assert measure.evidence


def test_some_measures_work_well_and_some_not_at_all():
    drawn = [true_points(8, "process_follow_up", f"measure_{number}") for number in range(400)]
    assert 0.28 < drawn.count(0.0) / 400 < 0.42
    works = [points for points in drawn if points]
    assert min(works) >= 1
    assert max(works) <= 5
    assert true_points(8, "a", "b") == true_points(8, "a", "b")


def test_effects_are_what_a_month_takes():
    network = Network.build(60, 1, "2025-01")
    effects = effects_of(respond(_plans(60), 12, "2026-08"))
    assert effects
    points = effect_points(network, effects)
    assert points.sum() == pytest.approx(sum(effects.values()))


def test_effects_of_cycles_add_up_with_half_of_the_smaller():
    key = ("D0001", "process_follow_up")
    assert combined({key: 2.0}, {key: 4.0}) == {key: 5.0}
    assert combined({key: 2.0}, {}) == {key: 2.0}
    assert combined() == {}


def test_unsplit_price_acts_on_a_simulated_cause():
    plans = [
        PlanFacts(f"p{n}", f"D{n:04d}", (PlanMeasure("m", f"x{n}", "price_too_high", "close_rate"),)) for n in range(30)
    ]
    assert {cause for _, cause in effects_of(respond(plans, 1, "2026-08"))} == {"price_discount_too_small"}


def test_cleaning_records_wins_no_deals():
    plans = [
        PlanFacts(f"p{n}", f"D{n:04d}", (PlanMeasure("m", f"x{n}", "record_duplicate", "reason:record_duplicate"),))
        for n in range(30)
    ]
    assert effects_of(respond(plans, 1, "2026-08")) == {}
