"""What was known at a moment, and where the data end (domain.md section 14)."""

from __future__ import annotations

import pandas as pd
import pytest

from models.errors import NotAvailableError
from tasks.compute.known import as_known, end_of_data
from tests.support.filter_tables import frame, tables

MOMENT = pd.Timestamp("2025-03-31 23:59:59")


def lead_then(defeats=(), **lead):
    known = as_known(tables(leads=[{"lead_id": "L1"} | lead], defeats=list(defeats)), MOMENT)
    return known["leads"].iloc[0] if len(known["leads"]) else None


def test_a_lead_created_later_was_not_known():
    assert lead_then(created_at="2025-04-01") is None
    assert lead_then(created_at="2025-03-31 23:59:59", status="open") is not None


@pytest.mark.parametrize(
    "close", [{"status": "won", "ordered_at": "2025-04-02"}, {"status": "defeated", "defeated_at": "2025-04-02"}]
)
def test_a_lead_closed_later_is_open_again_without_later_times(close):
    lead = lead_then(visited_at="2025-03-10", quoted_at="2025-04-01", quoted_price=99.0, **close)
    assert lead["status"] == "open"
    assert lead[["quoted_at", "quoted_price", "ordered_at", "defeated_at"]].isna().all()
    assert lead["visited_at"] == pd.Timestamp("2025-03-10")


def test_an_order_cancelled_later_is_still_won():
    lead = lead_then(status="defeated", ordered_at="2025-03-20", defeated_at="2025-04-20")
    assert (lead["status"], lead["ordered_at"]) == ("won", pd.Timestamp("2025-03-20"))


def test_contacts_counted_later_are_not_known():
    lead = lead_then(status="open", contact_count=7, last_contact_at="2025-04-03")
    assert lead[["contact_count", "last_contact_at"]].isna().all()


def test_an_earlier_filing_stands_until_something_follows_it():
    filings = [{"defeated_at": "2025-03-05"}, {"defeated_at": "2025-04-20"}]
    idle = lead_then(filings, status="defeated", defeated_at="2025-04-20", visited_at="2025-04-10")
    assert (idle["status"], idle["defeated_at"]) == ("defeated", pd.Timestamp("2025-03-05"))
    active = lead_then(filings, status="defeated", defeated_at="2025-04-20", visited_at="2025-03-10")
    assert active["status"] == "open"
    reopened = lead_then(filings[:1], status="open")
    assert reopened["status"] == "open"


def test_later_rows_of_other_tables_are_dropped_and_later_reviews_forgotten():
    known = as_known(
        tables(
            leads=[{"lead_id": "L1", "defeated_at": "2025-03-20"}],
            defeats=[{"reviewed_at": "2025-04-01", "reviewed_by": "经理"}, {"defeated_at": "2025-04-05"}],
            revisits=[{}, {"called_at": "2025-04-02"}],
            sales=[{"sale_id": "V1"}, {"sale_id": "V2", "sold_at": "2025-04-02"}],
        ),
        MOMENT,
    )
    assert {name: len(known[name]) for name in ("defeats", "revisits", "sales")} == dict.fromkeys(
        ("defeats", "revisits", "sales"), 1
    )
    assert known["defeats"][["reviewed_at", "reviewed_by"]].isna().all(axis=None)


def test_an_action_planned_for_later_is_not_executed():
    actions = frame("actions", [{"plan_id": "P", "measure_id": "M", "dealer_id": "A", "executed_on": "2025-05-01"}])
    known = as_known({"actions": actions}, MOMENT)["actions"]
    assert len(known) == 1
    assert known["executed_on"].isna().all()


def test_knowing_the_end_changes_nothing():
    given = tables(
        leads=[{"lead_id": "L1", "defeated_at": "2025-03-20", "contact_count": 2}],
        defeats=[{}],
        sales=[{"sale_id": "V"}],
    )
    known = as_known(given, end_of_data(given))
    for name, rows in given.items():
        pd.testing.assert_frame_equal(known[name], rows)


def leads_per_month(counts: dict[str, int]) -> dict[str, pd.DataFrame]:
    days = [f"{month}-{1 + row % 28:02d} 09:00" for month, rows in counts.items() for row in range(rows)]
    return tables(leads=[{"lead_id": str(row), "created_at": day, "status": "open"} for row, day in enumerate(days)])


@pytest.mark.parametrize(
    ("counts", "end"),
    [
        ({"2025-01": 30, "2025-02": 30, "2025-03": 30}, "2025-03-28 23:59:59"),
        ({"1900-01": 2, "2025-01": 30, "2025-02": 30, "2099-12": 3}, "2025-02-28 23:59:59"),
        ({"2025-01": 100, "2025-02": 100, "2025-03": 4}, "2025-03-04 23:59:59"),  # under 5 %, but running on
        ({"2025-01": 2000, "2025-02": 2000, "2025-03": 4}, "2025-02-28 23:59:59"),  # strays of a large network
        ({"2025-01": 100, "2025-02": 100, "2025-04": 4}, "2025-02-28 23:59:59"),  # under 5 %, apart
        ({"2025-01": 100, "2025-02": 100, "2025-03": 5}, "2025-03-05 23:59:59"),
        ({"2025-01": 1, "2025-03": 1, "2025-06": 1}, "2025-06-01 23:59:59"),  # a few rows with gaps
    ],
)
def test_the_data_end_with_their_body(counts, end):
    assert end_of_data(leads_per_month(counts)) == pd.Timestamp(end)


def test_sales_after_the_last_filings_extend_the_data_but_not_by_years():
    leads = [{"lead_id": str(day), "created_at": f"2025-03-{day:02d}", "status": "open"} for day in range(1, 29)]
    near = tables(leads=leads, sales=[{"sale_id": "V1", "sold_at": "2025-05-10"}])
    far = tables(leads=leads, sales=[{"sale_id": "V1", "sold_at": "2027-05-10"}])
    assert end_of_data(near) == pd.Timestamp("2025-05-10 23:59:59")
    assert end_of_data(far) == pd.Timestamp("2025-03-28 23:59:59")


def test_data_without_any_time_say_so():
    with pytest.raises(NotAvailableError) as error:
        end_of_data(tables())
    assert error.value.key == "filter.no_dates"
