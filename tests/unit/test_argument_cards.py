"""Competitors as data, and which argument cards a dealer gets."""

from __future__ import annotations

import pandas as pd
import pytest

from models.catalogue.competitors import competitors
from models.catalogue.playbook import playbook
from models.errors import CatalogueError
from reports.argument_cards import card_views
from tasks.compute.argument_cards import choose_cards


def lost(*rows):
    columns = ["series", "competitor_brand", "reason", "destination", "verdict", "counted"]
    filled = [(*row, *("competitor", "true", True)[len(row) - 3 :]) for row in rows]
    return pd.DataFrame(filled, columns=columns)


def test_the_largest_flows_get_their_cards_and_the_most_special_one():
    defeats = lost(
        *[("骋远S5", "比亚迪", "product_power")] * 5,
        *[("骋远S5", "哈弗", "product_power")] * 3,
        *[("骋远A6", "大众", "price_positioned_high")] * 4,
        *[("骋远A6", None, "process_reception")] * 9,  # a process reason has no card
    )
    chosen = choose_cards(defeats, playbook(), competitors())
    told = [(one.series, one.brand, one.reason, one.defeats) for one in chosen]
    assert told == [
        ("骋远S5", "比亚迪", "product_power", 5),
        ("骋远A6", "大众", "price_positioned_high", 4),
        ("骋远S5", "哈弗", "product_power", 3),
    ]
    assert chosen[0].card.competitor == "比亚迪"
    assert chosen[2].card.competitor == ""
    assert [one.series for one in chosen[0].competitors] == ["宋PLUS"]


def test_one_card_stands_once_per_series_and_only_true_defeats_to_competitors_count():
    rows = [("S", "A", "price_too_high")] * 2 + [("S", "B", "price_too_high")]
    other = [("S", "C", "product_noise", "same_brand_other_dealer"), ("S", "C", "product_noise", "competitor", "quasi")]
    chosen = choose_cards(lost(*rows, *other), playbook(), competitors())
    assert [(one.brand, one.defeats) for one in chosen] == [("A", 2)]
    assert choose_cards(lost(), playbook(), competitors()) == ()


def test_cards_name_no_figure():
    for card in playbook().argument_cards.values():
        for step in (card.fact, card.concern, card.view):
            assert not any(letter.isdigit() for letter in step.zh_CN + step.en), card.title.en


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ('brand = "B"\nagainst = "S"\nprice_from = 100000', "go together"),
        ('brand = "B"\nagainst = "S"\nprice_from = 2\nprice_to = 1', "above"),
        ('brand = "B"\nagainst = "S"\nprice_from = 1\nprice_to = 2', "as_of"),
        ('brand = "B"', "Field required"),
        ('brand = "哈弗"\nseries = "H6"\nagainst = "骋远S5"', "haval_h6"),
    ],
)
def test_an_own_file_is_checked(tmp_path, entry, says):
    (tmp_path / "competitors.toml").write_text(f"[competitors.rival]\n{entry}\n", "utf-8")
    with pytest.raises(CatalogueError) as caught:
        competitors(tmp_path)
    assert says in caught.value.text("en")
    assert "competitors.toml" in caught.value.text("zh_CN")


def test_an_oem_s_price_lies_over_the_shipped_entry(tmp_path):
    own = '[competitors.haval_h6]\nprice_from = 99000\nprice_to = 150000\nas_of = 2026-10-01\nsource = "官网"\n'
    (tmp_path / "competitors.toml").write_text(own, "utf-8")
    found = competitors(tmp_path).of("骋远S5", "哈弗")
    assert [(one.series, one.price_from, one.source) for one in found] == [("H6", 99000, "官网")]


def test_a_competitor_s_price_stands_with_day_and_source_and_an_empty_entry_is_left_out(tmp_path):
    own = '[competitors.haval_h6]\nprice_from = 99000\nprice_to = 150000\nas_of = 2026-10-01\nsource = "官网"\n'
    own += '[competitors.empty]\nbrand = "哈弗"\nseries = "X"\nagainst = "骋远S5"\n'
    (tmp_path / "competitors.toml").write_text(own, "utf-8")
    chosen = choose_cards(lost(*[("骋远S5", "哈弗", "product_power")] * 3), playbook(), competitors(tmp_path))
    (chinese,), (english,) = card_views(chosen, "zh_CN"), card_views(chosen, "en")
    assert chinese.rivals == (
        "哈弗 H6：客户看好：同级保有量大，维修网点多；客户顾虑：车主多，个性化少；"
        "指导价 99,000 至 150,000 元；来源：官网、2026年10月1日",
    )
    assert english.rivals[0].endswith("list price CNY 99,000 to 150,000; source: 官网, 2026-10-01")
    assert english.answers == ("骋远S5 lost to 哈弗 for “power”: 3",)
    assert (english.fact, english.concern, english.view) == (
        chosen[0].card.fact.en, chosen[0].card.concern.en, chosen[0].card.view.en,
    )  # fmt: skip
