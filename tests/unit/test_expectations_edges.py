"""Nothing passes by default: empty tables, empty columns, absent fields, wrong types; and rules over several rows."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from support.quality_frames import AS_OF, DEFEATED, WON, check, found, outcome, rows_of, typed

from expectations import masks, runner, texts
from expectations.standard import reach_of_data
from expectations.view import UNASSIGNED


def test_an_empty_table_passes_nothing():
    result = check(leads=typed("leads", []))
    verdicts = result.expectations()
    assert set(verdicts.loc[verdicts["table"] == "leads", "outcome"]) == {"failed", "not_checked"}
    assert outcome(result, "leads.empty_table") == ("failed", "")
    assert result.tables["leads"].blocked


def test_an_empty_column_is_not_checked_unless_it_is_required():
    result = check(leads=rows_of("leads", {"source": None, "series": None}, {"source": None, "series": None}))
    assert outcome(result, "leads.missing_expected.source") == ("not_checked", "all_null")
    assert outcome(result, "leads.age_out_of_range.age") == ("not_checked", "all_null")
    assert found(result, "leads", "missing_required") == [1, 2]


def test_a_source_without_phones_does_not_lose_every_row():
    result = check(leads=rows_of("leads", {"phone_key": None}, {"phone_key": None}))
    assert outcome(result, "leads.missing_required.phone_key") == ("not_checked", "all_null")
    assert outcome(result, "leads.same_customer_again.phone") == ("not_checked", "all_null")
    assert (result.tables["leads"].fate == 0).all()


def test_a_field_declared_absent_is_not_held_against_rows():
    rows = rows_of("leads", {"series": None}, {"series": "S1"})
    assert outcome(check(leads=rows), "leads.missing_required.series")[0] == "failed"
    result = check(leads=rows, absent={"leads": frozenset({"series"})})
    assert outcome(result, "leads.missing_required.series") == ("not_checked", "absent")
    assert (result.tables["leads"].fate == 0).all()


def test_a_missing_column_is_an_error_and_stops_nothing_else():
    frame = typed("leads", rows_of("leads", {"age": 300}, {"age": 30})).drop(columns=["budget", "purchase_type"])
    result = check(leads=frame)
    assert outcome(result, "leads.non_positive_price.budget")[0] == "error"
    assert outcome(result, "leads.unknown_code.purchase_type")[0] == "error"
    assert found(result, "leads", "age_out_of_range") == [1]


def test_a_wrong_type_is_an_error_and_stops_nothing_else():
    frame = typed("leads", rows_of("leads", {}, {"contact_count": -1}))
    frame = frame.assign(age=pd.Series(["old", "young"], dtype="str").astype(object), visited_at=["x", "y"])
    result = check(leads=frame)
    assert outcome(result, "leads.age_out_of_range.age")[0] == "error"
    assert outcome(result, "leads.impossible_date.visited_at")[0] == "error"
    assert found(result, "leads", "out_of_range") == [2]


def test_all_rows_bad_is_a_clear_outcome():
    result = check(leads=rows_of("leads", *({"status": "won"} for _ in range(50))))
    assert (result.tables["leads"].fate == 1).all()
    assert len(result.tables["leads"].accepted()) == 0
    assert found(result, "leads", "status_against_times") == list(range(1, 51))


def test_counts_that_disagree_stop_the_run(monkeypatch):
    monkeypatch.setattr(masks, "failing", lambda _, frame: np.zeros(len(frame), bool))
    with pytest.raises(runner.CountsDisagreeError, match="status_against_times"):
        check(leads=rows_of("leads", {"status": "won"}, {}))


def test_every_copy_of_a_duplicate_id_is_set_apart():
    result = check(leads=rows_of("leads", {"lead_id": "X"}, {}, {"lead_id": "X"}))
    assert found(result, "leads", "duplicate_id") == [1, 3]
    assert result.tables["leads"].fate.tolist() == [1, 0, 1]


def test_filings_are_unique_by_lead_and_time():
    leads = rows_of("leads", {**DEFEATED, "lead_id": "X"})
    again = {"lead_id": "X", "defeated_at": "2025-03-21"}
    filings = rows_of("defeats", {"lead_id": "X"}, {"lead_id": "X"}, again)
    assert found(check(leads=leads, defeats=filings), "defeats", "duplicate_id") == [1, 2]


def test_the_same_customer_again_at_the_same_dealer_within_days():
    later = {"phone_key": "P", "created_at": "2025-03-10 10:00"}
    rows = rows_of(
        "leads",
        {"phone_key": "P"},
        later,
        {**later, "dealer_id": "D2"},
        {"phone_key": "P", "created_at": "2025-03-18"},
        {"phone_key": "Q"},
    )
    result = check(dealers=rows_of("dealers", {}, {"dealer_id": "D2"}), leads=rows)
    assert found(result, "leads", "same_customer_again") == [2]


def test_what_hangs_on_a_lead_set_apart_waits_and_counts_for_its_dealer():
    leads = rows_of("leads", {"status": "won", "lead_id": "BAD"}, {**DEFEATED, "lead_id": "OK"})
    filings = rows_of("defeats", {"lead_id": "BAD"}, {"lead_id": "OK"}, {"lead_id": "AWAY"}, {"lead_id": "GONE"})
    result = check(leads=leads, defeats=filings, waiting={"AWAY": "D1"})
    assert result.tables["defeats"].fate.tolist() == [2, 0, 2, 1]
    assert result.dealers.take(result.tables["defeats"].dealer).tolist() == ["D1", "D1", "D1", UNASSIGNED]
    assert found(result, "defeats", "held_with_lead") == [1, 3]


def test_a_dealer_set_apart_is_unknown_to_its_leads():
    dealers = rows_of("dealers", {}, {"dealer_id": "D2", "region_id": None})
    result = check(dealers=dealers, leads=rows_of("leads", {"dealer_id": "D2"}, {}))
    assert found(result, "leads", "unknown_dealer") == [1]
    assert UNASSIGNED in result.problems().query("table == 'dealers'")["dealer_id"].tolist()


def test_wrong_cells_are_emptied_and_known_reasons_kept():
    leads = rows_of("leads", {**DEFEATED, "age": 300, "budget": -1.0, "lead_id": "X"})
    calls = rows_of(
        "revisits", {"lead_id": "X", "reason_codes": "price;moon"}, {"lead_id": "X", "reason_codes": "moon"}
    )
    calls[1]["called_at"] = "2025-03-23"
    result = check(leads=leads, defeats=rows_of("defeats", {"lead_id": "X"}), revisits=calls)
    lead = result.tables["leads"].accepted().iloc[0]
    assert pd.isna(lead["age"])
    assert pd.isna(lead["budget"])
    reasons = result.tables["revisits"].accepted()["reason_codes"]
    assert reasons.iloc[0] == "price"
    assert pd.isna(reasons.iloc[1])
    assert result.tables["leads"].frame["age"].iloc[0] == 300, "what was received is left as it was"


def test_future_means_after_the_data_and_after_as_of():
    months = [f"2025-{month:02d}-{day:02d}" for month in range(1, 12) for day in range(1, 29)]
    rows = rows_of("leads", *({"created_at": day} for day in months), {"created_at": "2027-01-01"})
    early = check(as_of=datetime(2025, 3, 31), leads=rows)
    assert early.horizon == datetime(2025, 11, 28, 23, 59, 59, 999999)
    assert found(early, "leads", "impossible_date") == [len(rows)]
    assert found(check(as_of=datetime(2027, 2, 1), leads=rows), "leads", "impossible_date") == []


@pytest.mark.parametrize(
    ("strays", "moved"),
    [
        ([], 0),
        (["2099-01-01"] * 30, 0),
        ([f"2026-{month:02d}-15" for month in range(2, 13)] * 2, 0),
        (["2025-12-03"], 3),
    ],
    ids=["none", "one day in 2099", "spread over a year", "a month just begun"],
)
def test_stray_dates_do_not_move_the_end(strays, moved):
    days = pd.date_range("2025-01-01", "2025-11-30").repeat(9)
    created = pd.Series([*days, *pd.to_datetime(strays)]).astype("datetime64[us]")
    end = reach_of_data({"leads": pd.DataFrame({"created_at": created})})
    assert end == datetime(2025, 12, 1) + timedelta(days=moved) - timedelta(microseconds=1)


def test_without_dates_there_is_no_end():
    assert reach_of_data({"leads": typed("leads", [])}) is None


def test_a_problem_is_said_in_both_languages_with_the_columns_label():
    result = check(leads=rows_of("leads", {"age": 300}, {"age": 30}))
    problem = result.problems()
    assert texts.sentences(problem, "zh_CN").tolist() == ["「年龄」为 300，不在 16 至 100 岁之间，该值已清空"]
    assert texts.sentences(problem, "en").tolist() == ["age is 300, not between 16 and 100; the cell was emptied"]


def test_values_that_may_be_personal_are_not_repeated():
    phone = {"purchase_type": "13800000001"}
    result = check(leads=rows_of("leads", phone, {"purchase_type": "first"}))
    assert "13800000001" not in result.problems()["params"].iloc[0]
    assert "—" in texts.wrong("age_out_of_range", "leads", "age", {}, "en"), "what is not known is a dash"


def test_a_date_alone_may_be_any_moment_of_its_day():
    same_day = {**WON, "created_at": "2025-03-20 17:00", "ordered_at": "2025-03-20"}
    assert found(check(as_of=AS_OF, leads=rows_of("leads", same_day)), "leads", "ordered_before_created") == []
