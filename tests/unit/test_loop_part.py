"""Does the loop work: headline, checks, costs, record and duties, from facts made by hand."""

from datetime import date

import pytest

from models.enums import EffectVerdict, Role
from models.messages import LOCALES
from reports.loop_part import MOST_NAMED, loop_part
from reports.verification_figures import Duty, LoopFigures
from reports.words import Words

NAN = float("nan")


def check(value, lo=NAN, hi=NAN, verdict="for_information", cases=30):
    return {"value": value, "lo90": lo, "hi90": hi, "cases": cases, "verdict": f"learning.verdict.{verdict}"}


def programme(points, lo, hi, deals):
    return {
        "programme_network": check(points, lo, hi),
        "close_rate_with": check(17.3),
        "close_rate_without": check(17.3 - points),
        "extra_deals": check(*deals),
    }


def part(checks=None, locale="en", record=(), duties=(), judged=None):
    figures = LoopFigures(judged or {}, 0, 0, checks or {}, record, duties)
    return loop_part(
        figures, Words(locale), {"D1": "dealers/D1/plan.html"}, {"R1": ("East", "analysis/region-R1.html")}
    )


@pytest.mark.parametrize(
    ("figures", "begins", "holds"),
    [
        ((0.8, 0.4, 1.2, (120.0, 60.0, 180.0)), "Yes", "about 120 deals more (60 to 180)"),
        ((0.3, -0.2, 0.8, (45.0, -30.0, 120.0)), "It cannot be told yet", "cannot be told from nothing"),
        ((-0.8, -1.2, -0.4, (-120.0, -180.0, -60.0)), "No", "about 120 deals fewer (60 to 180)"),
        ((NAN, NAN, NAN, (NAN, NAN, NAN)), "It cannot be said yet", "too few dealers"),
    ],
)
def test_the_headline_claims_no_more_than_the_interval(figures, begins, holds):
    shown = part(programme(*figures)).headline
    assert shown.startswith(begins)
    assert holds in shown
    assert "nan" not in part(programme(*figures), "zh_CN").headline


@pytest.mark.parametrize("locale", LOCALES)
def test_every_check_has_value_what_is_good_and_a_judgement(locale):
    checks = {
        "aa_false": check(0.05, 0.01, 0.16, "as_expected"),
        "placebo_z": check(1.31, 1.1, 1.6, "too_wide"),
        "inconclusive": check(NAN, verdict="too_few"),
        "hold_back": check(1.2, -0.4, 2.8, "not_sure", 4),
    }
    rows = part(checks, locale).checks
    assert len(rows) == 4
    assert all(len(row) == 4 and all(row) for row in rows)
    assert "5.0%" in rows[0][1]
    assert "1.31" in rows[1][1]
    assert rows[2][1] == "–"
    assert "+1.2" in rows[3][1]
    assert "hold_back_share" in part({}, locale).checks[3][3]


@pytest.mark.parametrize("locale", LOCALES)
def test_costs_are_figures_or_what_is_missing(locale):
    names = ("hours_per_closed_plan", "hours_per_extra_deal", "cost_per_extra_deal")
    (line,) = part({name: check(NAN, verdict="no_hours") for name in names}, locale).costs
    assert "effort_hours" in line
    known = dict(
        zip(names, (check(9.0), check(14.0, 9.0, verdict="unbounded"), check(NAN, verdict="no_cost")), strict=True)
    )
    lines = part(known, locale).costs
    assert "9.0" in lines[0]
    assert "14.0" in lines[1]
    assert "cost_per_hour" in lines[2]
    assert not any("nan" in one for one in lines)
    assert part({}, locale).costs == ()


def record(measure, rank, effect=NAN, dealers=3, verdict="not_enough_evidence", **more):
    return {
        "reason": "process_follow_up", "measure": measure, "rank": rank, "dealers": dealers, "executed": dealers,
        "pooled": dealers, "basis": "executed", "indicator": "close_rate", "effect_points": effect, "lo90": effect - 1,
        "hi90": effect + 1, "verdict": verdict, "because": "", **more,
    }  # fmt: skip


def test_the_record_stands_in_the_order_of_proposal_and_counts_what_is_open():
    rows = [record("first_hour_response", 1, 1.8, verdict="effective"), record("lead_alarm", 2, dealers=0)]
    other = record("rehearse_products", 1) | {"reason": "process_product_knowledge"}
    shown = part(record=[*rows, other], judged={EffectVerdict.EFFECTIVE: 1})
    assert [line.rank for line in shown.record] == ["1", "2"]
    assert shown.record[0].effect == "close rate +1.8 pts (90 % interval +0.8 to +2.8; dealers: 3)"
    assert shown.record[0].standing == "better"
    assert shown.record[1].verdict == "not tried yet"
    assert "1." in shown.waiting
    assert ("effective", "1") in shown.verdicts


def duty(owner=Role.REGION, region="R1", step="worse", dealer="D1"):
    return Duty(owner, region, step, date(2026, 11, 10), dealer, f"Dealer {dealer}", "first_hour_response")


def test_duties_are_grouped_by_owner_region_and_step_regions_first():
    many = [duty(Role.DEALER, step="extend", dealer=f"D{number}") for number in range(MOST_NAMED + 3)]
    shown = part(duties=[*many, duty(Role.OEM, step="effective"), duty(region="R2"), duty(), duty(step=None)]).duties
    assert [line.owner for line in shown] == [
        "the region: East",
        "the region: East",
        "the region: R2",
        "the OEM",
        "the dealer",
    ]
    assert shown[0].what == "Approve or return filed plans"
    assert shown[1].what == "Withdraw the measure and visit the dealer"
    assert shown[1].link == "analysis/region-R1.html"
    assert shown[1].dealers[0][:2] == ("dealers/D1/plan.html", "Dealer D1")
    assert shown[4].count == str(MOST_NAMED + 3)
    assert len(shown[4].dealers) == MOST_NAMED
    assert shown[4].more == "3 more"
