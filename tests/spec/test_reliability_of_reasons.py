"""Declared against confirmed reasons: agreement, confusion, shares corrected for misreporting and response."""

from __future__ import annotations

import pandas as pd
import pytest

from models.messages import text
from tasks.compute.reliability import (
    LEAST_CONFIRMED,
    LEAST_CONFIRMED_DEALER,
    SHARE_COLUMNS,
    agreement_table,
    confusion_table,
    corrected_shares,
    filings_for_reliability,
)

PRICE, LATE, STOCK = "price_too_high", "process_follow_up", "supply_no_stock"


def _filings(count, declared=PRICE, confirmed=None, dealer="A", **fields):
    row = {
        "dealer_id": dealer, "region_id": "R1", "series": "S1", "source": "web", "filed_month": "2025-03",
        "declared": declared, "declared_destination": "competitor", "confirmed": confirmed,
        "used": confirmed or declared or None,
    }  # fmt: skip
    return pd.DataFrame([row | fields] * count).astype({"confirmed": "str"})


def _network(*parts):
    return pd.concat(parts, ignore_index=True)


def _shares(rows, scope="nation", scope_id="all"):
    table = corrected_shares(rows, rows)
    assert list(table.columns) == SHARE_COLUMNS
    return table[(table["scope"] == scope) & (table["scope_id"] == scope_id)].set_index("reason")


def test_honest_filings_need_no_correction():
    rows = _network(_filings(300, LATE, LATE), _filings(300, LATE), _filings(100, STOCK, STOCK), _filings(100, STOCK))
    shares = _shares(rows)
    assert shares.loc[LATE, "declared_share"] == 0.75
    assert shares.loc[LATE, "corrected_share"] == pytest.approx(0.75, abs=0.005)
    assert shares.loc[LATE, "misreport_points"] == pytest.approx(0, abs=0.5)


def test_what_customers_confirm_replaces_what_was_declared():
    rows = _network(_filings(150, PRICE, LATE), _filings(50, PRICE, STOCK), _filings(400, PRICE))
    shares = _shares(rows)
    assert shares.loc[PRICE, ["declared_share", "corrected_share"]].tolist() == [1.0, 0.0]
    assert shares.loc[LATE, "corrected_share"] == pytest.approx(0.75, abs=0.01)
    assert shares.loc[STOCK, "corrected_share"] == pytest.approx(0.25, abs=0.01)
    assert shares.loc[LATE, "lo90"] < 0.75 < shares.loc[LATE, "hi90"]
    assert shares["corrected_share"].sum() == pytest.approx(1)


def test_who_answered_is_weighed_by_who_was_lost():
    # buyers of a competitor answer far more often, and they name other reasons
    rows = _network(
        _filings(450, PRICE, STOCK, declared_destination="competitor"),
        _filings(50, PRICE, declared_destination="competitor"),
        _filings(50, PRICE, LATE, declared_destination="not_purchased"),
        _filings(450, PRICE, declared_destination="not_purchased"),
    )
    shares = _shares(rows)
    assert shares.loc[LATE, "confirmed_share"] == 0.1
    assert shares.loc[LATE, "corrected_share"] == pytest.approx(0.5, abs=0.16)
    assert shares.loc[LATE, "corrected_share"] > 0.34  # most of the way with 50 answers of its kind


def test_a_dealer_is_drawn_to_the_network_the_more_the_fewer_answers_it_has():
    honest = [_filings(60, PRICE, PRICE, dealer=f"H{n}") for n in range(15)]
    few = [_filings(12, PRICE, LATE, dealer="F"), _filings(48, PRICE, dealer="F")]
    many = [_filings(50, PRICE, LATE, dealer="M"), _filings(200, PRICE, dealer="M")]
    table = corrected_shares(*[_network(*honest, *few, *many)] * 2)
    late = table[(table["scope"] == "dealer") & (table["reason"] == LATE)].set_index("scope_id")["corrected_share"]
    assert 0.2 < late["F"] < late["M"] <= 1
    assert late["H0"] < 0.05


@pytest.mark.parametrize(("answers", "enough"), [(LEAST_CONFIRMED - 1, False), (LEAST_CONFIRMED, True)])
def test_not_enough_revisits_is_an_answer(answers, enough):
    shares = _shares(_network(_filings(answers, PRICE, LATE), _filings(100, PRICE)))
    assert shares["corrected_share"].notna().all() == enough
    assert set(shares["missing"]) == ({""} if enough else {"analysis.reliability.missing.few_revisits"})
    assert shares.loc[PRICE, "declared_share"] == 1.0  # what was filed is known all the same


def test_a_dealer_without_answers_is_not_corrected():
    rows = _network(_filings(100, PRICE, LATE), _filings(LEAST_CONFIRMED_DEALER, PRICE, dealer="B"))
    assert _shares(rows, "dealer", "A")["corrected_share"].notna().all()
    assert _shares(rows, "dealer", "B")["corrected_share"].isna().all()


def test_no_revisits_at_all():
    rows = _filings(50, PRICE)
    assert _shares(rows)["corrected_share"].isna().all()
    assert not len(confusion_table(rows))
    agreement = agreement_table(rows).set_index("scope_id")
    assert agreement.loc["all", "compared"] == 0
    assert agreement["shrunk"].isna().all()
    assert text("analysis.reliability.missing.few_revisits", "en", least=30)


def test_no_filings_at_all():
    nothing = _filings(1).iloc[:0]
    assert list(corrected_shares(nothing, nothing).columns) == SHARE_COLUMNS
    assert agreement_table(nothing)["compared"].tolist() == [0]


def test_confusion_counts_and_shrinks():
    rows = _network(_filings(90, PRICE, PRICE, dealer="A"), _filings(10, PRICE, LATE, dealer="B"))
    table = confusion_table(rows).set_index(["scope_id", "declared", "confirmed"])
    assert table.loc[("all", PRICE, LATE), ["rows", "share"]].tolist() == [10, 0.1]
    assert table.loc[("B", PRICE, LATE), "share"] == 1.0
    assert 0.1 < table.loc[("B", PRICE, LATE), "shrunk_share"] < 1.0


def test_agreement_of_bare_codes_is_by_level():
    rows = _network(
        _filings(10, "price", "price_dealer_markup"),
        _filings(10, PRICE, "price_discount_too_small"),
        _filings(10, "price_dealer_markup", "price_discount_too_small"),
        _filings(10, LATE, STOCK),
        _filings(10, "", STOCK),
    )
    nation = agreement_table(rows).set_index("scope_id").loc["all"]
    assert nation[["compared", "agreed", "agreed_level1"]].tolist() == [40, 20, 30]
    assert nation["agreement"] == 0.5


def test_a_dealer_that_misreports_stands_out():
    usual = [_network(_filings(40, LATE, LATE, f"D{n}"), _filings(10, LATE, STOCK, f"D{n}")) for n in range(20)]
    rows = _network(*usual, _filings(10, LATE, LATE, "X"), _filings(40, LATE, STOCK, "X"))
    table = agreement_table(rows).set_index("scope_id")
    assert table.loc["X", "differs"]
    assert not table.loc["D0", "differs"]
    assert 0.2 < table.loc["X", "shrunk"] < 0.8  # drawn towards the network


def test_filings_are_the_last_of_each_lead():
    defeats = pd.DataFrame(
        {
            "lead_id": ["1", "1", "2"], "last_filing": [False, True, True], "dealer_id": ["A", "A", None],
            "region_id": "R1", "series": "S1", "source": None, "filed_month": "2025-03",
            "declared_reason": [PRICE, LATE, None], "confirmed_reason": [None, None, STOCK],
            "reason": [PRICE, LATE, STOCK],
        }
    )  # fmt: skip
    rows = filings_for_reliability(defeats, pd.Series(["competitor", None, "unknown"]))
    assert rows["declared"].tolist() == [LATE, ""]
    assert rows["dealer_id"].tolist() == ["A", ""]
    assert rows["declared_destination"].tolist() == ["", "unknown"]
    assert rows["source"].tolist() == ["", ""]
