"""Deals at stake over any funnel: what the steps are worth adds up to what the funnel lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue.playbook import Stake
from tasks.compute.diagnosis import Level, deals_at_stake
from tasks.compute.planning import PlanningRules, standard_error, target_points, verify_after

STEPS = ("lead_to_visit", "visit_to_test_drive", "test_drive_to_order")
rates = st.floats(0.01, 0.99)


def level(indicator, value, expected, cases, half=1.0):
    gap = 100 * (value - expected)
    return Level(indicator, value, expected, gap, gap - half, gap + half, cases, -gap)


@given(actual=st.tuples(rates, rates, rates), expected=st.tuples(rates, rates, rates), leads=st.integers(1, 5000))
def test_the_stakes_of_all_steps_add_up_to_the_orders_lost_in_the_funnel(actual, expected, leads):
    reaching, levels = float(leads), {}
    for name, own, peers in zip(STEPS, actual, expected, strict=True):
        levels[name] = level(name, own, peers, reaching)
        reaching *= own
    lost = leads * expected[0] * expected[1] * expected[2] - reaching
    stakes = sum(deals_at_stake(levels[name], levels, Stake.STEP, STEPS) for name in STEPS)
    assert stakes == pytest.approx(lost, abs=1e-6 * leads)


@given(value=rates, expected=rates, half=st.floats(0.1, 20), cases=st.integers(1, 20000))
def test_a_target_is_never_beyond_the_expected_level_and_its_verdict_month_can_tell(value, expected, half, cases):
    one = level("lead_to_visit", min(value, expected), max(value, expected), cases, half)
    rules = PlanningRules()
    errors = {months: standard_error(one, cases / 3, months) for months in rules.horizons}
    points = target_points(one.loss_points, errors, rules)
    assert one.loss_points / 2 <= points <= max(one.loss_points, 1e-12)
    month = verify_after(points, errors)
    earlier = [months for months in rules.horizons if month is None or months < month]
    assert all(2.49 * errors[months] > points for months in earlier)
    assert month is None or 2.49 * errors[month] <= points
