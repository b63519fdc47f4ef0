"""The simulated year: a world with known truth, reproducible, and the order of the loops (large runs: tests/bench)."""

import numpy as np
import pytest

from tasks.compute.simulation_year.world import Setting, create
from tasks.compute.simulation_year.year import simulate_year, summary

SMALL = Setting(dealers=80, year=5, leads=250, capacity=0.1, cells=2, reasons=4)


def test_the_counts_of_a_month_follow_from_the_seed_and_repairs_win_deals_back():
    world = create(SMALL, 3)
    nothing, all_of_it = np.zeros(80), np.ones(80)
    before, again = world.month(9, nothing), create(SMALL, 3).month(9, nothing)
    assert before.equals(again)
    after = world.month(9, all_of_it)
    assert (before["n"] == after["n"]).all()
    assert after["x"].sum() > before["x"].sum()
    assert after[world.reasons].sum().sum() < before[world.reasons].sum().sum()
    difference = world.close_rate(np.ones((80, 20))) - world.close_rate(np.zeros((80, 20)))
    assert ((difference > 0).all((1, 2)) == (world.cause >= 0)).all()
    assert (before[["x", *world.reasons]].sum(axis=1) <= before["n"]).all()


@pytest.fixture(scope="module")
def year():
    return simulate_year(SMALL, [3], ("naive", "rematch"))


def test_the_loop_gains_more_than_the_usual_way(year):
    table = summary(year).set_index("loop")
    assert table.loc["rematch", "gain_last"] > table.loc["naive", "gain_last"] > 0
    assert table.loc["rematch", "right"] > table.loc["naive", "right"]


def test_the_usual_way_claims_more_than_it_brought_and_the_loop_does_not(year):
    rows = year.set_index("loop")
    assert rows.loc["naive", "estimate"] > 1.3 * rows.loc["naive", "truth"]
    assert rows.loc["rematch", "lo90"] < rows.loc["rematch", "truth"]


def test_nothing_can_be_gained_where_no_measure_works():
    none = simulate_year(Setting(dealers=60, year=2, repairs=(0.0, 0.0), capacity=0.1), [1], ("naive",))
    assert none["gain_last"].tolist() == [0.0]
