"""What the delivered pages say: like beside like, why there is no plan, where every number comes from."""

import re
from html import unescape

import pytest
from support.delivered import COACHING, DATA, FEW, KEEP, RECTIFY, UNDER_WAY

from tasks.delivering import folder_name


def words(job, dealer, locale="en"):
    """A dealer's page as its words, pictures left out."""
    page = (job.pages / "dealers" / folder_name(dealer) / f"plan.{locale}.html").read_text("utf-8")
    page = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


@pytest.mark.parametrize("dealer", [RECTIFY, UNDER_WAY, DATA, KEEP, COACHING, FEW])
@pytest.mark.parametrize("locale", ["zh_CN", "en"])
def test_every_page_says_cycle_day_version_and_how_to_get_the_rows(delivered, dealer, locale):
    page = words(delivered, dealer, locale)
    assert f"2026-10-{dealer}" in page
    assert "20261031-0123456789ab" in page
    assert "rematch export defeats --cycle 2026-10 --dealer" in page


def test_commands_quote_a_hostile_id(delivered):
    assert "--dealer '=cmd|'\"'\"' /C calc'\"'\"'!A0' --out" in words(delivered, FEW)


def test_figures_beside_peers_are_those_of_the_window(delivered):
    page = words(delivered, KEEP)
    assert "visit to test drive 68 of 120 56.7% 50.0%" in page  # of the comparison, not the month's 10 of 50
    assert "better than peers" in page
    assert "may be chance" in page


def test_the_months_own_figures_are_named_as_such(delivered):
    assert re.search(
        r"Your figures, 2026-10 50 leads closed .* 20\.0% close rate last month 19\.0%", words(delivered, KEEP)
    )


def test_too_few_cases_are_said_instead_of_a_comparison(delivered):
    page = words(delivered, FEW)
    assert "Only 12 leads were closed" in page
    assert "not enough cases to compare" in page
    assert "too few cases in the period" in page


def test_a_rectification_plan_shows_problem_evidence_measure_and_leads(delivered):
    page = words(delivered, RECTIFY)
    assert "1. Too high: premature" in page
    assert "2. Too low: visit to test drive" in page
    assert re.search(r"show the same cause lead to visit: 54\.0% here \(108 of 200\), 60\.0% at peers", page)
    assert "Same cause as problem 1" in page
    assert page.count("2026-10-D001-1") == 1  # a measure stands once, though two problems share its reason
    assert "=1+1, +L2, -L3, @L4, <i>L5</i>" in page
    assert "Indicator code: premature_share" in page
    assert "Not yours to fix" in page
    assert "power" in page


def test_measures_under_way_and_their_verdicts_are_shown(delivered):
    page = words(delivered, UNDER_WAY)
    assert "Nothing new to file" in page
    assert re.search(r"Under way: nothing is added .* \(plan of 2026-08, approved, due 2026-11-25\)", page)
    assert "not enough evidence It cannot be told yet: with 140 closed leads in the 3 months since 2026-10" in page
    assert "anything from 1.1 points worse to 5.9 better; an improvement of 3.0 points should show after 6" in page
    assert "carried out in part. The dealer reports it as carried out." in page
    assert "With care The dealer's mix of series and sources differs much from before" in page
    assert "Next look with the figures of 2027-03." in page
    assert "What follows Not enough evidence yet: the measure goes on, and the next look decides" in page


def test_keep_says_why_and_what_the_dealer_does_well(delivered):
    page = words(delivered, KEEP)
    assert "none is clearly weaker than at comparable dealers" in page
    assert re.search(r"What you do well visit to test drive: 56\.7% here", page)
    assert "File by" not in page


def test_a_data_plan_lists_the_ten_dearest_rules_with_how_to_mend_them_first(delivered):
    page = words(delivered, DATA)
    assert "Score 41.5 of 100" in page
    assert page.index("required cells are filled") < page.index("Your figures")
    assert "40 of 500 rows" in page
    assert "fill it in the system and send the row again" in page
    assert "2 more rules cost 3.0 points together" in page
    assert "status_against_times" not in page


def test_a_coaching_scheme_says_what_led_to_it(delivered):
    assert "were not carried out in 2 plans" in words(delivered, COACHING)


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [("D001", "D001"), ("门店-1", "门店-1"), ("a.b_c", "a.b_c")],
)
def test_plain_ids_are_their_folder(identifier, expected):
    assert folder_name(identifier) == expected


def test_other_ids_get_plain_unique_folders_inside_the_parent():
    ids = [
        "..",
        ".",
        "",
        "/",
        "../x",
        "a/b",
        "a\\b",
        "a b",
        "a:b",
        "CON",
        "nul.txt",
        "COM1",
        ".x",
        "x.",
        "=1",
        "x" * 300,
    ]
    folders = [folder_name(one) for one in ids]
    assert len(set(folders)) == len(ids)
    for folder in folders:
        assert re.fullmatch(r"[\w.-]{1,100}", folder)
        assert not folder.startswith(".")
        assert not folder.endswith(".")
        assert folder.upper() not in {"CON", "NUL.TXT", "COM1"}
