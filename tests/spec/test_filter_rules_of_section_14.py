"""Every rule of the defeat filter, and what happens when two of them speak (domain.md sections 7 and 14).

One lead L1 of dealer A, created 2025-03-01 and filed on 2025-03-20 with five contacts and nothing declared, unless a
case says otherwise.
"""

from __future__ import annotations

import pandas as pd
import pytest

from models.catalogue.filter_rules import filter_rules
from models.messages import LOCALES
from tasks.compute.defeat_filter import defeats_of_cycle, judge_defeats, lacking_evidence
from tasks.compute.evidence import evidence_text
from tests.support.filter_tables import tables

LEAD = {"lead_id": "L1", "phone_key": "p1", "contact_count": 5}
SALE_HERE = {"sales": [{"sale_id": "V1", "dealer_id": "A"}]}
SALE_ELSEWHERE = {"sales": [{"sale_id": "V1", "dealer_id": "B"}]}
REVISIT_NOT = {"revisits": [{"purchased": False, "destination": "not_purchased"}]}
REVISIT_RIVAL = {"revisits": [{"purchased": True, "destination": "competitor", "bought_brand": "甲"}]}
LATER_HERE = {"leads": [{"lead_id": "L2", "phone_key": "p1", "created_at": "2025-04-10", "status": "won"}]}
SISTER_OPEN = {"leads": [{"lead_id": "L4", "phone_key": "p1", "dealer_id": "B", "status": "open"}]}
SISTER_WON = {
    "leads": [{"lead_id": "L3", "phone_key": "p1", "dealer_id": "B", "status": "won", "ordered_at": "2025-04-01"}]
}
PREMATURE = {"lead": {"contact_count": 1, "created_at": "2025-03-16 10:00"}}
RIVAL = {"filing": {"destination": "competitor", "competitor_brand": "乙"}}
SISTER = {"filing": {"destination": "same_brand_other_dealer"}}
NOT_BOUGHT = {"filing": {"destination": "not_purchased"}}


def judged(*cases: dict):
    """The verdict on L1 where all these facts hold together."""
    lead, filing, others, rest = dict(LEAD), {}, [], {}
    for case in cases:
        lead |= case.get("lead", {})
        filing |= case.get("filing", {})
        others += case.get("leads", [])
        rest |= {name: case[name] for name in ("sales", "revisits") if name in case}
    known = tables(leads=[lead, *others], defeats=[filing], **rest)
    result = judge_defeats(known, filter_rules())
    return result[result["lead_id"] == "L1"].iloc[0]


@pytest.mark.parametrize(
    ("case", "rule", "verdict", "destination", "bought_at"),
    [
        (SALE_HERE, "sale_here", "false", None, "A"),
        ({"lead": {"status": "won", "ordered_at": "2025-04-01"}}, "won_here", "false", None, "A"),
        (SALE_ELSEWHERE, "sale_elsewhere", "true", "same_brand_other_dealer", "B"),
        ({"revisits": [{"purchased": True, "bought_dealer_id": "A"}]}, "revisit_bought_here", "false", None, None),
        (REVISIT_RIVAL, "revisit_competitor", "true", "competitor", None),
        ({"revisits": [{"purchased": True, "bought_brand": "甲"}]}, "revisit_competitor", "true", "competitor", None),
        (
            {"revisits": [{"purchased": True, "bought_dealer_id": "C"}]},
            "revisit_same_brand",
            "true",
            "same_brand_other_dealer",
            "C",
        ),
        ({"revisits": [{"purchased": True}]}, "revisit_bought", "true", "unknown", None),
        (REVISIT_NOT, "revisit_not_purchased", "quasi", "not_purchased", None),
        (SISTER_WON, "sister_won", "true", "same_brand_other_dealer", "B"),
        (LATER_HERE, "later_lead_here", "false", None, None),
        ({"lead": {"status": "open"}}, "reactivated", "false", None, None),
        (SISTER_OPEN, "sister_open", "quasi", "not_purchased", None),
        (PREMATURE, "premature", "quasi", "unknown", None),
        (RIVAL, "declared_competitor", "true", "competitor", None),
        (SISTER, "declared_same_brand", "true", "same_brand_other_dealer", None),
        (NOT_BOUGHT, "declared_not_purchased", "quasi", "not_purchased", None),
        ({"filing": {"destination": "unknown"}}, "out_of_reach", "true", "unknown", None),
        ({"lead": {"contact_count": 4}}, "out_of_reach", "true", "unknown", None),
        ({"lead": {"contact_count": 3}}, "nothing_known", "quasi", "unknown", None),
        ({"lead": {"contact_count": None}}, "nothing_known", "quasi", "unknown", None),
    ],
)
def test_each_rule_decides_alone(case, rule, verdict, destination, bought_at):
    found = judged(case)

    assert found["rule"] == rule
    assert found["verdict"] == verdict
    assert (found["destination"] if destination else None) == destination or found.isna()["destination"]
    assert found.isna()["destination"] == (destination is None)
    assert (None if found.isna()["bought_dealer_id"] else found["bought_dealer_id"]) == bought_at
    assert all(evidence_text(found["evidence"], locale) for locale in LOCALES)


STRONGEST_FIRST = [
    ("sale_here", SALE_HERE),
    ("sale_elsewhere", SALE_ELSEWHERE),
    ("revisit_not_purchased", REVISIT_NOT),
    ("sister_won", SISTER_WON),
    ("later_lead_here", LATER_HERE),
    ("sister_open", SISTER_OPEN),
    ("premature", PREMATURE),
    ("declared_competitor", RIVAL),
]


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [
        (first, second)
        for place, first in enumerate(STRONGEST_FIRST)
        for second in STRONGEST_FIRST[place + 1 :]
        if "sales" not in first[1] or "sales" not in second[1]
    ],
    ids=lambda pair: pair[0],
)
def test_the_stronger_evidence_decides(stronger, weaker):
    assert judged(weaker[1], stronger[1])["rule"] == stronger[0]


def test_a_sale_here_beats_a_sale_elsewhere():
    both = {"sales": [{"sale_id": "V2", "dealer_id": "B"}, {"sale_id": "V1", "sold_at": "2025-05-01"}]}
    assert judged(both)["rule"] == "sale_here"


@pytest.mark.parametrize(
    ("sold_at", "evidence"),
    [
        ("2025-03-13 10:00", True),  # 7 days before the filing: late paperwork
        ("2025-03-13 09:00", False),
        ("2025-06-18 10:00", True),  # 90 days after
        ("2025-06-18 11:00", False),
        ("2025-03-13", True),  # a bare date counts by calendar days
        ("2025-03-12", False),
        ("2025-06-19", False),
    ],
)
def test_a_sale_counts_from_7_days_before_to_90_days_after_the_filing(sold_at, evidence):
    found = judged({"sales": [{"sale_id": "V1", "sold_at": sold_at}]})
    assert (found["rule"] == "sale_here") == evidence


def test_an_owners_purchase_before_the_lead_proves_nothing():
    before = {"lead": {"created_at": "2025-03-18 10:00"}, "sales": [{"sale_id": "V1", "sold_at": "2025-03-17 10:00"}]}
    assert judged(before)["rule"] == "out_of_reach"


@pytest.mark.parametrize(
    ("kind", "rule"), [("wholesale", "out_of_reach"), ("retail", "sale_here"), (None, "sale_here")]
)
def test_only_retail_sales_are_evidence(kind, rule):
    assert judged({"sales": [{"sale_id": "V1", "customer_type": kind}]})["rule"] == rule


def test_a_sale_of_another_phone_is_no_evidence_but_its_lead_id_joins_where_a_phone_is_missing():
    other = {"sale_id": "V1", "phone_key": "p9", "lead_id": "L1"}
    assert judged({"sales": [other]})["rule"] == "out_of_reach"
    assert judged({"sales": [other | {"phone_key": None}]})["rule"] == "sale_here"
    assert judged({"lead": {"phone_key": None}, "sales": [other]})["rule"] == "sale_here"


def test_without_any_phone_missing_phones_are_not_the_same_phone():
    lead = {"lead": {"phone_key": None}}
    found = judged(
        lead,
        {"sales": [{"sale_id": "V1", "phone_key": None}]},
        {"leads": [SISTER_OPEN["leads"][0] | {"phone_key": None}]},
    )
    assert found["rule"] == "out_of_reach"
    assert found["lacking"] == "revisits;phones"


@pytest.mark.parametrize(
    ("created_at", "rule"),
    [
        ("2025-03-20 09:00", "out_of_reach"),
        ("2025-06-18 10:00", "later_lead_here"),
        ("2025-06-19 10:00", "out_of_reach"),
    ],
)
def test_a_later_lead_here_counts_within_90_days(created_at, rule):
    later = {"leads": [LATER_HERE["leads"][0] | {"created_at": created_at, "status": "open"}]}
    assert judged(later)["rule"] == rule


def test_the_later_lead_is_judged_on_its_own():
    later = {"lead_id": "L2", "phone_key": "p1", "created_at": "2025-04-10", "contact_count": 6}
    known = tables(
        leads=[LEAD, later], defeats=[{}, {"lead_id": "L2", "defeated_at": "2025-05-01", "destination": "competitor"}]
    )
    assert judge_defeats(known, filter_rules()).set_index("lead_id")["verdict"].to_dict() == {
        "L1": "false",
        "L2": "true",
    }


def test_a_sister_lead_defeated_too_leaves_each_filing_to_itself():
    sister = {"lead_id": "L3", "phone_key": "p1", "dealer_id": "B", "contact_count": 2}
    known = tables(
        leads=[LEAD, sister],
        defeats=[{"destination": "competitor"}, {"lead_id": "L3", "destination": "not_purchased"}],
    )
    rules = judge_defeats(known, filter_rules()).set_index("lead_id")["rule"].to_dict()
    assert rules == {"L1": "declared_competitor", "L3": "declared_not_purchased"}


@pytest.mark.parametrize(
    ("contacts", "created_at", "premature"),
    [
        (1, "2025-03-15 11:00", True),
        (1, "2025-03-15 10:00", False),
        (2, "2025-03-19 10:00", False),
        (0, "2025-03-20", True),
    ],
)
def test_premature_is_at_most_one_contact_and_under_five_days(contacts, created_at, premature):
    found = judged({"lead": {"contact_count": contacts, "created_at": created_at}}, RIVAL)
    assert found["premature"] == premature
    assert (found["rule"] == "premature") == premature
    assert found.isna()["competitor_brand"] == premature


def test_a_premature_filing_stays_premature_when_a_sale_decides():
    found = judged(PREMATURE, SALE_HERE)
    assert (found["rule"], found["premature"]) == ("sale_here", True)


def test_a_premature_filing_keeps_not_purchased():
    assert judged(PREMATURE, NOT_BOUGHT)["destination"] == "not_purchased"


def test_an_unanswered_or_silent_call_is_no_evidence():
    assert judged({"revisits": [{"reached": False, "purchased": True}]})["rule"] == "out_of_reach"
    assert judged({"revisits": [{"reached": True, "destination": "unknown"}]})["rule"] == "out_of_reach"


def test_the_last_informative_call_decides():
    calls = [
        {"called_at": "2025-03-22", "purchased": False},
        {"called_at": "2025-04-22", "purchased": True, "destination": "competitor", "bought_brand": "甲"},
        {"called_at": "2025-05-22", "reached": False},
    ]
    found = judged({"revisits": calls})
    assert (found["rule"], found["competitor_brand"]) == ("revisit_competitor", "甲")


def test_what_was_bought_stays_as_declared_when_the_customer_only_says_that_they_bought():
    found = judged({"revisits": [{"purchased": True}]}, RIVAL)
    assert (found["destination"], found["competitor_brand"]) == ("competitor", "乙")


def test_a_lead_defeated_twice_is_two_events_and_the_first_was_false():
    known = tables(
        leads=[LEAD | {"defeated_at": "2025-05-02"}],
        defeats=[{"destination": "competitor"}, {"defeated_at": "2025-05-02", "destination": "not_purchased"}],
        revisits=[{"called_at": "2025-05-05", "purchased": False}],
    )
    found = judge_defeats(known, filter_rules())
    assert found["rule"].tolist() == ["reactivated", "revisit_not_purchased"]
    assert found["last_filing"].tolist() == [False, True]
    assert defeats_of_cycle(found, "2025-03")["verdict"].tolist() == ["false"]


def test_a_lead_opened_again_after_the_window_leaves_the_filing_to_what_was_declared():
    late = {"lead": {"status": "open", "visited_at": "2025-07-01"}}
    assert judged(late, RIVAL)["rule"] == "declared_competitor"


def test_two_filings_in_one_month_export_the_last():
    known = tables(leads=[LEAD], defeats=[{}, {"defeated_at": "2025-03-28", "destination": "competitor"}])
    exported = defeats_of_cycle(judge_defeats(known, filter_rules()), "2025-03")
    assert exported["rule"].tolist() == ["declared_competitor"]


def test_a_defeated_lead_without_a_filing_is_filed_implicitly():
    known = tables(leads=[LEAD | {"defeated_at": "2025-03-20"}, {"lead_id": "L2", "status": "open"}])
    found = judge_defeats(known, filter_rules())
    assert found[["lead_id", "cycle", "rule"]].values.tolist() == [["L1", "2025-03", "out_of_reach"]]
    assert found["declared_reason"].isna().all()


def test_missing_evidence_is_named_and_counted():
    found = judged({"lead": {"contact_count": None, "phone_key": None}})
    assert found["lacking"] == "sales;revisits;phones;contacts"
    assert "没有销售数据" in evidence_text(found["evidence"], "zh_CN")
    known = tables(leads=[LEAD], defeats=[{}], sales=SALE_HERE["sales"], revisits=REVISIT_NOT["revisits"])
    assert lacking_evidence(judge_defeats(known, filter_rules())) == {}


def test_evidence_names_ids_and_days_and_no_phone():
    found = judged({"sales": [{"sale_id": 'V"1', "dealer_id": "B"}]})
    sentence = 'The same phone bought the brand at dealer B (sale V"1), 5 days from the filing.'
    assert evidence_text(found["evidence"], "en").startswith(sentence)
    assert "p1" not in found["evidence"]


def test_only_filings_of_the_history_are_judged():
    known = tables(leads=[LEAD, LEAD | {"lead_id": "L2"}], defeats=[{}, {"lead_id": "L2", "defeated_at": "2025-01-05"}])
    assert judge_defeats(known, filter_rules(), pd.Timestamp("2025-02-01"))["lead_id"].tolist() == ["L1"]


def test_nothing_filed_gives_an_empty_frame_of_the_same_columns():
    empty = judge_defeats(tables(leads=[{"lead_id": "L1", "status": "open"}]), filter_rules())
    assert len(empty) == 0
    assert empty.dtypes.equals(judge_defeats(tables(leads=[LEAD], defeats=[{}]), filter_rules()).dtypes)


@pytest.mark.parametrize(
    ("times", "stage"),
    [
        ({}, "before_visit"),
        ({"source": "官网", "contact_count": 0}, "online"),
        ({"source": "官网", "contact_count": 2}, "before_visit"),
        ({"source": "展厅", "contact_count": 0}, "before_visit"),
        ({"visited_at": "2025-03-05"}, "viewing"),
        ({"visited_at": "2025-03-05", "test_drive_at": "2025-03-05"}, "test_drive"),
        ({"visited_at": "2025-03-05", "test_drive_at": "2025-03-05", "quoted_at": "2025-03-06"}, "negotiation"),
        ({"ordered_at": "2025-03-08"}, "waiting_for_delivery"),
    ],
)
def test_the_stage_is_the_furthest_the_timestamps_show(times, stage):
    assert judged({"lead": times})["stage"] == stage


@pytest.mark.parametrize(
    ("declared", "text", "codes", "used", "origin"),
    [
        ("product_power", None, "price_trade_in_price;product_power", "price_trade_in_price", "confirmed"),
        ("price_too_high", "客户的旧车估价低", None, "price_trade_in_price", "text"),
        ("price", "等优惠", None, "price_discount_too_small", "text"),
        ("record_out_of_reach", "没有现车", None, "supply_no_stock", "text"),
        (None, "没有现车", None, "supply_no_stock", "text"),
        ("product_power", "没有现车", None, "product_power", "declared"),
        ("price_too_high", "旧车估价低,也没有现车", None, "price_too_high", "declared"),
        ("price_too_high", "太贵了", None, "price_too_high", "declared"),
        ("price_too_high", None, None, "price_too_high", "declared"),
    ],
)
def test_the_used_reason_is_confirmed_then_coded_from_clear_text_then_declared(declared, text, codes, used, origin):
    call = {"revisits": [{"purchased": False, "reason_codes": codes}]} if codes else {}
    found = judged({"filing": {"reason_code": declared, "reason_text": text}}, call)
    assert (found["reason"], found["reason_source"]) == (used, origin)


@pytest.mark.parametrize(
    ("code", "counted"),
    [
        ("record_duplicate", False),
        ("record_invalid_contact", False),
        ("record_test_or_fake", False),
        ("record_misjudged", True),
    ],
)
def test_three_record_codes_leave_the_rates_by_the_used_reason(code, counted):
    assert judged({"filing": {"reason_code": code}})["counted"] == counted
    confirmed = {"revisits": [{"purchased": False, "reason_codes": "product_power"}]}
    assert judged({"filing": {"reason_code": code}}, confirmed)["counted"]
