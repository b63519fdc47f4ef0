"""The reason standard: every code of domain.md section 14, what it says, and what an OEM's own file may change."""

import pytest

from models.catalogue.reasons import (
    DEALER_ROLES,
    UNSPLIT_PRICE,
    catalogue,
    excluded_codes,
    find_code,
    level1_reasons,
    reasons,
    valid_codes,
)
from models.enums import OwnerRole
from models.errors import CatalogueError

STANDARD = {
    "product": "model_outdated simple_configuration power noise load_capacity quality_worry space_comfort "
    "brand_not_accepted",
    "price": "positioned_high discount_too_small dealer_markup sister_bidding inconsistent_promotion finance_terms "
    "trade_in_price too_high",
    "process": "follow_up product_knowledge no_trust skills_before_process needs_not_understood no_test_drive "
    "reception",
    "supply": "no_stock delivery_too_long colour_configuration",
    "customer": "funds_not_ready plan_cancelled plan_postponed habit_or_people unreasonable_demand used_car_instead",
    "record": "misjudged out_of_reach duplicate invalid_contact test_or_fake",
}


def test_every_code_of_the_standard_and_no_other():
    assert set(reasons()) == {f"{level}_{name}" for level, names in STANDARD.items() for name in names.split()}
    assert list(level1_reasons()) == list(STANDARD)
    assert valid_codes() == set(reasons()) | set(STANDARD)


def test_a_code_knows_its_level_1():
    for code, reason in catalogue().items():
        assert code.startswith(reason.level1)
        assert reason.level == (1 if code == reason.level1 else 2)


def test_only_three_record_codes_leave_the_rates():
    assert excluded_codes() == {"record_duplicate", "record_invalid_contact", "record_test_or_fake"}


def test_who_can_fix_it_follows_the_standard():
    owners = {code: set(reason.owners) for code, reason in reasons().items()}
    for code, who in owners.items():
        level1 = reasons()[code].level1
        if level1 == "product":
            assert who == {OwnerRole.OEM_PRODUCT}
        elif level1 == "customer":
            assert who == {OwnerRole.NONE}
        elif level1 in ("process", "record"):
            assert who <= DEALER_ROLES
        else:
            assert who & (DEALER_ROLES | {OwnerRole.OEM_PRICING})
    assert not reasons()["price_positioned_high"].dealer_fixable
    assert reasons()["process_no_test_drive"].dealer_fixable


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("价格高", UNSPLIT_PRICE),  # the words of the source's reason statistics
        ("品牌不认可", "product_brand_not_accepted"),
        ("车型不满意", "product"),
        ("资金不到位", "customer_funds_not_ready"),
        ("无存货", "supply_no_stock"),
        ("跟进不及时", "process_follow_up"),
        ("不合理要求", "customer_unreasonable_demand"),
        ("取消购车计划", "customer_plan_cancelled"),
        ("身边人不认可", "customer_habit_or_people"),
        ("竞价销售", "price_sister_bidding"),
        ("失联", "record_out_of_reach"),
        (" Price  Too-High ", UNSPLIT_PRICE),
        ("PROCESS_NO_TEST_DRIVE", "process_no_test_drive"),
        ("Trade-in", "price_trade_in_price"),
        ("price", "price"),
        ("下雨了", None),
        ("", None),
    ],
)
def test_a_spelling_finds_its_code(spelling, code):
    assert find_code(spelling) == code


def test_every_reason_has_words_in_both_languages():
    for code, reason in reasons().items():
        assert len(reason.keywords_zh) >= 3, code
        assert len(reason.keywords_en) >= 3, code
        assert reason.definition.zh_CN != reason.label.zh_CN


def test_a_keyword_points_to_one_reason():
    seen = {}
    for code, reason in reasons().items():
        for keyword in reason.keywords:
            assert seen.setdefault(keyword.casefold(), code) == code, keyword


@pytest.fixture
def own(tmp_path):
    def write(content):
        (tmp_path / "reasons.toml").write_text(content, "utf-8")
        return tmp_path

    return write


def test_an_oem_overrides_single_keys_and_adds_codes(own):
    folder = own(
        """
        [reasons.price_finance_terms]
        owners = ["oem_pricing"]
        dealer_fixable = false
        label = { en = "credit terms" }

        [reasons.product_charging]
        owners = ["oem_product"]
        dealer_fixable = false
        label = { zh_CN = "补能不便", en = "charging" }
        definition = { zh_CN = "充电不方便", en = "charging is inconvenient" }
        """
    )
    changed = reasons(folder)["price_finance_terms"]
    assert (changed.owners, changed.dealer_fixable) == ((OwnerRole.OEM_PRICING,), False)
    assert (changed.label.en, changed.label.zh_CN) == ("credit terms", "金融方案不合适")
    assert changed.keywords == reasons()["price_finance_terms"].keywords
    assert find_code("补能不便", folder) == "product_charging"
    assert find_code("补能不便") is None


def test_a_folder_without_own_reasons_leaves_the_standard(tmp_path):
    assert dict(reasons(tmp_path)) == dict(reasons())


NEW = """
owners = ["oem_product"]
dealer_fixable = false
label = {{ zh_CN = "{0}", en = "{0}" }}
definition = {{ zh_CN = "x", en = "x" }}
"""


@pytest.mark.parametrize(
    ("content", "key", "named"),
    [
        ("[reasons.weather_rain]\n" + NEW.format("rain"), "reasons.bad_code", "weather_rain"),
        ("[reasons.product_Big]\n" + NEW.format("big"), "reasons.bad_code", "product_Big"),
        ("[reasons.product_x]\n" + NEW.format("价格高"), "reasons.ambiguous", "product_x"),
        ('[reasons.product_power]\nowners = ["sales_manager"]', "reasons.fixable", "product_power"),
        ('[level1.process]\nscheme = "process_magic"', "reasons.bad_scheme", "process"),
        ('[reasons.product_power]\nowners = ["boss"]', "catalogue.invalid", "reasons.product_power.owners.0"),
        ("[reasons.product_power]\ncolour = 1", "catalogue.invalid", "reasons.product_power.colour"),
        ("[reasons.product_new]\nexcluded = false", "catalogue.invalid", "reasons.product_new.owners"),
        ("[reasons", "catalogue.not_toml", "reasons.toml"),
    ],
)
def test_an_error_names_file_entry_and_remedy(own, content, key, named):
    with pytest.raises(CatalogueError) as caught:
        reasons(own(content))
    assert caught.value.key == key
    for locale in ("zh_CN", "en"):
        said = caught.value.text(locale)
        assert "reasons.toml" in said
        assert named in said
