"""Free text to reason codes by keywords."""

from __future__ import annotations

import pandas as pd
import pytest

from tasks.compute.text_coding import code_texts, coder


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("客户嫌优惠少", "price_discount_too_small"),
        ("等太久提车,客户等不及", "supply_delivery_too_long"),  # the longer keyword wins over "等太久"
        ("Trade-in valuation too low", "price_trade_in_price"),
        ("the gearbox is bad", "product_power"),
        ("regearboxing", None),  # English keywords are whole words
        ("太贵了", None),  # says no more than the unsplit price
        ("噪音大,也没现车", None),  # two reasons
        ("空号", None),  # a text alone takes no lead out of the rates
        ("", None),
    ],
)
def test_a_text_is_coded_only_when_it_is_clear(text, code):
    assert coder().code(text) == code


def test_texts_keep_their_rows():
    texts = pd.Series(["没现车", None, "好", "没现车"], index=[7, 3, 5, 1], dtype="str")
    coded = code_texts(texts, coder())
    assert coded.index.tolist() == [7, 3, 5, 1]
    assert coded["code"].isna().tolist() == [False, True, True, False]
    assert set(map(tuple, coded[["code", "origin", "phrase"]].dropna().to_numpy())) == {
        ("supply_no_stock", "text", "没现车")
    }
