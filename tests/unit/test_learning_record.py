"""The playbook's record: shrunk effects, the order of proposal and its reason, exploration, random hold-back."""

import numpy as np
import pandas as pd
import pytest

from models.messages import LOCALES
from reports.verdicts import because
from tasks.compute.learning.hold_back import held_back
from tasks.compute.learning.record import record

SCHEMES = {"slow": ["call", "roster", "alert"], "price": ["ladder", "package"]}


def effects(measure, points, *, reason="slow", indicator="close_rate", dealers=12, se=2.0, target=3.0, executed=True):
    """As many dealers with a measure, whose effects scatter evenly around ``points``."""
    spread = np.linspace(-se, se, dealers)
    return pd.DataFrame(
        {
            "measure_id": [f"{measure}-{indicator}-{n}" for n in range(dealers)],
            "dealer_id": [f"D{n}" for n in range(dealers)],
            "region_id": "R",
            "start": 1,
            "months": 3,
            "reason": reason,
            "measure": measure,
            "indicator": indicator,
            "executed": pd.array([executed] * dealers, dtype="boolean"),
            "effect_points": points + spread,
            "own_se_points": se,
            "nation_se_points": 0.1,
            "region_se_points": 0.1,
            "target_points": target,
        }
    )


def by_measure(*parts, **changes):
    return record(pd.concat(parts, ignore_index=True), SCHEMES, **changes).set_index("measure")


def test_what_worked_is_proposed_first_what_failed_after_what_is_untried():
    table = by_measure(effects("roster", 3.0), effects("call", -1.5))
    assert table["rank"].loc[["roster", "alert", "call"]].tolist() == [1, 2, 3]
    assert table.loc["roster", "because"] == "learning.because.record"
    assert 0 < table.loc["roster", "shrunk_points"] < table.loc["roster", "effect_points"]
    assert (
        table.loc["roster", "shrunk_lo90"] < table.loc["roster", "shrunk_points"] < table.loc["roster", "shrunk_hi90"]
    )
    assert table["best_chance"].groupby(table["reason"]).sum().tolist() == pytest.approx([1, 1])


def test_a_new_measure_enters_with_the_prior_and_little_moves_little():
    table = by_measure(effects("call", 12.0, dealers=1, se=6.0))
    assert table.loc["alert", ["dealers", "executed"]].tolist() == [0, 0]
    assert np.isnan(table.loc["alert", "effect_points"])
    assert table.loc["alert", "attained_sd"] > table.loc["call", "attained_sd"] > 0.3
    assert 0 < table.loc["call", "attained"] < 0.5  # promised 3, seen 6, hardly sure


def test_without_any_record_the_playbooks_order_counts():
    table = record(effects("call", 0.0).iloc[:0], SCHEMES)
    for reason, scheme in SCHEMES.items():
        assert table.loc[table["reason"] == reason, "measure"].tolist() == scheme
    assert set(table["because"]) == {"learning.because.playbook", ""}


def test_measures_are_compared_by_the_part_of_their_promise():
    """Six points of a process indicator where twelve were promised are less than three of three points."""
    table = by_measure(effects("call", 6.0, indicator="first_response_in_1h", target=12.0), effects("alert", 3.0))
    assert table["rank"].loc[["alert", "call"]].tolist() == [1, 2]


def test_effects_on_different_indicators_are_not_averaged():
    table = by_measure(
        effects("call", 2.0), effects("call", 30.0, indicator="first_response_in_1h", dealers=4, target=40)
    )
    assert (table.loc["call", "indicator"], table.loc["call", "effect_points"]) == ("close_rate", pytest.approx(2.0))
    assert table.loc["call", "executed"] == 12


def test_what_was_not_carried_out_teaches_nothing():
    table = by_measure(effects("call", -5.0, executed=False))
    assert np.isnan(table.loc["call", "effect_points"])
    assert table.loc["call", ["dealers", "executed", "rank"]].tolist() == [12, 0, 1]


def test_exploring_is_frozen_for_a_cycle_and_follows_the_chances():
    seen = (effects("call", 1.2), effects("roster", 1.0), effects("alert", -4.0))
    first = by_measure(*seen, cycle="2026-10", explore=True)
    pd.testing.assert_frame_equal(first, by_measure(*seen, cycle="2026-10", explore=True))
    drawn = [by_measure(*seen, cycle=f"c{n}", explore=True)["rank"] for n in range(30)]
    firsts = pd.DataFrame(drawn)[["call", "roster", "alert"]].eq(1).mean()
    assert 0.3 < firsts["call"] < 0.85
    assert firsts["alert"] < 0.1
    assert by_measure(*seen)["rank"]["call"] == 1


@pytest.mark.parametrize("locale", LOCALES)
def test_every_first_measure_says_why(locale):
    table = record(pd.concat([effects("roster", 3.0), effects("call", -3.0)]), SCHEMES | {"stock": ["only"]})
    told = {row["measure"]: because(row, locale) for row in table.to_dict("records")}
    assert all(told[row.measure] for row in table[table["rank"] == 1].itertuples())
    assert told["call"] == ""
    assert "12" in told["roster"]
    assert "nan" not in "".join(told.values())


def test_chance_holds_back_about_the_share_for_a_half_year_and_nobody_by_default():
    dealers = [f"D{n:04d}" for n in range(2000)]
    held = held_back(dealers, "2026-07", 0.1)
    assert 150 < len(held) < 250
    assert held == held_back(dealers, "2026-12", 0.1)
    assert held != held_back(dealers, "2027-01", 0.1) != held_back(dealers, "2027-01", 0.1, seed=1)
    assert set(held) < set(held_back(dealers, "2026-07", 0.2))
    assert held_back(dealers, "2026-07", 0.0) == ()
