"""The catalogues of indicators and filter rules: complete, and clear about what is wrong with an edited one."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.catalogue.filter_rules import FALLBACK, RULES, filter_rules
from models.catalogue.indicator_manual import manual
from models.catalogue.indicators import Base, Better, Group, indicators
from models.errors import CatalogueError
from models.messages import LOCALES, has

ROOT = Path(__file__).parents[2]
PUBLIC = {
    *("lead_to_visit", "visit_to_test_drive", "test_drive_to_order", "quote_rate", "close_rate"),
    *("defeat_rate_filed", "defeat_rate_filtered", "open_lead_age_days", "unclosed_over_90_share"),
    *("first_response_hours", "first_response_in_1h", "contacts_before_defeat", "silent_days_before_defeat"),
    *("premature_share", "filed_in_time", "reviewed_in_time", "unfiled_share", "questionnaire_complete"),
    *("revisit_coverage", "revisit_reached", "revisit_in_time", "reason_disagreement"),
    *("competitor_share", "same_brand_share", "not_purchased_share", "unknown_share"),
    *("quasi_defeat_share", "false_defeat_share"),
}


def test_the_public_codes_are_declared_and_computed():
    summed = {one.code for one in indicators().summed}
    assert summed >= PUBLIC
    assert len(indicators().indicators) > 60


def test_every_group_of_the_standard_is_declared_with_texts():
    assert {one.group for one in indicators().indicators.values()} == set(Group)
    assert all(has(f"indicators.group.{group}") for group in Group)
    for one in indicators().indicators.values():
        assert all(one.label.text(locale) and one.definition.text(locale) for locale in LOCALES)
        assert has(f"indicators.unit.{one.unit}")


def test_what_is_not_computed_says_what_it_needs():
    waiting = indicators().not_yet_computed()
    assert {"cost_per_won_back_deal", "repurchase_rate", "second_contact_rate"} <= {one.code for one in waiting}
    assert all(one.needs for one in waiting)


def test_directions_and_bases_of_known_indicators():
    found = indicators().indicators
    assert found["defeat_rate_filed"].better is Better.LOWER
    assert found["close_rate"].base is Base.CLOSING
    assert found["open_lead_age_days"].base is Base.MONTH_END


def test_the_manual_is_that_of_the_catalogue():
    """To regenerate: python -m models.catalogue.indicators > docs/indicators.md."""
    assert (ROOT / "docs" / "indicators.md").read_text("utf-8") == manual()


def test_every_rule_of_the_filter_is_ordered_and_has_a_sentence():
    assert {decision.rule for decision in filter_rules().precedence} == RULES
    assert filter_rules().precedence[-1].rule == FALLBACK
    assert all(has(f"filter.rule.{rule}") for rule in RULES)


def test_the_starred_defaults_are_those_of_section_14():
    rules = filter_rules()
    assert (rules.sales.days_before, rules.sales.days_after, rules.later_lead.days_after) == (7, 90, 90)
    assert (rules.premature.max_contacts, rules.premature.min_days, rules.out_of_reach.min_attempts) == (1, 5, 4)


def test_an_oem_changes_single_figures_and_the_order_of_evidence(tmp_path):
    (tmp_path / "filter_rules.toml").write_text("[sales]\ndays_after = 60\n", "utf-8")
    changed = filter_rules(tmp_path)
    assert (changed.sales.days_after, changed.sales.days_before) == (60, 7)
    (tmp_path / "indicators.toml").write_text("[indicators.close_rate]\nminimum = 50\n", "utf-8")
    assert indicators(tmp_path).indicators["close_rate"].minimum == 50


LAST = f'[[precedence]]\nrule = "{FALLBACK}"\nverdict = "quasi"\ndestination = "unknown"\n'


@pytest.mark.parametrize(
    ("content", "key", "entry"),
    [
        ('[sales]\ndays_after = "long"\n', "catalogue.invalid", "sales.days_after"),
        ("[premature]\nmax_days = 5\n", "catalogue.invalid", "premature.max_days"),
        ('[[precedence]]\nrule = "guess"\nverdict = "true"\ndestination = "unknown"\n', "filter.unknown_rule", "guess"),
        (LAST + LAST, "filter.rule_twice", FALLBACK),
        ('[[precedence]]\nrule = "won_here"\nverdict = "false"\n', "filter.no_fallback", "won_here"),
        ('[[precedence]]\nrule = "won_here"\nverdict = "true"\n' + LAST, "filter.destination", "won_here"),
        ('[questionnaire]\nrequired = ["mood"]\n', "filter.unknown_field", "mood"),
        ('[sales]\ncustomer_types = ["vip"]\n', "filter.unknown_field", "vip"),
    ],
)
def test_a_wrong_rule_names_file_key_and_remedy(tmp_path, content, key, entry):
    (tmp_path / "filter_rules.toml").write_text(content, "utf-8")
    with pytest.raises(CatalogueError) as error:
        filter_rules(tmp_path)
    assert error.value.key == key
    assert all(
        "filter_rules.toml" in error.value.text(locale) and entry in error.value.text(locale) for locale in LOCALES
    )


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ('[indicators.close_rate]\nnumerator = "wins"\n', "indicators.unknown_fact"),
        ("[indicators.close_rate]\ncomputed = false\n", "indicators.needs"),
        ('[indicators.close_rate]\nnumerator = ""\n', "indicators.no_sums"),
        ('[indicators.close_rate]\nbetter = "more"\n', "catalogue.invalid"),
    ],
)
def test_a_wrong_indicator_names_file_key_and_remedy(tmp_path, content, key):
    (tmp_path / "indicators.toml").write_text(content, "utf-8")
    with pytest.raises(CatalogueError) as error:
        indicators(tmp_path)
    assert error.value.key == key
    assert all("close_rate" in error.value.text(locale) for locale in LOCALES)
