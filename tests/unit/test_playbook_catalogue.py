"""The playbook: complete for every reason a dealer owns, checked when loaded, open to an OEM's own measures."""

import shutil
from pathlib import Path

import pytest

from models.catalogue.manual import manual
from models.catalogue.playbook import FOLDER, MIN_MEASURES, REASON_PREFIX, Stake, playbook
from models.catalogue.reasons import DEALER_ROLES, catalogue, reasons
from models.errors import CatalogueError

ROOT = Path(__file__).resolve().parents[2]
MEASURES = list(playbook().measures.values())


def test_every_reason_a_dealer_owns_has_at_least_two_measures():
    for code, reason in reasons().items():
        have = len(playbook().scheme(code))
        assert (have >= MIN_MEASURES) if reason.dealer_owned else (have == 0), code


@pytest.mark.parametrize("measure", MEASURES, ids=lambda one: one.code)
def test_a_measure_can_be_carried_out_at_the_dealer_in_both_languages(measure):
    assert measure.owner_role in DEALER_ROLES
    assert 3 <= len(measure.steps.zh_CN) == len(measure.steps.en) <= 6
    assert len(set(measure.steps.zh_CN)) == len(measure.steps.zh_CN)
    chinese = (measure.title.zh_CN, measure.evidence.zh_CN, *measure.steps.zh_CN)
    english = (measure.title.en, measure.evidence.en, *measure.steps.en)
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in line) for line in chinese)
    assert all(line.isascii() for line in english)


def test_a_measure_judged_by_a_reason_is_judged_by_its_own():
    for measure in MEASURES:
        if measure.indicator.startswith(REASON_PREFIX):
            assert measure.indicator == REASON_PREFIX + measure.reason, measure.code


def test_the_order_within_a_scheme_is_unambiguous():
    for code in reasons():
        orders = [measure.order for measure in playbook().scheme(code)]
        assert orders == list(range(1, len(orders) + 1)), code


def test_what_the_oem_owns_goes_to_its_list():
    for code, reason in reasons().items():
        if reason.level1 == "product":
            assert playbook().oem_list(code) == "product"
        if reason.level1 == "customer":
            assert playbook().oem_list(code) == ""
    assert playbook().oem_list("price_positioned_high") == "pricing"
    assert playbook().oem_list("supply_delivery_too_long") == "supply"
    assert playbook().oem_list("process_reception") == ""


def test_the_funnel_steps_stand_in_the_order_customers_pass_them():
    steps = [name for name, entry in playbook().indicator_schemes.items() if entry.stake is Stake.STEP]
    assert steps == ["lead_to_visit", "visit_to_test_drive", "test_drive_to_order"]
    assert playbook().indicator_schemes["visit_to_test_drive"].reason == "process_no_test_drive"
    assert playbook().indicator_schemes["lead_to_visit"].reason == "process_follow_up"


def test_cards_are_found_by_reason_and_the_most_special_first(own):
    folder = own("[argument_cards.rival]\n" + CARD.format('competitor = "Rival"'))
    codes = [card.title.en for card in playbook(folder).cards("price_too_high", "Rival", "S1")]
    assert codes == ["rival", "total cost, not only the price"]
    assert [card.title.en for card in playbook(folder).cards("price_too_high", "Other")] == codes[1:]
    assert playbook().cards("process_reception") == ()


def test_the_manual_is_what_the_data_says():
    written = (ROOT / "docs" / "catalogue.md").read_text("utf-8")
    assert written == manual(), "run: python -m models.catalogue.manual > docs/catalogue.md"
    for code in (*catalogue(), *playbook().measures):
        if catalogue().get(code) is None or catalogue()[code].level == 2:
            assert f"`{code}`" in written


CARD = """
concern_code = "price_too_high"
{0}
title = {{ zh_CN = "竞品", en = "rival" }}
fact = {{ zh_CN = "事实", en = "fact" }}
concern = {{ zh_CN = "关注", en = "concern" }}
view = {{ zh_CN = "观点", en = "view" }}
"""
STEPS = 'steps = {{ zh_CN = {0}, en = ["a", "b", "c"] }}'
NEW = """
reason = "process_reception"
order = 3
owner_role = "sales_manager"
indicator = "reason:process_reception"
horizon_months = 3
due_days = 10
effort = "low"
cost = "none"
title = { zh_CN = "新措施", en = "new" }
evidence = { zh_CN = "照片", en = "photo" }
"""
THREE = '["一", "二", "三"]'


@pytest.fixture
def own(tmp_path):
    def write(content):
        (tmp_path / "playbook").mkdir()
        (tmp_path / "playbook" / "own.toml").write_text(content, "utf-8")
        return tmp_path

    return write


def test_an_oem_adds_measures_and_changes_single_keys(own):
    folder = own(
        "[measures.coffee]\n"
        + NEW
        + STEPS.format(THREE)
        + '\n[measures.reception_roster]\ndue_days = 7\ncost = "low"\n'
    )
    scheme = playbook(folder).scheme("process_reception")
    assert [measure.code for measure in scheme] == ["reception_roster", "next_day_courtesy_call", "coffee"]
    assert (scheme[0].due_days, scheme[0].cost, scheme[0].title) == (
        7,
        "low",
        playbook().measures["reception_roster"].title,
    )
    assert playbook().measures["reception_roster"].due_days == 14


@pytest.mark.parametrize(
    ("content", "key", "named"),
    [
        (NEW.replace("process_reception", "process_magic") + STEPS.format(THREE), "playbook.unknown_reason", "magic"),
        (NEW + STEPS.format('["一", "二", "三", "四"]'), "playbook.uneven_steps", "coffee"),
        (NEW.replace("reason:process_reception", "cheer") + STEPS.format(THREE), "playbook.unknown_indicator", "cheer"),
        (
            NEW.replace("reason:process_reception", "first_response_hours") + STEPS.format(THREE),
            "playbook.unknown_indicator",
            "first_response_hours",
        ),
        (NEW + STEPS.format('["一", "二"]'), "catalogue.invalid", "measures.coffee.steps.zh_CN"),
        (NEW.replace('"low"', '"huge"') + STEPS.format(THREE), "catalogue.invalid", "measures.coffee.effort"),
        (NEW, "catalogue.invalid", "measures.coffee.steps"),
        (NEW + 'colour = "red"\n' + STEPS.format(THREE), "catalogue.invalid", "measures.coffee.colour"),
    ],
)
def test_an_error_in_a_measure_names_file_entry_and_remedy(own, content, key, named):
    with pytest.raises(CatalogueError) as caught:
        playbook(own("[measures.coffee]\n" + content))
    assert caught.value.key == key
    for locale in ("zh_CN", "en"):
        said = caught.value.text(locale)
        assert "own.toml" in said
        assert named in said


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ('[indicator_schemes.lead_to_visit]\nreason = "product_power"', "playbook.no_scheme"),
        ('[indicator_schemes.lead_to_visit]\nexplained_by = ["process_reception"]', "playbook.explained_twice"),
        ('[indicator_schemes.lead_to_visit]\nexplained_by = ["process_magic"]', "playbook.unknown_reason"),
        ('[argument_cards.total_cost]\nconcern_code = "price_magic"', "playbook.unknown_reason"),
        ('[measures.first_hour_response]\nreason = "process_reception"\n[measures.follow_up_rhythm]\n'
         'reason = "process_reception"', "playbook.too_few"),
        ('[indicator_schemes.cheer]\nreason = "process_reception"\nstake = "step"', "playbook.unknown_indicator"),
        ("[measures", "catalogue.not_toml"),
        ("[dishes.soup]\nsalt = 1", "catalogue.invalid"),
    ],
)  # fmt: skip
def test_what_entries_say_about_each_other_is_checked(own, content, key):
    with pytest.raises(CatalogueError) as caught:
        playbook(own(content))
    assert caught.value.key == key


def test_a_measure_defined_in_two_files_is_refused(tmp_path):
    (tmp_path / "playbook").mkdir()
    for name in ("one.toml", "two.toml"):
        shutil.copy(FOLDER / "supply.toml", tmp_path / "playbook" / name)
    with pytest.raises(CatalogueError) as caught:
        playbook(tmp_path)
    assert caught.value.key == "playbook.twice"
    assert "two.toml" in caught.value.text("en")
    assert "one.toml" in caught.value.text("en")


def test_a_catalogue_without_an_own_playbook_leaves_the_shipped_one(tmp_path):
    assert playbook(tmp_path) == playbook()


def test_the_playbook_goes_with_the_reasons_of_the_same_folder(own):
    folder = own("[measures.coffee]\n" + NEW.replace("process_reception", "process_coffee") + STEPS.format(THREE))
    (folder / "reasons.toml").write_text(
        """
        [reasons.process_coffee]
        owners = ["sales_manager"]
        dealer_fixable = true
        label = { zh_CN = "没有咖啡", en = "no coffee" }
        definition = { zh_CN = "没有咖啡", en = "no coffee" }
        """,
        "utf-8",
    )
    with pytest.raises(CatalogueError) as caught:
        playbook(folder)
    assert (caught.value.key, caught.value.params["entry"]) == ("playbook.too_few", "process_coffee")


def test_an_empty_playbook_folder_is_refused(tmp_path):
    (tmp_path / "playbook").mkdir()
    with pytest.raises(CatalogueError) as caught:
        playbook(tmp_path)
    assert caught.value.key == "playbook.no_files"
