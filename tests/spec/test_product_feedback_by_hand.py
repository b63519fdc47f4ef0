"""What dealers cannot fix, per series and reason, against tables counted by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from models.catalogue.reasons import catalogue
from tasks.compute.price import CASE_DTYPES
from tasks.compute.product_feedback import FEEDBACK_DTYPES, product_feedback

MONTHS, CYCLE = ("2026-09", "2026-10"), "2026-10"


def reasons(*rows):
    columns = ["month", "dealer_id", "region_id", "series", "source", "reason", "used", "leads"]
    full = [
        (month, dealer, "R1", series, "web", reason, used, leads) for month, dealer, series, reason, used, leads in rows
    ]
    return pd.DataFrame(full, columns=columns)


def lost(*rows):
    columns = ["filed_month", "series", "reason", "destination", "competitor_brand", "last_filing"]
    return pd.DataFrame([(*row, True)[:6] for row in rows], columns=columns)


def cases(*rows):
    frame = pd.DataFrame(rows, columns=["cycle", "series", "price_class"])
    return frame.reindex(columns=list(CASE_DTYPES))


def table(sums, defeats=(), split=()):
    found = product_feedback(reasons(*sums), lost(*defeats), cases(*split), MONTHS, CYCLE, catalogue())
    assert dict(found.dtypes.astype(str)) == FEEDBACK_DTYPES
    return found.set_index(["series", "reason"])


SUMS = (
    ("2026-10", "D1", "S5", "", 0, 200),
    ("2026-09", "D2", "S5", "", 0, 100),
    ("2026-10", "D1", "A6", "", 0, 400),
    ("2026-08", "D1", "A6", "", 0, 999),  # before the window
    ("2026-10", "D1", "S5", "product_power", 30, 0),
    ("2026-09", "D2", "S5", "product_power", 15, 0),
    ("2026-10", "D1", "A6", "product_power", 8, 0),
    ("2026-08", "D1", "A6", "product_power", 99, 0),
    ("2026-10", "D1", "S5", "process_follow_up", 50, 0),  # the dealer's
    ("2026-10", "D1", "S5", "customer_funds_not_ready", 50, 0),  # nobody's
)


def test_counts_shares_and_the_other_series():
    found = table(SUMS)
    assert list(found.index) == [("S5", "product_power"), ("A6", "product_power")]
    row = found.loc[("S5", "product_power")]
    assert (row["defeats"], row["leads"], row["other_defeats"], row["other_leads"]) == (45, 300, 8, 400)
    assert (row["share"], row["gap_points"]) == (pytest.approx(0.15), pytest.approx(13.0))
    assert 0.119 < row["lo90"] < 0.15 < row["hi90"] < 0.188
    assert 0 < row["gap_lo90"] < 13 < row["gap_hi90"] < 20
    assert row["q_value"] < 0.001
    assert (row["dealers"], row["owner"]) == (2, "oem_product")


def test_competitors_are_counted_with_and_without_a_brand():
    to = "competitor"
    defeats = [
        *[("2026-10", "S5", "product_power", to, "大众")] * 3,
        ("2026-09", "S5", "product_power", to, "丰田"),
        ("2026-10", "S5", "product_power", to, None),
        ("2026-08", "S5", "product_power", to, "丰田"),
        ("2026-10", "S5", "product_power", "not_purchased", "丰田"),
        ("2026-10", "S5", "product_power", to, "丰田", False),
    ]
    row = table(SUMS, defeats).loc[("S5", "product_power")]
    assert (row["to_competitors"], row["competitors"]) == (5, "大众:3;丰田:1")
    assert table(SUMS, defeats).loc[("A6", "product_power"), "to_competitors"] == 0


def test_the_price_split_stands_beside_the_list_price_even_where_nobody_named_it():
    split = [("2026-10", "S5", "positioned_high"), ("2026-10", "S5", "markup"), ("2026-08", "S5", "positioned_high"),
             ("2026-10", "A6", "excuse")]  # fmt: skip
    found = table(SUMS, (), split)
    row = found.loc[("S5", "price_positioned_high")]
    assert (row["defeats"], row["price_defeats"], row["positioned_high"], row["owner"]) == (0, 2, 1, "oem_pricing")
    assert ("A6", "price_positioned_high") not in found.index


def test_one_series_alone_has_no_difference():
    row = table([row for row in SUMS if row[2] == "S5"]).loc[("S5", "product_power")]
    assert row["other_leads"] == 0
    assert pd.isna([row["gap_points"], row["gap_lo90"], row["q_value"]]).all()


def test_no_leads_is_an_empty_table():
    assert table(()).empty
