"""Typing: what people write in a cell, and what the contract makes of it (domain.md section 4 and 14)."""

import json

import pandas as pd
import pytest

from models.catalogue.contract import contract
from models.enums import Severity
from tasks.compute.frames import PROBLEM_DTYPES, lake_dtypes
from tasks.compute.values import Typing, shown, type_table

TYPING = Typing(phone_key=lambda numbers: ("key of " + numbers).astype("str"))


def typed(table, formats=None, typing=TYPING, **columns):
    rows = len(next(iter(columns.values())))
    frame = pd.DataFrame({name: pd.Series(values, dtype="str") for name, values in columns.items()})
    frame["_file"] = pd.Series(["f.csv"] * rows, dtype="str")
    frame["_row"] = range(1, rows + 1)
    return type_table(contract().tables[table], frame, formats or {}, typing)


def one(table, field, value, formats=()):
    frame, problems = typed(table, {field: formats}, **{field: [value]})
    result = frame[field].iloc[0]
    return None if pd.isna(result) else result, list(problems["rule"])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-03", "2026-01-03 00:00:00"),
        ("2026/1/3", "2026-01-03 00:00:00"),
        ("2026.1.3 8:5", "2026-01-03 08:05:00"),
        ("2026-01-03 08:15:00", "2026-01-03 08:15:00"),
        ("2026-01-03T08:15:00", "2026-01-03 08:15:00"),
        ("2026-01-03 08:15:00.250", "2026-01-03 08:15:00.250000"),
        ("20260103", "2026-01-03 00:00:00"),
        ("20260103081500", "2026-01-03 08:15:00"),
        ("2026年1月3日 8时15分", "2026-01-03 08:15:00"),
        ("45678", "2025-01-21 00:00:00"),
        ("45678.34375", "2025-01-21 08:15:00"),
        ("2026-01-03T00:15:00Z", "2026-01-03 08:15:00"),
        ("2026-01-02T19:15:00-05:00", "2026-01-03 08:15:00"),
        ("2026-01-03 08:15:00 +0800", "2026-01-03 08:15:00"),
        ("2026-01-03 00:15:00 UTC", "2026-01-03 08:15:00"),
        ("2026/1/3 下午 3:05", "2026-01-03 15:05:00"),
        ("2026年1月3日 上午8:05:10", "2026-01-03 08:05:10"),
        ("2026/1/3 12:05 AM", "2026-01-03 00:05:00"),
        ("2026/1/3 12:05:30 pm", "2026-01-03 12:05:30"),
        ("2026/1/3 下午 15:05", "2026-01-03 15:05:00"),
        ("２０２６/１/３", "2026-01-03 00:00:00"),
        ("03-JAN-2026", "2026-01-03 00:00:00"),
        ("Jan 3, 2026", "2026-01-03 00:00:00"),
        ("2024-02-29", "2024-02-29 00:00:00"),
        ("1900-01-01", "1900-01-01 00:00:00"),
        ("2099-12-31", "2099-12-31 00:00:00"),
    ],
)
def test_times_are_read_in_every_unambiguous_notation(written, meant):
    assert one("leads", "visited_at", written) == (pd.Timestamp(meant), [])


@pytest.mark.parametrize(
    "written",
    [
        *(
            "1/3/2022",
            "2026-02-30",
            "2026-13-01",
            "12345",
            "昨天",
            "2026-01-03 24:10",
            "2026",
            "2026年1月",
            "3-Jan-26",
            "26/1/3",
        ),
        *("2026/1/3 上午 15:05", "2026-01-03T08:15 9:00", "2026-01-03 08:15 09:15", "43:10.0", "1769000000"),
    ],
)
def test_what_is_no_sure_time_is_a_problem_and_never_a_guess(written):
    assert one("leads", "visited_at", written) == (None, ["bad_date"])


def test_zero_dates_of_databases_are_missing_not_wrong():
    assert one("leads", "visited_at", "0000-00-00 00:00:00") == (None, [])


def test_formats_of_the_mapping_decide_and_are_tried_in_order():
    assert one("leads", "visited_at", "1/3/2022", ["%m/%d/%Y"]) == (pd.Timestamp("2022-01-03"), [])
    assert one("leads", "visited_at", "1/3/2022", ["%d/%m/%Y", "%m/%d/%Y"]) == (pd.Timestamp("2022-03-01"), [])
    assert one("leads", "visited_at", "1/30/2022", ["%d/%m/%Y", "%m/%d/%Y"]) == (pd.Timestamp("2022-01-30"), [])


def test_one_odd_cell_does_not_change_how_the_others_are_read():
    frame, problems = typed("leads", visited_at=["2026-01-03 08:15:00", "2026/1/4", "x", None])
    assert frame["visited_at"].tolist()[:2] == [pd.Timestamp("2026-01-03 08:15:00"), pd.Timestamp("2026-01-04")]
    assert frame["visited_at"].isna().tolist() == [False, False, True, True]
    assert problems["row_number"].tolist() == [3]


def test_a_column_of_unpadded_dates_is_read_as_a_whole():
    written = ["2026/1/3", "2026/11/3 8:05", "2026/1/13 18:05:09", "2026-1-3T9:00", "2026-01-03 08:15:00"]
    frame, problems = typed("leads", visited_at=written)
    meant = ["2026-01-03", "2026-11-03 08:05", "2026-01-13 18:05:09", "2026-01-03 09:00", "2026-01-03 08:15"]
    assert frame["visited_at"].tolist() == [pd.Timestamp(text) for text in meant]
    assert problems.empty


def test_times_of_a_column_are_read_the_same_in_any_company():
    """Days and times of day are read apart; a cell that does not consist of the two is read as if alone."""
    written = [
        "2026/1/3 8:15",
        "2026-01-03 08:15:00 +0800",
        "2026/1/3 3:05 PM",
        "2026/1/4",
        "20260103 0815",
        "x y",
        None,
    ]
    frame, problems = typed("leads", visited_at=written)
    alone = [one("leads", "visited_at", text)[0] for text in written]
    assert [None if pd.isna(value) else value for value in frame["visited_at"]] == alone
    assert alone[:5] == [
        pd.Timestamp(f"2026-01-{day}") for day in ("03 08:15", "03 08:15", "03 15:05", "04", "03 08:15")
    ]
    assert problems["row_number"].tolist() == [6]


def test_dates_lose_their_time_of_day():
    assert one("dealers", "opened_on", "2026-01-03 08:15") == (pd.Timestamp("2026-01-03"), [])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("128800", 128800.0),
        ("128,800", 128800.0),
        ("128，800", 128800.0),
        ("¥128,800.50", 128800.5),
        ("128800元", 128800.0),
        ("12.88万", 128800.0),
        ("12.88 万元", 128800.0),
        ("12.88w", 128800.0),
        ("128800元整", 128800.0),
        ("RMB 128,800", 128800.0),
        ("１２８８００", 128800.0),
        ("1.2e5", 120000.0),
        ("-5", -5.0),
        (".5", 0.5),
    ],
)
def test_numbers_are_read_as_people_write_them(written, meant):
    assert one("leads", "quoted_price", written) == (meant, [])


@pytest.mark.parametrize(
    "written", ["面议", "1,28", "nan", "inf", "12-15万", "1.2.3", "-", "35%", "128.800,00", "12万8"]
)
def test_what_is_no_number_is_emptied_and_said(written):
    assert one("leads", "quoted_price", written) == (None, ["bad_number"])


def test_whole_numbers_may_carry_a_zero_tail_but_no_fraction():
    assert one("leads", "age", "35.0") == (35, [])
    assert one("leads", "age", "35岁") == (35, [])
    assert one("leads", "age", "35.5") == (None, ["bad_number"])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True),
        ("1", True),
        ("是", True),
        ("Y", True),
        ("FALSE", False),
        ("0", False),
        ("否", False),
        ("n", False),
        ("√", True),
        ("✔", True),
        ("×", False),
    ],
)
def test_booleans(written, meant):
    result, rules = one("service_visits", "on_schedule", written)
    assert bool(result) is meant
    assert rules == []


def test_a_required_boolean_that_is_none_sets_the_row_apart():
    _, problems = typed("revisits", reached=["也许"])
    assert problems[["rule", "severity"]].values.tolist() == [["bad_bool", "quarantine"]]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("战败", "defeated"),
        ("成交", "won"),
        ("WON", "won"),
        (" Open ", "open"),
        ("Closed  Lost", "defeated"),
        ("战 败", "defeated"),
    ],
)
def test_closed_words_are_known_by_code_and_spelling(written, code):
    assert one("leads", "status", written) == (code, [])


def test_codes_of_two_words_are_known_in_any_dress():
    for written in ("not_purchased", "Not Purchased", "未购车"):
        assert one("defeats", "destination", written) == ("not_purchased", [])


def test_an_unknown_status_is_quarantined_with_its_nearest_candidates():
    frame, problems = typed("leads", lead_id=["L1"], status=["defeatd"])
    assert frame["status"].isna().all()
    line = problems.iloc[0]
    assert (line["rule"], line["severity"], line["row_key"]) == ("unknown_word", "quarantine", "L1")
    assert json.loads(line["params"]) == {"value": "defeatd", "kind": "status", "candidates": "defeated"}


def test_an_unknown_optional_word_is_emptied_and_only_warned_of():
    _, problems = typed("leads", purchase_type=["第三次"])
    assert problems["severity"].tolist() == [Severity.WARN]


@pytest.mark.parametrize(
    "written",
    [
        "13812345678",
        "+86 138-1234-5678",
        "0086 13812345678",
        "8613812345678",
        "１３８ １２３４ ５６７８",
        "13812345678.0",
        "1.3812345678E+10",
        "8.613812345678e12",
        "（138）12345678",
    ],
)
def test_one_mobile_in_many_dresses_is_one_number(written):
    frame, problems = typed("leads", phone=[written])
    assert frame[["phone", "phone_key"]].values.tolist() == [["+8613812345678", "key of +8613812345678"]]
    assert problems.empty


def test_landlines_and_foreign_numbers_are_numbers():
    frame, problems = typed("leads", phone=["021-62345678", "+44 20 7946 0018"])
    assert frame["phone"].tolist() == ["+862162345678", "+442079460018"]
    assert problems.empty


@pytest.mark.parametrize(
    "written", ["1381234567", "138123456789", "23812345678", "暂无", "00000000000", "1.38E+10", "138****0001"]
)
def test_a_malformed_required_phone_sets_apart_keeps_its_text_and_has_no_key(written):
    frame, problems = typed("leads", phone=[written])
    assert frame["phone"].tolist() == [written]
    assert frame["phone_key"].isna().all()
    assert problems[["rule", "severity", "params"]].values.tolist() == [["malformed_phone", "quarantine", "{}"]]


def test_an_identifier_that_lost_its_digits_is_never_taken_for_one():
    frame, problems = typed(
        "leads", lead_id=["2.0260103E+16", "20260103000123456", "E+16"], consultant_id=["1e+11", "7", "C1"]
    )
    assert problems[["row_number", "column", "rule", "severity"]].values.tolist() == [
        [1, "lead_id", "digits_lost", "quarantine"],
        [1, "consultant_id", "digits_lost", "warn"],
    ]
    assert frame["lead_id"].iloc[0] == "2.0260103E+16", "it names the row that is set apart"
    assert frame["consultant_id"].isna().tolist() == [True, False, False]


def test_a_malformed_optional_phone_is_emptied():
    frame, problems = typed("sales", referrer_phone=["123"])
    assert frame[["referrer_phone", "referrer_phone_key"]].isna().all(axis=None)
    assert problems["severity"].tolist() == ["warn"]


def test_reason_lists_are_joined_in_one_way():
    assert one("revisits", "reason_codes", "price_too_high; Supply_no_stock，process_reception") == (
        "price_too_high;supply_no_stock;process_reception",
        [],
    )


def test_blanks_of_all_kinds_are_trimmed_and_blank_cells_are_missing():
    frame, problems = typed("leads", series=[" 星途\u3000", "\u200b\ufeff远景\u00a0", "\u3000 ", ""])
    assert frame["series"].tolist()[:2] == ["星途", "远景"]
    assert frame["series"].isna().tolist() == [False, False, True, True]
    assert problems.empty


def test_problems_never_quote_a_phone():
    _, problems = typed(
        "leads", visited_at=["电话13812345678"], quoted_price=["13812345678元起"], age=["13812345678.5"]
    )
    assert len(problems) == 3
    assert not problems["params"].str.contains(r"\d{7}").any()
    assert shown("x" * 100) == "x" * 40 + "…"


@pytest.mark.parametrize("table", list(contract().tables))
def test_every_table_has_the_lake_columns_and_dtypes_also_without_rows(table):
    fields = contract().tables[table].fields
    for rows in (0, 2):
        frame, problems = typed(table, **{name: [None] * rows for name in fields})
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == lake_dtypes(contract().tables[table])
        assert problems.dtypes.astype(str).to_dict() == PROBLEM_DTYPES
        assert problems.empty


def test_columns_a_source_lacks_are_there_and_missing():
    frame, _ = typed("leads", lead_id=["L1"])
    assert list(frame) == list(lake_dtypes(contract().tables["leads"]))
    assert frame.drop(columns=["lead_id", "_file", "_row"]).isna().all(axis=None)
