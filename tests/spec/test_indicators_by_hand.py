"""Indicators, reasons and destinations of one small month, computed by hand (domain.md sections 6 and 14)."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from models.catalogue.filter_rules import filter_rules
from models.catalogue.indicators import Base, indicators
from tasks.compute.defeat_filter import judge_defeats
from tasks.compute.destinations import competitor_table, destination_table
from tasks.compute.indicators import TABLE_COLUMNS, indicator_table
from tasks.compute.lead_facts import lead_facts, open_facts
from tasks.compute.reason_table import reason_sums, reason_table
from tests.support.filter_tables import tables
from tests.support.stored_sums import sums_of

AS_OF = pd.Timestamp("2025-03-31 23:59:59")
SUMMED = indicators().summed

LEADS = [
    # dealer A: one won, four defeated, one open since December, one open and fresh
    {
        "lead_id": "W", "status": "won", "ordered_at": "2025-03-10 10:00", "visited_at": "2025-03-02",
        "test_drive_at": "2025-03-02", "quoted_at": "2025-03-03", "first_contact_at": "2025-03-01 10:30",
        "consultant_id": "K1", "source": "官网", "phone_key": "w", "last_contact_at": "2025-03-09 10:00",
    },
    {
        "lead_id": "D1", "defeated_at": "2025-03-20 10:00", "visited_at": "2025-03-04", "contact_count": 6,
        "first_contact_at": "2025-03-01 13:00", "last_contact_at": "2025-03-18 10:00",
        "consultant_id": "K1", "phone_key": "1",
    },
    {
        "lead_id": "D2", "defeated_at": "2025-03-03 10:00", "contact_count": 1, "consultant_id": "K2", "phone_key": "2",
    },
    {"lead_id": "D3", "defeated_at": "2025-03-20 10:00", "contact_count": 2, "consultant_id": "K2", "phone_key": "p1"},
    {"lead_id": "D4", "defeated_at": "2025-03-20 10:00", "contact_count": 3, "phone_key": "4"},
    {"lead_id": "O1", "status": "open", "created_at": "2024-12-01", "phone_key": "5", "last_contact_at": "2025-01-10"},
    {"lead_id": "O2", "status": "open", "created_at": "2025-03-21", "phone_key": "6", "last_contact_at": "2025-03-30"},
    # dealer C of another region: one defeated in February, by a consultant with the same id
    {
        "lead_id": "C1", "dealer_id": "C", "created_at": "2025-02-01", "defeated_at": "2025-02-20", "contact_count": 5,
        "consultant_id": "K1", "series": "S2", "phone_key": "7",
    },
]  # fmt: skip
DEFEATS = [
    {
        "lead_id": "D1", "destination": "competitor", "competitor_brand": "甲", "reason_code": "price_too_high",
        "reviewed_at": "2025-03-22",
    },
    {"lead_id": "D2", "defeated_at": "2025-03-03 10:00", "destination": "not_purchased", "reason_code": "process"},
    {"lead_id": "D3", "destination": "unknown", "reason_code": "price_too_high", "reviewed_at": "2025-03-30"},
    {"lead_id": "D4", "destination": "unknown", "reason_code": "record_duplicate"},
    {
        "lead_id": "C1", "defeated_at": "2025-02-20", "destination": "competitor", "competitor_brand": "甲",
        "reason_code": "product_power",
    },
]  # fmt: skip
REVISITS = [
    {"lead_id": "D1", "called_at": "2025-03-22", "reached": False},
    {
        "lead_id": "D1", "called_at": "2025-03-25", "purchased": True, "destination": "competitor",
        "bought_brand": "乙",
        "reason_codes": "product_power;price_too_high", "satisfaction_reception": 7,
        "satisfaction_presentation": 7, "satisfaction_price": 3, "satisfaction_follow_up": 6,
    },
    {"lead_id": "D2", "called_at": "2025-03-20", "reached": True},
]  # fmt: skip
SALES = [{"sale_id": "V1", "dealer_id": "A", "phone_key": "p1"}]


@pytest.fixture(scope="module")
def month():
    known = tables(leads=LEADS, defeats=DEFEATS, revisits=REVISITS, sales=SALES)
    defeats = judge_defeats(known, filter_rules())
    facts = lead_facts(known, defeats, filter_rules(), AS_OF)
    still_open = open_facts(facts, ("2024-12", "2025-02", "2025-03"), AS_OF, filter_rules())
    return known, defeats, facts, sums_of(facts, still_open)


@pytest.fixture(scope="module")
def table(month):
    return indicator_table(month[3], "2025-03").set_index(["scope", "scope_id", "indicator"])


# W, D1, D2, D3 count as closed in March; D4 is a duplicate by its used reason and leaves all rates
@pytest.mark.parametrize(
    ("indicator", "numerator", "denominator"),
    [
        ("close_rate", 1, 4),
        ("defeat_rate_filed", 3, 4),
        ("defeat_rate_filtered", 1, 4),  # D1; D2 premature, D3 bought here
        ("lead_to_visit", 2, 4),
        ("visit_to_test_drive", 1, 2),
        ("test_drive_to_order", 1, 1),
        ("quote_rate", 1, 4),
        ("first_response_hours", 3.5, 2),
        ("first_response_in_1h", 1, 4),
        ("contacts_before_defeat", 9, 3),
        ("silent_days_before_defeat", 2, 1),
        ("filed_in_time", 1, 1),
        ("premature_share", 1, 3),
        ("reviewed_in_time", 1, 3),
        ("revisit_coverage", 2, 3),
        ("revisit_reached", 2, 2),
        ("revisit_in_time", 1, 2),
        ("questionnaire_complete", 1, 2),
        ("competitor_share", 1, 2),
        ("not_purchased_share", 1, 2),
        ("unknown_share", 0, 2),
        ("true_defeat_share", 1, 3),
        ("quasi_defeat_share", 1, 3),
        ("false_defeat_share", 1, 3),
        ("reason_disagreement", 1, 1),
        ("product_reason_share", 1, 3),
        ("price_reason_share", 1, 3),
        ("process_reason_share", 1, 3),
        ("reactivation_rate", 0, 3),
        ("open_lead_age_days", 120 + 10, 2),
        ("unclosed_over_90_share", 1, 2),
        ("unfiled_share", 1, 2),
        ("cohort_close_rate", 1, 5),
        ("cohort_maturity", 4, 5),
    ],
)
def test_the_figures_of_dealer_a(table, indicator, numerator, denominator):
    row = table.loc[("dealer", "A", indicator)]
    assert row["numerator"] == pytest.approx(numerator)
    assert row["denominator"] == denominator
    assert row["value"] == pytest.approx(numerator / denominator)


def test_every_scope_has_its_rows_and_the_public_columns(month, table):
    whole = indicator_table(month[3], "2025-03")
    assert list(whole.columns) == TABLE_COLUMNS
    found = whole.groupby("scope")["scope_id"].unique().map(sorted).to_dict()
    assert found == {
        "nation": ["all"],
        "region": ["R1"],
        "dealer": ["A"],
        "consultant": ["A:K1", "K2"],  # K1 works at two dealers, so the dealer tells them apart
        "series": ["S1"],
        "source": ["官网"],
    }
    assert len(whole) == 7 * len(SUMMED)
    assert table.loc[("consultant", "A:K1", "close_rate"), "value"] == 0.5


def test_a_value_without_cases_is_empty_and_so_is_a_month_without_data(table):
    assert math.isnan(table.loc[("consultant", "K2", "visit_to_test_drive"), "value"])
    assert table.loc[("nation", "all", "defeat_rate_filed"), "previous"] == 1.0
    assert math.isnan(table.loc[("dealer", "A", "close_rate"), "previous"])
    assert table["same_month_last_year"].isna().all()


def test_a_dealers_present_region_can_be_used_for_all_months(month):
    moved = indicator_table(month[3], "2025-03", {"A": "R9", "C": "R9"}, ["close_rate"])
    row = moved[moved["scope"] == "region"].iloc[0]
    assert (row["scope_id"], row["value"], row["previous"]) == ("R9", 0.25, 0.0)


def test_figures_without_a_column_in_the_data_are_empty_not_zero():
    bare = tables(leads=[{"lead_id": "L1", "defeated_at": "2025-03-05"}], defeats=[])
    facts = lead_facts(bare, judge_defeats(bare, filter_rules()), filter_rules(), AS_OF)
    found = indicator_table(sums_of(facts), "2025-03").set_index(["scope", "indicator"])["value"]["nation"]
    known = {code for code, value in found.items() if not math.isnan(value)}
    assert not known & {
        "lead_to_visit", "quote_rate", "first_response_in_1h", "premature_share", "reviewed_in_time",
        "revisit_coverage", "unfiled_share", "reason_disagreement",
    }  # fmt: skip
    assert {"close_rate", "defeat_rate_filed", "defeat_rate_filtered", "quasi_defeat_share"} <= known


def test_a_questionnaire_the_source_does_not_hold_is_not_incomplete():
    """A survey that keeps one mark only says nothing about the answers it never had: no share of nought."""
    survey = tables(
        leads=[{"lead_id": "L1", "defeated_at": "2025-03-05"}],
        defeats=[{"lead_id": "L1", "defeated_at": "2025-03-05"}],
        revisits=[{"lead_id": "L1", "called_at": "2025-03-06", "reached": True, "satisfaction_price": 7.0}],
    )
    facts = lead_facts(survey, judge_defeats(survey, filter_rules()), filter_rules(), AS_OF)
    found = indicator_table(sums_of(facts), "2025-03").set_index(["scope", "indicator"]).loc["nation"]
    assert found.loc["revisit_reached", ["numerator", "denominator"]].tolist() == [1, 1]
    assert found.loc["questionnaire_complete", "denominator"] == 0
    assert math.isnan(found.loc["questionnaire_complete", "value"])


def test_the_facts_are_those_of_the_catalogue(month):
    of_open = {"open_lead", "open_age_days", "open_too_long", "silent_lead", "contact_recorded"}
    of_plans = {name for one in indicators().indicators.values() if one.base is Base.LOOP
                for name in (one.numerator, one.denominator)}  # fmt: skip
    assert set(indicators().facts) - of_open - of_plans <= set(month[2].columns)
    assert month[2]["lead_id"].is_unique


def test_a_history_leaves_out_what_closed_before_it(month):
    known, defeats, *_ = month
    recent = lead_facts(known, defeats, filter_rules(), AS_OF, pd.Timestamp("2025-03-01"))
    assert set(recent["lead_id"]) == {"W", "D1", "D2", "D3", "D4", "O1", "O2"}


def test_reasons_are_counted_as_filed_as_confirmed_and_as_used(month):
    found = reason_table(reason_sums(month[2]), "2025-03")
    rows = found[found["scope"] == "dealer"].set_index("reason")[
        ["level", "declared", "confirmed", "defeats", "per_lead"]
    ]
    assert rows.loc["price_too_high"].tolist() == [2, 2, 0, 1, 0.25]
    assert rows.loc["product_power"].tolist() == [2, 0, 1, 1, 0.25]
    assert rows.loc["process"].tolist() == [1, 1, 0, 1, 0.25]  # filed with no more than the level
    assert rows.loc["price"].tolist() == [1, 2, 0, 1, 0.25]
    assert rows.loc["record_duplicate"].tolist()[:4] == [2, 1, 0, 1]
    assert math.isnan(rows.loc["record_duplicate", "per_lead"])
    assert rows.loc["record"].tolist() == [1, 1, 0, 1, 0.0]
    assert "customer" not in rows.index


def test_reasons_per_lead_add_up_to_the_defeat_rate_as_filed(month, table):
    found = reason_table(reason_sums(month[2]), "2025-03")
    level1 = found[(found["scope"] == "nation") & (found["level"] == 1)]
    assert level1["per_lead"].sum() == pytest.approx(table.loc[("nation", "all", "defeat_rate_filed"), "value"])


def test_competitors_per_series_with_the_months_before(month):
    found = competitor_table(month[1], "2025-03")
    assert found.to_dict("records") == [
        {
            "cycle": "2025-03", "series": "S1", "competitor_brand": "乙", "defeats": 1, "defeats_previous": 0,
            "defeats_last_year": 0, "top_reasons": "product_power",
        },
        {
            "cycle": "2025-03", "series": "S2", "competitor_brand": "甲", "defeats": 0, "defeats_previous": 1,
            "defeats_last_year": 0, "top_reasons": pytest.approx(float("nan"), nan_ok=True),
        },
    ]  # fmt: skip


def test_destinations_leave_out_false_defeats_and_what_leaves_the_rates(month):
    found = destination_table(month[1], "2025-03")
    now = found[found["defeats"] > 0]
    assert now[["series", "destination", "defeats"]].values.tolist() == [
        ["S1", "competitor", 1],
        ["S1", "not_purchased", 1],
    ]
