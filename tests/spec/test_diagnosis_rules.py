"""From comparisons to problems, by small tables worked out by hand (tasks.compute.diagnosis)."""

from dataclasses import dataclass

import pandas as pd
import pytest

from models.catalogue.playbook import playbook
from models.catalogue.reasons import catalogue
from tasks.compute.diagnosis import DiagnosisRules, diagnose

BETTER = {
    "lead_to_visit": "higher",
    "visit_to_test_drive": "higher",
    "test_drive_to_order": "higher",
    "close_rate": "higher",
    "first_response_in_1h": "higher",
    "premature_share": "lower",
    "false_defeat_share": "lower",
    "unclosed_over_90_share": "lower",
}
MONTHS = ("2025-01", "2025-02", "2025-03")


@dataclass(frozen=True)
class _Settings:
    max_problems: int = 3
    minimum_leads: int = 30


def row(indicator, cases, value, expected, gap, half=2.0, q=0.01, enough=True, dealer="D1"):
    return {
        "dealer_id": dealer,
        "indicator": indicator,
        "numerator": round(cases * value),
        "denominator": cases,
        "value": value,
        "expected": expected,
        "gap_points": gap,
        "lo90": gap - half,
        "hi90": gap + half,
        "q_value": q,
        "flagged": q <= 0.1,
        "peers": 40,
        "enough": enough,
        "missing": "" if enough else "judge.missing.few_cases",
    }


def diagnosed(*rows, closings=200, settings=None, rules=None, examples=None):
    frame = pd.DataFrame(list(rows))
    return diagnose(
        frame,
        {"D1": closings},
        playbook=playbook(),
        reasons=catalogue(),
        better=BETTER,
        months=MONTHS,
        settings=settings or _Settings(),
        rules=rules,
        examples=examples,
    )["D1"]


NORMAL_STEPS = (
    row("lead_to_visit", 200, 0.40, 0.40, 0.0),
    row("visit_to_test_drive", 80, 0.50, 0.50, 0.0),
    row("test_drive_to_order", 40, 0.25, 0.25, 0.0),
    row("close_rate", 200, 0.05, 0.05, -20.0, half=30.0, q=0.9),  # 40 deals may be lost in all, nothing sure
)


def test_a_step_costs_its_gap_times_the_leads_reaching_it_times_the_expected_rest_of_the_funnel():
    found = diagnosed(row("lead_to_visit", 200, 0.30, 0.40, -10.0), *NORMAL_STEPS[1:])
    (problem,) = found.problems
    assert problem.indicator == "lead_to_visit"
    assert problem.reason == "process_follow_up"
    assert problem.deals_at_stake == pytest.approx(0.10 * 200 * 0.50 * 0.25)  # 2.5 deals
    assert (problem.numerator, problem.denominator, problem.gap_points) == (60, 200, -10.0)
    assert problem.months == MONTHS


def test_the_last_step_has_no_rest():
    found = diagnosed(*NORMAL_STEPS[:2], row("test_drive_to_order", 40, 0.15, 0.25, -10.0, half=3), NORMAL_STEPS[3])
    assert found.problems[0].deals_at_stake == pytest.approx(0.10 * 40)  # 4 deals


def test_without_a_later_step_the_expected_close_rate_stands_in():
    found = diagnosed(row("lead_to_visit", 200, 0.30, 0.40, -10.0), row("close_rate", 200, 0.05, 0.06, -0.1, q=0.9))
    assert found.problems[0].deals_at_stake == pytest.approx(20 * 0.06 / 0.40)  # 3 deals


def test_a_step_whose_rest_nobody_knows_is_no_problem_with_deals():
    assert diagnosed(row("lead_to_visit", 200, 0.30, 0.40, -10.0)).problems == ()


def test_a_reason_costs_its_excess_defeats():
    found = diagnosed(*NORMAL_STEPS, row("reason:price_trade_in_price", 200, 0.10, 0.06, 3.5))
    (problem,) = found.problems
    assert problem.reason == "price_trade_in_price"
    assert problem.deals_at_stake == pytest.approx(0.035 * 200)  # 7 deals


class TestReasonsTogetherCostNoMoreThanTheDealerLoses:
    def stakes(self, close_gap, *excess):
        codes = ("price_trade_in_price", "process_no_trust")
        rows = [row(f"reason:{code}", 200, 0.1, 0.05, gap, half=0.5) for code, gap in zip(codes, excess, strict=False)]
        found = diagnosed(*NORMAL_STEPS[:3], row("close_rate", 200, 0.05, 0.05, close_gap, half=30.0, q=0.9), *rows)
        return {one.reason: pytest.approx(one.deals_at_stake) for one in found.problems}

    def test_one_reason_is_cut_to_the_whole_loss(self):
        assert self.stakes(-2.0, 3.5) == {"price_trade_in_price": 4.0}  # 7 defeats too many, 4 deals lost

    def test_several_share_it_in_proportion(self):
        assert self.stakes(-2.0, 3.0, 1.0) == {"price_trade_in_price": 3.0, "process_no_trust": 1.0}

    def test_within_the_whole_loss_nothing_is_cut(self):
        assert self.stakes(-5.0, 3.0, 1.0) == {"price_trade_in_price": 6.0, "process_no_trust": 2.0}

    def test_a_dealer_who_loses_nothing_only_codes_differently(self):
        assert self.stakes(0.5, 3.0, 1.0) == {}

    def test_without_a_close_rate_to_compare_the_reasons_stand(self):
        (problem,) = diagnosed(*NORMAL_STEPS[:3], row("reason:price_trade_in_price", 200, 0.1, 0.06, 3.5)).problems
        assert problem.deals_at_stake == pytest.approx(7)


def test_leads_given_up_early_would_have_had_the_usual_chance():
    found = diagnosed(*NORMAL_STEPS, row("premature_share", 150, 0.40, 0.20, 18.0))
    (problem,) = found.problems
    assert problem.indicator == "premature_share"
    assert problem.deals_at_stake == pytest.approx(0.18 * 150 * 0.05)  # 1.35 deals


def test_leads_left_lying_are_counted_once_though_every_month_end_counts_them():
    found = diagnosed(*NORMAL_STEPS, row("unclosed_over_90_share", 450, 0.40, 0.20, 18.0))
    assert found.problems[0].deals_at_stake == pytest.approx(0.18 * 450 / 3 * 0.05)  # 1.35 deals


@pytest.mark.parametrize(
    ("gap", "half", "q", "sure"),
    [
        (-10.0, 2.0, 0.01, True),
        (-10.0, 12.0, 0.01, True),  # the interval holds zero, but the q value is low
        (-10.0, 2.0, 0.40, True),  # the interval leaves zero out
        (-10.0, 12.0, 0.40, False),
        (-10.0, 12.0, float("nan"), False),
        (10.0, 2.0, 0.01, False),  # the good side
        (float("nan"), 2.0, 0.01, False),
    ],
)
def test_only_sure_findings_on_the_bad_side_count(gap, half, q, sure):
    found = diagnosed(row("lead_to_visit", 200, 0.30, 0.40, gap, half, q), *NORMAL_STEPS[1:])
    assert bool(found.problems) is sure


def test_a_row_without_cases_enough_is_not_judged():
    found = diagnosed(row("lead_to_visit", 200, 0.30, 0.40, -10.0, enough=False), *NORMAL_STEPS[1:])
    assert found.judged
    assert found.problems == ()
    assert "lead_to_visit" not in found.levels


def test_a_dealer_with_few_closings_or_nothing_comparable_is_not_judged():
    bad = row("lead_to_visit", 200, 0.30, 0.40, -10.0)
    few = diagnosed(bad, *NORMAL_STEPS[1:], closings=29)
    assert (few.judged, few.problems, few.closings) == (False, (), 29)
    assert not diagnosed({**bad, "enough": False}).judged
    assert not diagnosed(row("some_other_indicator", 200, 0.3, 0.4, -10.0)).judged


def test_a_finding_of_less_than_half_a_deal_is_left_alone():
    small = row("reason:price_trade_in_price", 200, 0.022, 0.02, 0.2, half=0.1)  # 0.4 deals
    assert diagnosed(*NORMAL_STEPS, small).problems == ()
    assert diagnosed(*NORMAL_STEPS, small, rules=DiagnosisRules(smallest_deals=0.3)).problems


class TestOneCauseIsCountedOnce:
    STEP = row("visit_to_test_drive", 80, 0.30, 0.50, -18.0)  # 0.18 x 80 x 0.25 = 3.6 deals

    def with_reason(self, *reasons):
        return diagnosed(NORMAL_STEPS[0], self.STEP, *NORMAL_STEPS[2:], *reasons).problems

    def test_the_step_is_kept_when_it_holds_more_deals(self):
        (problem,) = self.with_reason(row("reason:process_no_test_drive", 200, 0.03, 0.015, 1.5, half=1))  # 3 deals
        assert problem.indicator == "visit_to_test_drive"
        assert problem.also == ("reason:process_no_test_drive",)

    def test_the_reason_is_kept_when_it_holds_more_deals(self):
        (problem,) = self.with_reason(row("reason:process_no_test_drive", 200, 0.04, 0.015, 2.5, half=1))  # 5 deals
        assert problem.indicator == "reason:process_no_test_drive"
        assert problem.also == ("visit_to_test_drive",)

    def test_several_reasons_of_a_step_are_weighed_together(self):
        problems = self.with_reason(
            row("reason:process_no_test_drive", 200, 0.03, 0.015, 1.4, half=1),  # 2.8 deals
            row("reason:process_reception", 200, 0.02, 0.01, 1.0, half=0.5),  # 2.0 deals: 4.8 together
        )
        assert [one.indicator for one in problems] == ["reason:process_no_test_drive", "reason:process_reception"]
        assert all(one.also == ("visit_to_test_drive",) for one in problems)

    def test_the_step_takes_the_scheme_of_its_leading_reason(self):
        (problem,) = self.with_reason(row("reason:process_reception", 200, 0.02, 0.01, 1.0, half=0.5))  # 2 of 3.6
        assert (problem.indicator, problem.reason) == ("visit_to_test_drive", "process_reception")

    def test_an_unsure_reason_gives_the_scheme_when_it_would_explain_half_of_the_step(self):
        unsure = {"half": 3.0, "q": 0.4}
        (half,) = self.with_reason(row("reason:process_reception", 200, 0.02, 0.01, 0.9, **unsure))  # 1.8 of 3.6
        assert (half.reason, half.also) == ("process_reception", ("reason:process_reception",))
        (less,) = self.with_reason(row("reason:process_reception", 200, 0.02, 0.01, 0.8, **unsure))
        assert (less.reason, less.also) == ("process_no_test_drive", ())

    def test_a_signal_is_evidence_but_never_a_problem_by_itself(self):
        slow = row("first_response_in_1h", 200, 0.30, 0.60, -28.0)
        assert diagnosed(*NORMAL_STEPS, slow).problems == ()
        (problem,) = diagnosed(row("lead_to_visit", 200, 0.30, 0.40, -10.0), *NORMAL_STEPS[1:], slow).problems
        assert problem.also == ("first_response_in_1h",)


class TestTheCloseRateItself:
    WEAK = row("close_rate", 200, 0.02, 0.05, -2.5)  # 5 deals

    def test_is_a_problem_when_nothing_explains_it(self):
        (problem,) = diagnosed(*NORMAL_STEPS[:3], self.WEAK).problems
        assert (problem.indicator, problem.reason) == ("close_rate", "process_skills_before_process")
        assert problem.deals_at_stake == pytest.approx(5)

    def test_is_left_out_when_a_reason_explains_half_of_it(self):
        found = diagnosed(
            *NORMAL_STEPS[:3], self.WEAK, row("reason:price_trade_in_price", 200, 0.10, 0.06, 1.25, half=1)
        )
        assert [one.indicator for one in found.problems] == ["reason:price_trade_in_price"]

    def test_is_left_out_when_the_product_explains_it(self):
        found = diagnosed(*NORMAL_STEPS[:3], self.WEAK, row("reason:product_power", 200, 0.10, 0.06, 4.0))
        assert found.problems == ()
        assert [one.indicator for one in found.not_fixable] == ["reason:product_power"]


def test_what_no_dealer_can_fix_goes_to_the_oem_and_what_nobody_can_fix_goes_nowhere():
    found = diagnosed(
        *NORMAL_STEPS,
        row("reason:product_noise", 200, 0.10, 0.06, 2.0, half=1),
        row("reason:price_positioned_high", 200, 0.10, 0.06, 4.0),
        row("reason:supply_delivery_too_long", 200, 0.10, 0.06, 3.0),
        row("reason:customer_funds_not_ready", 200, 0.10, 0.06, 9.0),
    )
    assert found.problems == ()
    assert [one.reason for one in found.not_fixable] == [
        "price_positioned_high",
        "supply_delivery_too_long",
        "product_noise",
    ]


def test_a_bare_level_1_filing_is_served_by_the_scheme_of_its_level():
    (problem,) = diagnosed(*NORMAL_STEPS, row("reason:price", 200, 0.10, 0.06, 4.0)).problems
    assert (problem.indicator, problem.reason) == ("reason:price", "price_too_high")


def test_at_most_the_set_number_of_problems_the_largest_first():
    reasons = ("price_trade_in_price", "process_no_trust", "record_misjudged", "supply_no_stock")
    rows = [row(f"reason:{code}", 200, 0.1, 0.05, gap) for code, gap in zip(reasons, (3, 6, 4, 5), strict=True)]
    found = diagnosed(*NORMAL_STEPS, *rows)
    assert [one.reason for one in found.problems] == ["process_no_trust", "supply_no_stock", "record_misjudged"]
    assert [one.reason for one in found.further] == ["price_trade_in_price"]
    two = diagnosed(*NORMAL_STEPS, *rows, settings=_Settings(max_problems=2))
    assert len(two.problems) == 2


def test_examples_of_customers_are_at_most_twenty():
    examples = {("D1", "lead_to_visit"): [f"L{n}" for n in range(30)]}
    found = diagnosed(row("lead_to_visit", 200, 0.30, 0.40, -10.0), *NORMAL_STEPS[1:], examples=examples)
    assert found.problems[0].lead_ids == tuple(f"L{n}" for n in range(20))


def test_each_dealer_is_judged_by_its_own_rows():
    weak = row("reason:price_trade_in_price", 200, 0.10, 0.06, 3.5)
    other = row("reason:price_trade_in_price", 200, 0.06, 0.06, 0.0, dealer="D2")
    found = diagnose(
        pd.DataFrame([weak, other]),
        {"D1": 200, "D2": 200, "D3": 200},
        playbook=playbook(),
        reasons=catalogue(),
        better=BETTER,
        months=MONTHS,
        settings=_Settings(),
    )
    assert [len(found[dealer].problems) for dealer in ("D1", "D2", "D3")] == [1, 0, 0]
    assert [found[dealer].judged for dealer in ("D1", "D2", "D3")] == [True, True, False]
