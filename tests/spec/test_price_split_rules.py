"""The price split on small tables: every rule, every pair of classes, and what lacks (domain.md sections 5 and 14)."""

from __future__ import annotations

from itertools import combinations

import pandas as pd
import pytest

from models.catalogue.filter_rules import filter_rules
from models.catalogue.price_rules import CLASSES, price_rules
from models.errors import CatalogueError
from models.messages import text
from tasks.compute.defeat_filter import judge_defeats
from tasks.compute.price import CASE_DTYPES, LACKING, SPLIT_COLUMNS, price_cases, price_split
from tests.support.filter_tables import tables

MONTHS = ("2025-01", "2025-02", "2025-03")
RULES = price_rules().model_copy(
    update={"inconsistent_promotion": price_rules().inconsistent_promotion.model_copy(update={"min_groups": 2})}
)
QUOTE = {"model": "M", "list_price": 100_000.0, "quoted_price": 95_000.0, "quoted_at": "2025-03-04 10:00"}


def _peers() -> list[dict[str, object]]:
    """Dealers B, C, D quote model M at 95 % of list, two customers a week each; none of them defeated."""
    return [
        {"lead_id": f"{dealer}{n}", "dealer_id": dealer, "status": "open", "phone_key": f"{dealer}{n}", **QUOTE}
        for dealer in "BCD"
        for n in (1, 2)
    ]


def _world(lead=None, others=(), filing=None, revisits=(), sales=(), peers=True):
    mine = {"lead_id": "L1", "defeated_at": "2025-03-20 10:00", "phone_key": "p1", "contact_count": 5, **QUOTE}
    told = {"reason_code": "price_too_high"} | (filing or {})
    dealers = [{"dealer_id": dealer} for dealer in "ABCD"]
    leads = [mine | (lead or {}), *others, *(_peers() if peers else [])]
    return tables(dealers=dealers, leads=leads, defeats=[told], revisits=list(revisits), sales=list(sales))


def _cases(known, rules=RULES):
    return price_cases(known, judge_defeats(known, filter_rules()), MONTHS, rules, filter_rules())


def _case(**world):
    return _cases(_world(**world)).set_index("lead_id").loc["L1"]


#: What shows each class in the world of one defeated lead.
SIGNS = {
    "excuse": {"revisits": [{"purchased": True, "destination": "competitor", "price_paid": 120_000.0}]},
    "bidding": {
        "others": [
            {"lead_id": "S1", "dealer_id": "B", "phone_key": "p1", "created_at": "2025-03-10 10:00", "status": "open"}
        ]
    },
    "inconsistent_promotion": {
        "others": [{"lead_id": "O1", "status": "open", "phone_key": "o1", **QUOTE, "quoted_price": 85_000.0}]
    },
    "markup": {"lead": {"quoted_price": 99_000.0}},
    "needs_not_understood": {"lead": {"budget": 60_000.0}},
}
DECIDES = {
    "excuse": "bought_dearer",
    "bidding": "sister_lead",
    "inconsistent_promotion": "week_spread",
    "markup": "low_discount",
    "needs_not_understood": "budget_far",
}


def _both(one: str, other: str) -> dict[str, object]:
    first, second = SIGNS[one], SIGNS[other]
    return {
        "lead": first.get("lead", {}) | second.get("lead", {}),
        "others": [*first.get("others", []), *second.get("others", [])],
        "revisits": [*first.get("revisits", []), *second.get("revisits", [])],
    }


@pytest.mark.parametrize("name", SIGNS)
def test_one_sign_decides_alone(name):
    case = _case(**SIGNS[name])
    assert (case["price_class"], case["rule"]) == (name, DECIDES[name])


@pytest.mark.parametrize(("first", "second"), list(combinations(SIGNS, 2)))
def test_the_earlier_class_wins(first, second):
    assert list(SIGNS) == list(price_rules().precedence)[:5]
    assert _case(**_both(first, second))["price_class"] == first
    turned = RULES.model_copy(update={"precedence": tuple(reversed(RULES.precedence))})
    assert _cases(_world(**_both(first, second)), turned).set_index("lead_id").loc["L1", "price_class"] == second


def test_nothing_shown_is_unexplained():
    case = _case()
    assert (case["price_class"], case["rule"]) == ("unexplained", "unexplained")
    assert case["peer_ratio"] == pytest.approx(0.95)
    assert case["peer_dealers"] == 3
    assert case["peer_limit"] == pytest.approx(0.97)


@pytest.mark.parametrize(
    ("quoted", "expected", "rule"),
    [
        (96_900.0, "unexplained", "unexplained"),  # within two points of the peers' 95 %
        (97_100.0, "markup", "low_discount"),
        (100_000.0, "markup", "low_discount"),
        (100_100.0, "markup", "above_list"),
    ],
)
def test_quote_against_list_and_peers(quoted, expected, rule):
    case = _case(lead={"quoted_price": quoted})
    assert (case["price_class"], case["rule"]) == (expected, rule)


def test_above_list_needs_no_peers():
    alone = _case(lead={"quoted_price": 101_000.0}, peers=False)
    assert (alone["price_class"], alone["rule"]) == ("markup", "above_list")
    low = _case(lead={"quoted_price": 99_000.0}, peers=False)
    assert low["price_class"] == "unexplained"
    assert "peers" in low["lacking"].split(";")


@pytest.mark.parametrize(
    ("paid", "expected"), [(95_900.0, "unexplained"), (96_000.0, "excuse"), (90_000.0, "unexplained")]
)
def test_excuse_needs_a_price_above_the_quote(paid, expected):
    call = {"purchased": True, "destination": "competitor", "price_paid": paid}
    assert _case(revisits=[call])["price_class"] == expected


def test_a_sale_tells_the_price_too_and_beats_bidding():
    sale = {"sale_id": "V", "dealer_id": "C", "phone_key": "p1", "price": 110_000.0}
    case = _case(sales=[sale])
    assert (case["price_class"], case["price_paid"]) == ("excuse", 110_000.0)
    cheaper = _case(sales=[sale | {"price": 90_000.0}])
    assert (cheaper["price_class"], cheaper["rule"], cheaper["sister_dealer_id"]) == ("bidding", "sister_sale", "C")


def test_without_a_quote_the_list_price_is_what_was_offered():
    call = {"purchased": True, "destination": "competitor", "price_paid": 101_500.0}
    case = _case(lead={"quoted_price": None}, revisits=[call])
    assert case["price_class"] == "excuse"
    assert "quote" in case["lacking"].split(";")


@pytest.mark.parametrize(
    ("sister", "expected"),
    [
        ({"created_at": "2025-01-31 10:00"}, "bidding"),  # 29 days before this lead, still open
        ({"created_at": "2025-01-25 10:00"}, "unexplained"),  # 35 days before
        ({"created_at": "2025-04-18 10:00"}, "bidding"),  # 29 days after the filing
        ({"created_at": "2025-04-20 10:00"}, "unexplained"),
        (
            {"created_at": "2025-02-10 10:00", "status": "defeated", "defeated_at": "2025-02-20 10:00"},
            "unexplained",
        ),  # over before this one began
        ({"dealer_id": "A", "created_at": "2025-03-02 10:00"}, "unexplained"),  # the same dealer
        ({"phone_key": None}, "unexplained"),
    ],
)
def test_sister_lead_in_the_window(sister, expected):
    lead = {"lead_id": "S1", "dealer_id": "B", "phone_key": "p1", "created_at": "2025-03-10 10:00", "status": "open"}
    assert _case(others=[lead | sister])["price_class"] == expected


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"quoted_price": 90_500.0}, "inconsistent_promotion"),  # 4.5 points apart
        ({"quoted_price": 91_500.0}, "unexplained"),  # 3.5 points: less than min_points
        ({"quoted_price": 85_000.0, "quoted_at": "2025-03-11 10:00"}, "unexplained"),  # the next week
        ({"quoted_price": 85_000.0, "model": "N"}, "unexplained"),
        ({"quoted_price": 85_000.0, "dealer_id": "B"}, "unexplained"),
    ],
)
def test_spread_of_quotes_for_one_model_and_week(other, expected):
    lead = {"lead_id": "O1", "status": "open", "phone_key": "o1", **QUOTE}
    assert _case(others=[lead | other])["price_class"] == expected


def test_a_spread_that_peers_show_too_is_not_inconsistent():
    wide = [
        {"lead_id": f"{d}9", "dealer_id": d, "status": "open", "phone_key": f"{d}9", **QUOTE, "quoted_price": 80_000.0}
        for d in "BCD"
    ]
    assert _case(others=[*SIGNS["inconsistent_promotion"]["others"], *wide])["price_class"] == "unexplained"


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (76_000.0, "unexplained"),
        (74_000.0, "needs_not_understood"),
        (124_000.0, "unexplained"),
        (126_000.0, "needs_not_understood"),
        (None, "unexplained"),
    ],
)
def test_budget_far_from_the_model_shown(budget, expected):
    assert _case(lead={"budget": budget})["price_class"] == expected


@pytest.mark.parametrize(("code", "expected"), sorted(price_rules().confirmed.items()))
def test_the_customers_word_counts_where_no_figure_decides(code, expected):
    case = _case(revisits=[{"reason_codes": code}])
    assert (case["price_class"], case["rule"]) == (expected, "confirmed")
    shown = _case(lead={"budget": 60_000.0}, revisits=[{"reason_codes": code}])
    assert (shown["price_class"], shown["rule"]) == ("needs_not_understood", "budget_far")


@pytest.mark.parametrize(
    ("filing", "calls", "base"),
    [
        ({"reason_code": "price_dealer_markup"}, [], True),
        ({"reason_code": "price"}, [], True),
        ({"reason_code": "process_follow_up"}, [], False),
        ({"reason_code": "process_follow_up"}, [{"reason_codes": "price_finance_terms"}], True),  # used
        ({"reason_code": "price_too_high"}, [{"reason_codes": "process_follow_up"}], True),  # declared
        ({"reason_code": None}, [], False),
    ],
)
def test_base_is_price_used_or_declared(filing, calls, base):
    assert len(_cases(_world(filing=filing, revisits=calls))) == int(base)


def _series_network(extra=None):
    """Six dealers; 3 of 10 customers of S9 and 1 of 20 of S1 leave for the price, quoted as everywhere."""
    leads, defeats = [], []
    for dealer in "ABCDEF":
        for n in range(30):
            series = "S9" if n < 10 else "S1"
            lost = n < 3 or n == 10
            lead = {"lead_id": f"{dealer}{n}", "dealer_id": dealer, "series": series, "phone_key": f"{dealer}{n}"}
            lead |= QUOTE | {"model": f"M{series}", "contact_count": 5}
            if lost:
                leads.append(lead | {"defeated_at": "2025-03-20 10:00"})
                defeats.append({"lead_id": lead["lead_id"], "reason_code": "price_too_high"})
            else:
                leads.append(lead | {"status": "won", "ordered_at": "2025-03-15 10:00"})
    leads[0] |= extra or {}
    return tables(dealers=[{"dealer_id": d} for d in "ABCDEF"], leads=leads, defeats=defeats)


def test_a_series_that_loses_by_price_at_many_dealers_is_positioned_high():
    cases = _cases(_series_network())
    split = price_split(cases, "2025-03").groupby("series")[["defeats", "positioned_high", "unexplained"]].sum()
    assert split.loc["S9"].tolist() == [18, 18, 0]
    assert split.loc["S1"].tolist() == [6, 0, 6]
    # 18 lost of 60; the same dealers lose 1 of 20 in the other series: 3 expected
    assert cases.loc[cases["series"] == "S9", "series_ratio"].unique() == pytest.approx([6.0])


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"budget": 60_000.0}, "needs_not_understood"),
        ({"quoted_price": 98_000.0}, "markup"),
        ({}, "positioned_high"),
    ],
)
def test_positioned_high_comes_last(extra, expected):
    assert _cases(_series_network(extra)).set_index("lead_id").loc["A0", "price_class"] == expected


def test_one_dealer_or_one_series_is_never_positioned_high():
    known = _series_network()
    one_dealer = known | {"leads": known["leads"][known["leads"]["dealer_id"] == "A"].reset_index(drop=True)}
    one_series = known | {"leads": known["leads"][known["leads"]["series"] == "S9"].reset_index(drop=True)}
    assert set(_cases(one_dealer)["price_class"]) == set(_cases(one_series)["price_class"]) == {"unexplained"}


def test_the_export_counts_the_cycle_only_and_adds_up():
    february = {"lead_id": "F", "created_at": "2025-02-01 10:00", "defeated_at": "2025-02-20 10:00", "phone_key": "f"}
    known = _world(others=[february])
    filed = {"lead_id": "F", "defeated_at": "2025-02-20 10:00", "reason_code": "price"}
    known["defeats"] = tables(defeats=[{"reason_code": "price_too_high"}, filed])["defeats"]
    cases = _cases(known)
    split = price_split(cases, "2025-03")
    assert list(split.columns) == SPLIT_COLUMNS
    assert len(cases) == 2
    assert split["defeats"].tolist() == [1]
    assert (split[SPLIT_COLUMNS[4:]].sum(axis=1) == split["defeats"]).all()
    assert {"cycle": "2025-03", "series": "S1", "dealer_id": "A"}.items() <= split.iloc[0].to_dict().items()


def test_no_prices_no_phones_no_revisits_says_what_lacks():
    nothing = dict.fromkeys(("quoted_price", "list_price", "phone_key", "model", "quoted_at"))
    case = _case(lead=nothing, peers=False)
    assert case["price_class"] == "unexplained"
    assert set(case["lacking"].split(";")) == {"quote", "list_price", "model", "phone", "price_paid", "budget"}


def test_no_price_defeats_gives_empty_frames():
    cases = _cases(_world(filing={"reason_code": "process_follow_up"}))
    assert list(cases.columns) == list(CASE_DTYPES)
    assert not len(cases)
    assert list(price_split(cases, "2025-03").columns) == SPLIT_COLUMNS


def test_a_list_price_is_borrowed_only_where_all_agree():
    borrowed = _case(lead={"list_price": None, "quoted_price": 101_000.0})
    assert (borrowed["list_price"], borrowed["rule"]) == (100_000.0, "above_list")
    unsure = [{"lead_id": "U", "status": "open", "phone_key": "u", **QUOTE, "list_price": 120_000.0}]
    assert pd.isna(_case(lead={"list_price": None, "quoted_price": 101_000.0}, others=unsure)["list_price"])


def test_every_class_rule_and_gap_has_its_words():
    figures = dict.fromkeys(CASE_DTYPES, 1.0) | {"offered": 1.0}
    for locale in ("zh_CN", "en"):
        for name in (*CLASSES, "unexplained"):
            assert text(f"analysis.price.class.{name}", locale)
        for rule in (*DECIDES.values(), "sister_sale", "dealer_spread", "above_list", "positioned_high", "confirmed"):
            assert text(f"analysis.price.rule.{rule}", locale, **figures)
        assert all(text(f"analysis.price.lacking.{name}", locale) for name in LACKING)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ('precedence = ["excuse"]', "precedence"),
        ('[confirmed]\nno_such_code = "markup"', "no_such_code"),
        ('[confirmed]\nprice_too_high = "anything"', "anything"),
        ("[excuse]\ndearer_by = -1", "excuse.dearer_by"),
    ],
)
def test_an_own_rules_file_is_checked(tmp_path, content, key):
    (tmp_path / "price_rules.toml").write_text(content, "utf-8")
    with pytest.raises(CatalogueError, match=key):
        price_rules(tmp_path)


def test_an_own_rules_file_changes_single_figures(tmp_path):
    (tmp_path / "price_rules.toml").write_text("[needs_not_understood]\nfar = 0.5", "utf-8")
    own = price_rules(tmp_path)
    assert own.needs_not_understood.far == 0.5
    assert own.excuse == price_rules().excuse
