"""From counts to plans on a small network whose truth is known: comparisons, problems, plans."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from models.catalogue.indicators import indicators
from models.catalogue.playbook import playbook
from models.catalogue.reasons import catalogue
from models.enums import PlanKind
from models.facts import Cycle
from tasks.compute.diagnosis import diagnose
from tasks.compute.judgement.compare import adjust, compare
from tasks.compute.planning import draft_plans

DEALERS, MONTHS, LEADS = 40, 12, 150
RATES = {"lead_to_visit": 0.45, "visit_to_test_drive": 0.55, "test_drive_to_order": 0.40}
REASONS = {
    "process_no_trust": 0.05,
    "price_trade_in_price": 0.08,
    "product_power": 0.10,
    "customer_plan_postponed": 0.20,
}
COUNTS = ["dealer_id", "region_id", "month", "cell", "n", "x"]


@dataclass(frozen=True)
class _Settings:
    max_problems: int = 3
    minimum_leads: int = 30
    window_months: int = 3
    gate_fail_below: float = 60.0


def rows_of(dealer, rng):
    """Twelve months of one dealer: D0 offers few test drives, D1 loses over trade-in, D2 over the product."""
    rates = RATES | ({"visit_to_test_drive": 0.30} if dealer == 0 else {})
    excess = {1: {"price_trade_in_price": 0.09}, 2: {"product_power": 0.09}}.get(dealer, {})
    for month in range(1, MONTHS + 1):
        key = (f"D{dealer}", f"R{dealer % 4}", month, "a")
        reached = LEADS
        for step, rate in rates.items():
            passed = rng.binomial(reached, rate)
            yield step, (*key, reached, passed)
            reached = passed
        lost_more = rng.binomial(LEADS, sum(excess.values()))
        won = max(0, reached - lost_more)
        yield "close_rate", (*key, LEADS, won)
        for reason, rate in REASONS.items():
            yield f"reason:{reason}", (*key, LEADS, rng.binomial(LEADS, rate) + (lost_more if reason in excess else 0))


@pytest.fixture(scope="module")
def diagnoses():
    rng = np.random.default_rng(7)
    counts = {}
    for dealer in range(DEALERS):
        for name, row in rows_of(dealer, rng):
            counts.setdefault(name, []).append(row)
    better = {code: entry.better for code, entry in indicators().indicators.items()}
    frames = {
        name: compare(pd.DataFrame(rows, columns=COUNTS), window=3, higher_is_better=better.get(name) == "higher")
        for name, rows in counts.items()
    }
    comparisons = pd.concat([frame.assign(indicator=name) for name, frame in adjust(frames).items()], ignore_index=True)
    return diagnose(
        comparisons,
        {f"D{dealer}": 3 * LEADS for dealer in range(DEALERS)},
        playbook=playbook(),
        reasons=catalogue(),
        better=better,
        months=("2025-01", "2025-02", "2025-03"),
        settings=_Settings(),
    )


def test_each_weak_dealer_is_named_with_its_cause(diagnoses):
    drive, trade, product = (diagnoses[dealer] for dealer in ("D0", "D1", "D2"))
    assert (drive.problems[0].indicator, drive.problems[0].reason) == ("visit_to_test_drive", "process_no_test_drive")
    assert trade.problems[0].indicator == "reason:price_trade_in_price"
    assert product.not_fixable[0].indicator == "reason:product_power"


def test_the_stake_is_near_what_the_dealer_truly_lost(diagnoses):
    visits = 3 * LEADS * RATES["lead_to_visit"]
    truly = visits * (0.55 - 0.30) * 0.40  # about 20 deals in three months
    assert diagnoses["D0"].problems[0].deals_at_stake == pytest.approx(truly, rel=0.35)


def test_dealers_with_nothing_wrong_are_left_in_peace(diagnoses):
    accused = [dealer for dealer, found in diagnoses.items() if found.problems and dealer not in ("D0", "D1", "D2")]
    assert len(accused) <= 3, accused


def test_the_plans_answer_the_causes(diagnoses):
    plans = draft_plans(
        Cycle("2025-03", datetime(2025, 4, 3)),
        dict.fromkeys(diagnoses, "R1"),
        diagnoses,
        {},
        playbook(),
        measure_records=None,
        previous_plans=[],
        settings=_Settings(),
    )
    by_dealer = {plan.dealer_id: plan for plan in plans}
    assert by_dealer["D0"].kind is PlanKind.RECTIFY
    first = by_dealer["D0"].measures[0]
    assert (first.measure, first.indicator) == ("test_drive_for_every_visit", "visit_to_test_drive")
    assert first.baseline < first.target < 0.55
    assert first.verify_after_months in (1, 2, 3, 6)
    assert by_dealer["D2"].note in ("plan_note.oem_only", "plan_note.rectify")
    kinds = [plan.kind for plan in plans]
    assert kinds.count(PlanKind.KEEP) >= DEALERS - 6
