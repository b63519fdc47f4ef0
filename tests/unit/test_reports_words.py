"""Words and figures of pages: units, signs, what is missing, and which direction is bad."""

import re

import pytest
from support.plans import problem

from models.catalogue.indicators import Unit
from models.messages import LOCALES
from reports.comparing import Standing, bar, bars, standing
from reports.figures import Comparison
from reports.formats import Formatter
from reports.words import Words, lower_is_better


@pytest.mark.parametrize(
    ("value", "unit", "zh", "en"),
    [
        (0.1234, "share", "12.3%", "12.3%"),
        (3.25, "hours", "3.2 小时", "3.2 h"),
        (12.0, "days", "12.0 天", "12.0 days"),
        (4.5, "contacts", "4.5 次", "4.5 contacts"),
        (88.0, "score", "88.0 分", "88.0 of 100"),
        (12345.6, "money", "12,346 元", "CNY 12,346"),
        (1234.0, "count", "1,234", "1,234"),
        (None, "share", "无数据", "not available"),
        (float("nan"), "days", "无数据", "not available"),
        (float("inf"), "count", "无数据", "not available"),
    ],
)
def test_values_are_written_in_their_unit(value, unit, zh, en):
    assert Formatter("zh_CN").value(value, unit) == zh
    assert Formatter("en").value(value, unit) == en


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("unit", list(Unit))
def test_every_unit_of_the_standard_can_be_written(locale, unit):
    f = Formatter(locale)
    assert re.search(r"\d", f.value(1.0, unit))
    assert f.gap(1.0, unit) != f.gap(-1.0, unit)
    assert f.gap(None, unit) == f.missing


def test_signs():
    f = Formatter("en")
    assert f.points(-0.04) == "0.0 pts"
    assert f.points(1.0) == "+1.0 pts"
    assert f.gap(-0.02, "share") == "-2.0 pts"
    assert f.interval(-1.0, 2.5) == "-1.0 to +2.5"
    assert f.percent(-0.0001) == "0.0%"


@pytest.mark.parametrize(
    ("indicator", "zh", "en"),
    [
        ("premature_share", "偏高", "Too high"),
        ("unclosed_over_90_share", "偏高", "Too high"),
        ("lead_to_visit", "偏低", "Too low"),
        ("first_response_in_1h", "偏低", "Too low"),
        ("reason:process_follow_up", "偏多", "Too many"),
    ],
)
def test_a_problem_is_named_by_the_direction_that_is_bad(indicator, zh, en):
    found = problem(indicator=indicator)
    assert zh in Words("zh_CN").problem(found)
    assert Words("en").problem(found).startswith(en)


def comparison(indicator="lead_to_visit", lo=-5.0, hi=-1.0, **more):
    values = {"numerator": 50, "denominator": 100, "value": 0.5, "expected": 0.55, "gap_points": (lo + hi) / 2,
              "lo90": lo, "hi90": hi, "q_value": 0.01, "peers": 20, "enough": True}  # fmt: skip
    return Comparison(indicator, **values | more)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (comparison(), Standing.WORSE),
        (comparison(lo=1.0, hi=5.0), Standing.BETTER),
        (comparison("premature_share"), Standing.BETTER),
        (comparison("premature_share", lo=1.0, hi=5.0), Standing.WORSE),
        (comparison("reason:process_follow_up", lo=1.0, hi=5.0), Standing.WORSE),
        (comparison(hi=0.5), Standing.CHANCE),
        (comparison(hi=0.5, likely=True), Standing.LIKELY_WORSE),
        (comparison(enough=False), Standing.UNJUDGED),
        (comparison(lo90=None), Standing.UNJUDGED),
    ],
)
def test_chance_is_told_from_a_difference_in_either_direction(row, expected):
    assert standing(row) is expected


def test_what_cannot_be_judged_shows_its_figure_and_why_and_no_peers():
    row = comparison(enough=False, missing="judge.missing.few_cases", expected=None, gap_points=None)
    shown = bar(row, Words("en"), 1.0)
    assert shown.own == "50.0%"
    assert (shown.peers, shown.peers_width, shown.low) == ("", None, None)
    assert shown.verdict == "not enough cases to compare"
    assert shown.gap == "too few cases in the period"


def test_bars_share_a_scale_that_holds_them_and_stay_inside():
    rows = bars([comparison(), comparison(value=0.9, expected=0.95, lo=-9, hi=12)], Words("en"))
    assert rows[1].own_width > rows[0].own_width
    assert all(0 <= end <= 1 for row in rows for end in (row.own_width, row.peers_width, row.low, row.high))


def test_an_indicator_without_cases_has_no_bar():
    assert bars([comparison(denominator=0, value=None)], Words("en")) == ()


def test_every_reason_is_better_low():
    assert lower_is_better("reason:anything")
