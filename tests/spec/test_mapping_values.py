"""How a field gets its value: each line of the table is one sentence of docs/mapping.md."""

import pytest

from models.errors import MappingError
from tests.support.mapping_cases import apply, field

A = [{"a": " Won ", "b": "2"}, {"a": "", "b": "NA"}, {"a": "lost", "b": "3.0"}]
STAGES = [{"s1": "dear", "s2": "", "s3": ""}, {"s1": "", "s2": "late", "s3": ""}, {"s1": "", "s2": "", "s3": ""}]

CASES = [
    ("a bare text is a column, trimmed, blank is missing", '"a"', A, ["Won", None, "lost"]),
    ("alternative names: the one the file has", '["zzz", "b"]', A, ["2", "NA", "3.0"]),
    ("headers match without case and spaces", '" A "', A, ["Won", None, "lost"]),
    ("na texts of one column", '{ column = "b", na = ["NA"] }', A, ["2", None, "3.0"]),
    ("no trimming where asked", '{ column = "a", trim = false }', A, [" Won ", None, "lost"]),
    ("optional column that is missing", '{ column = "zzz", optional = true }', A, [None, None, None]),
    ("constant", '{ constant = "x" }', A, ["x", "x", "x"]),
    ("a number as constant", "{ constant = 7 }", A, ["7", "7", "7"]),
    ("absent stays blank", "{ absent = true }", A, [None, None, None]),
    ("default fills blanks", '{ column = "a", default = "open" }', A, ["Won", "open", "lost"]),
    (
        "dictionary: case and spaces do not matter",
        '{ column = "a", values = { WON = "won" } }',
        A,
        ["won", None, "lost"],
    ),
    ("exact dictionary", '{ column = "a", match = "exact", values = { WON = "won" } }', A, ["Won", None, "lost"]),
    ("otherwise blank", '{ column = "a", values = { won = "1" }, otherwise = "blank" }', A, ["1", None, None]),
    ("a dictionary may blank a value", '{ column = "a", values = { won = "" } }', A, [None, None, "lost"]),
    ("Excel's 3.0 is 3", '{ column = "b", values = { 3 = "three" } }', A, ["2", "NA", "three"]),
    ("coalesce", '{ coalesce = ["s1", "s2", "s3"] }', STAGES, ["dear", "late", None]),
    (
        "which column",
        '{ which = ["s1", "s2"], values = { s1 = "visit", s2 = "drive" } }',
        STAGES,
        ["visit", "drive", None],
    ),
    ("template is blank if a piece is", '{ template = "{a}-{b}!" }', A, ["Won-2!", None, "lost-3.0!"]),
    ("row number as id", '{ template = "R{_row}" }', A, ["R1", "R2", "R3"]),
    ("concat joins what is there", '{ concat = ["a", "b"], separator = "/" }', A, ["Won/2", "NA", "lost/3.0"]),
    ("case", '{ column = "a", case = "upper" }', A, ["WON", None, "LOST"]),
    ("extract a group, no match is blank", '{ column = "a", extract = "^(W.)" }', A, ["Wo", None, None]),
    ("replace", '{ column = "a", replace = [{ pattern = "o", by = "0" }] }', A, ["W0n", None, "l0st"]),
    ("scale, what is no number stays", '{ column = "b", scale = { from = [1, 5], to = [1, 9] } }', A, ["3", "NA", "5"]),
    (
        "outside a scale stays outside",
        '{ column = "b", scale = { from = [0, 1], to = [0, 10] }, na = ["NA"] }',
        A,
        ["20", None, "30"],
    ),
    ("age from year of birth", '{ column = "b", multiply = -1, add = 2021, na = ["NA"] }', A, ["2019", None, "2018"]),
    ("round", '{ column = "b", multiply = 0.333, round = 1, na = ["NA"] }', A, ["0.7", None, "1"]),
    ("only where a condition holds", '{ column = "b", when = { column = "a", is = "won" } }', A, ["2", None, None]),
    (
        "default only where it holds",
        '{ column = "a", default = "?", when = { column = "b", is = "NA" } }',
        A,
        [None, "?", None],
    ),
]


@pytest.mark.parametrize(("sentence", "value", "rows", "expected"), CASES, ids=[case[0] for case in CASES])
def test_value(sentence, value, rows, expected):
    assert field(value, rows) == expected


def test_numbers_written_the_german_way():
    rows = [{"p": "1.234,50"}, {"p": "99"}, {"p": "n/a"}]
    value = '{ column = "p", number = { decimal = ",", thousands = "." } }'
    assert field(value, rows) == ["1234.5", "99", "n/a"]


CONDITIONS = [
    ('{ column = "a", is = "WON" }', [True, False, False]),
    ('{ column = "a", in = ["won", "lost"] }', [True, False, True]),
    ('{ column = "a", not_in = ["won"] }', [False, False, True]),
    ('{ column = "a", present = false }', [False, True, False]),
    ('{ column = "a", pattern = "^l" }', [False, False, True]),
    ('{ column = "b", min = 3 }', [False, False, True]),
    ('{ column = "b", min = 1, max = 2 }', [True, False, False]),
    ('[{ column = "b", min = 1 }, { column = "a", is = "lost" }]', [False, False, True]),
    ('{ any = [{ column = "a", is = "won" }, { column = "a", present = false }] }', [True, True, False]),
    ('{ column = "b", is = 2, any = [{ column = "a", is = "lost" }] }', [False, False, False]),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS)
def test_condition(condition, expected):
    value = f'{{ rules = [{{ when = {condition}, value = "yes" }}], default = "no" }}'
    assert [cell == "yes" for cell in field(value, A)] == expected


def test_the_first_rule_that_holds_decides_and_may_take_a_column():
    value = """{ rules = [
        { when = { column = "a", is = "won" }, column = "b" },
        { when = { column = "a", present = true }, value = "filled" },
    ] }"""
    assert field(value, A) == ["2", None, "filled"]


def test_a_missing_column_names_input_column_and_nearest():
    with pytest.raises(MappingError) as error:
        field('"trim_leval"', [{"trim_level": "x", "other": "y"}])
    assert "trim_leval" in error.value.text("en")
    assert "trim_level" in error.value.text("zh_CN")


def test_na_of_the_input_counts_for_every_column():
    text = """
        [inputs.data]
        files = "data.csv"
        na = ["NA", "-"]
        [[tables.leads]]
        from = "data"
        fields = { lead_id = "a", series = "b" }
    """
    leads = apply(text, data=[{"a": "1", "b": "NA"}, {"a": "-", "b": "x"}]).tables["leads"]
    assert leads["series"].isna().tolist() == [True, False]
    assert leads["lead_id"].isna().tolist() == [False, True]


def test_labels_of_the_reason_standard_become_codes():
    value = '{ column = "r", values = { "too dear" = "price_too_high" } }'
    rows = [{"r": "动力不足"}, {"r": "Too Dear"}, {"r": "blue moon"}]
    assert field(value, rows, name="reason_code", table="defeats") == ["product_power", "price_too_high", "blue moon"]
