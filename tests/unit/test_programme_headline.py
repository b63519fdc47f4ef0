"""What the programme comes to, by hand: rates with and without, extra deals, cost; and what worked at whom."""

import numpy as np
import pandas as pd
import pytest

from models.enums import Consent
from models.messages import LOCALES, text
from reports.verdicts import practice_sentence
from tasks.compute.learning.check import Check
from tasks.compute.learning.headline import costs, with_and_without
from tasks.compute.learning.practice import practice_note, practices

COUNTS = pd.DataFrame([(1, 900, 90), (2, 1000, 160), (3, 1000, 140)], columns=["month", "n", "x"])


def network(value, low, high):
    return Check("programme_network", value, low, high, 0.0, 9, "learning.verdict.gained")


def by_name(checks):
    return {check.check: check for check in checks}


def test_the_rate_without_the_loop_is_what_was_less_what_it_brought():
    found = by_name(with_and_without(COUNTS, 2, network(0.5, 0.2, 0.8)))
    assert found["close_rate_with"].value == pytest.approx(15.0)
    without = found["close_rate_without"]
    assert (without.value, without.lo90, without.hi90) == pytest.approx((14.5, 14.2, 14.8))
    deals = found["extra_deals"]
    assert (deals.value, deals.lo90, deals.hi90) == pytest.approx((10, 4, 16))
    assert deals.verdict == without.verdict == "learning.verdict.gained"


def test_without_an_effect_there_is_no_headline():
    for checks in (
        with_and_without(COUNTS, 2, network(np.nan, np.nan, np.nan)),
        with_and_without(COUNTS, 9, network(1, 0, 2)),
    ):
        assert all(np.isnan(check.value) for check in checks)
        assert {check.verdict for check in checks} == {"learning.verdict.too_few"}


EFFORTS = pd.DataFrame(
    [("P1", True, 10.0), ("P1", True, 6.0), ("P2", True, 8.0), ("P3", False, 16.0)],
    columns=["plan_id", "closed", "hours"],
)


def test_hours_per_plan_and_per_deal():
    deals = Check("extra_deals", 10, 4, 16, 0.0, 2000, "learning.verdict.gained")
    found = by_name(costs(EFFORTS, deals, cost_per_hour=50.0))
    assert (found["hours_per_closed_plan"].value, found["hours_per_closed_plan"].cases) == (12.0, 2)
    hours, money = found["hours_per_extra_deal"], found["cost_per_extra_deal"]
    assert (hours.value, hours.lo90, hours.hi90) == pytest.approx((4.0, 2.5, 10.0))
    assert (money.value, money.lo90, money.hi90) == pytest.approx((200, 125, 500))
    assert by_name(costs(EFFORTS, deals))["cost_per_extra_deal"].verdict == "learning.verdict.no_cost"


def test_a_cost_is_not_bounded_where_there_may_be_no_deal_and_not_made_up_without_hours():
    unsure = Check("extra_deals", 5, -3, 13, 0.0, 2000, "learning.verdict.not_sure")
    hours = by_name(costs(EFFORTS, unsure))["hours_per_extra_deal"]
    assert (hours.value, hours.lo90) == pytest.approx((8.0, 40 / 13))
    assert np.isnan(hours.hi90)
    assert hours.verdict == "learning.verdict.unbounded"
    lost = Check("extra_deals", -5, -9, -1, 0.0, 2000, "learning.verdict.lost")
    assert by_name(costs(EFFORTS, lost))["hours_per_extra_deal"].verdict == "learning.verdict.no_deals"
    unstated = costs(EFFORTS.assign(hours=[10.0, np.nan, 8.0, 16.0]), unsure, 50.0)
    assert {check.verdict for check in unstated} == {"learning.verdict.no_hours"}
    assert all(np.isnan(check.value) for check in unstated)
    nobody = costs(EFFORTS.head(0), unsure)
    assert {check.verdict for check in nobody} == {"learning.verdict.too_few"}
    for check in (*unstated, *nobody, hours):
        assert all(text(f"learning.check.{check.check}", locale) and text(check.verdict, locale) for locale in LOCALES)


LOOKS = pd.DataFrame(
    [
        ("P1-1", "P1", "D1", "call", "effective", 3, 4.0, 1.0, "executed"),
        ("P2-1", "P2", "D2", "call", "effective", 6, 3.0, 2.0, "executed"),
        ("P3-1", "P3", "D3", "call", "no_effect", 3, 0.1, -1.0, "executed"),
        ("P4-1", "P4", "D4", "call", "effective", 3, 5.0, 3.0, "partly"),
    ],
    columns=[
        "measure_id",
        "plan_id",
        "dealer_id",
        "measure",
        "verdict",
        "months",
        "shrunk_points",
        "lo90",
        "execution",
    ],
).assign(reason="slow", indicator="close_rate", hi90=9.0)


@pytest.mark.parametrize("locale", LOCALES)
def test_a_dealer_is_named_to_others_only_with_its_consent(locale):
    unasked = practices(LOOKS, {})
    assert unasked["dealer_id"].tolist() == ["D2", "D1"]  # the surest first; in part is no practice to copy
    assert set(unasked["consent"]) == {"not_asked"}
    note = practice_note(unasked, "slow", "call", "D9")
    assert note == {"dealers": 2, "dealer_id": "", "effect": 3.0}
    sentence = practice_sentence(note, "某店", locale)
    assert "某店" not in sentence
    assert "D2" not in sentence
    given = practices(LOOKS, {"P1": Consent.GIVEN, "P2": Consent.DECLINED})
    assert given.set_index("dealer_id")["named"].to_dict() == {"D2": False, "D1": True}
    named = practice_note(given, "slow", "call", "D9")
    assert named["dealer_id"] == "D1"
    assert "某店" in practice_sentence(named, "某店", locale)


def test_no_dealer_is_told_of_itself_and_nothing_of_what_worked_nowhere():
    table = practices(LOOKS, {"P1": Consent.GIVEN})
    assert practice_note(table, "slow", "call", "D1")["dealer_id"] == ""
    assert practice_note(table, "slow", "roster", "D9") == {}
    assert practice_sentence({}) == ""
    assert practices(LOOKS.head(0), {}).empty
