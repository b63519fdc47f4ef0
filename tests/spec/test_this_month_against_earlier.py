"""Guards against the months before: planted changes are found, an ordinary month is left alone, nothing is assumed."""

import json
from datetime import datetime

import pytest
from support.quality_frames import outcome, rows_of, typed

from expectations import masks, months, texts
from expectations.rules import Action, rules
from expectations.runner import CheckContext, run_suites
from models.messages import LOCALES

MONTHS = range(1, 8)
DEALERS = ("D1", "D2", "D3")
EACH = 40  # leads per dealer and month


def network(change=None, *, last=7, dealers=DEALERS):
    """An even network of leads; ``change`` edits (a copy of) the row of July or leaves it out by None."""
    made = []
    for month in MONTHS[:last]:
        for dealer in dealers:
            for number in range(EACH):
                row = {
                    "dealer_id": dealer,
                    "created_at": f"2025-{month:02d}-{1 + number % 28:02d}",
                    "source": ("web", "walk_in", "fair")[number % 3],
                    "age": 30 + (number * 7 + month) % 20,
                    "budget": 100_000.0 + 1_000 * ((number + month) % 11),
                    "city": "Jinan" if number % 2 else None,
                }
                row = change(row) if change is not None and month == last else row
                made += [] if row is None else [row]
    return made


def guarded(rows, month="2025-07", as_of=datetime(2025, 8, 5), absent=None):
    frames = {
        "dealers": typed("dealers", rows_of("dealers", *({"dealer_id": dealer} for dealer in DEALERS))),
        "leads": typed("leads", rows_of("leads", *rows)),
    }
    return run_suites(frames, CheckContext(as_of, absent=absent or {}, month=month))


def moved(result):
    """Guards that failed: rule and column."""
    told = result.expectations().query("action == 'tell' and outcome == 'failed'")
    return set(zip(told["rule"], told["column"], strict=True))


def set_to(**cells):
    return lambda row: {**row, **cells}


def test_an_ordinary_month_is_left_alone():
    result = guarded(network())
    assert moved(result) == set()
    asked = set(result.expectations().query("action == 'tell' and outcome == 'passed'")["rule"])
    assert asked == set(months.RULES) - {months.STILL_FILLED}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda row: row if row["created_at"] < "2025-07-10" else None, {(months.ROWS, "")}),
        (set_to(age=None), {(months.STILL_FILLED, "age")}),
        (set_to(city=None), {(months.STILL_FILLED, "city")}),
        (set_to(city="Jinan"), {(months.FILLED, "city")}),
        (lambda row: row | {"budget": row["budget"] / 10_000}, {(months.MEDIAN, "budget")}),
        (set_to(source="web"), {(months.VARIED, "source")}),
        (lambda row: row | {"source": row["source"].replace("fair", "douyin")}, {(months.WORDS, "source")}),
        (set_to(age=33), {(months.VARIED, "age"), (months.MEDIAN, "age")}),
        (lambda row: None if row["dealer_id"] == "D3" else row, {(months.DEALER_ROWS, "dealer_id")}),
    ],
    ids=["half a month", "vanished", "vanished half", "filled", "unit", "constant", "new word", "default", "no dealer"],
)
def test_a_planted_change_is_found_and_nothing_else(change, found):
    result = guarded(network(change))
    assert moved(result) == found
    assert (result.tables["leads"].fate == 0).all(), "no row is set apart for it"
    assert not set(result.problems()["rule"]) & set(months.RULES)


def test_a_dealer_with_three_times_its_rows_is_told_for_itself():
    rows = network() + [row for row in network() if row["created_at"] >= "2025-07" and row["dealer_id"] == "D2"] * 3
    told = guarded(rows).per_dealer().query("rule == 'dealer_rows_as_before'").set_index("dealer_id")
    assert told["checked"].to_dict() == dict.fromkeys(DEALERS, 1)
    assert told["failed"].to_dict() == {"D1": 0, "D2": 1, "D3": 0}


def test_a_new_dealer_is_not_compared():
    rows = [row for row in network() if row["dealer_id"] != "D3" or row["created_at"] >= "2025-06"]
    told = guarded(rows).per_dealer().query("rule == 'dealer_rows_as_before'")
    assert set(told["dealer_id"]) == {"D1", "D2"}


def test_a_single_row_with_a_new_word_is_not_told():
    rows = network()
    rows[-1] = rows[-1] | {"source": "typo"}
    assert moved(guarded(rows)) == set()


@pytest.mark.parametrize(
    ("rows", "month", "as_of", "note"),
    [
        (network(last=3), "2025-03", datetime(2025, 4, 5), "no_history"),
        (network(last=1), "2025-01", datetime(2025, 2, 5), "no_history"),
        (network(), "2025-07", datetime(2025, 7, 20), "month_not_over"),
        ([], "2025-07", datetime(2025, 8, 5), "no_history"),
    ],
    ids=["two months before", "first month", "month under way", "no rows"],
)
def test_without_enough_to_compare_with_nothing_passes(rows, month, as_of, note):
    result = guarded(rows, month, as_of)
    for rule in ("leads.rows_as_before", "leads.dealer_rows_as_before.dealer_id"):
        assert outcome(result, rule) == ("not_checked", note)
    assert moved(result) == set()


def test_a_month_over_but_for_its_last_days_is_compared():
    assert outcome(guarded(network(), as_of=datetime(2025, 7, 28)), "leads.rows_as_before") == ("passed", "")


def test_fields_declared_absent_are_not_asked_for():
    result = guarded(network(set_to(age=None)), absent={"leads": frozenset({"age"})})
    assert moved(result) == set()


def test_a_month_without_any_row_is_told():
    assert (months.ROWS, "") in moved(guarded(network(lambda row: None)))


def test_two_answers_that_differ_stop_the_run(monkeypatch):
    monkeypatch.setattr(masks, "keeps", lambda *_: True)
    with pytest.raises(months.AnswersDifferError):
        guarded(network(set_to(age=None)))


def test_it_is_said_in_words_without_anything_personal():
    phones = network(lambda row: row | {"source": "13800000001", "budget": row["budget"] / 10_000})
    told = guarded(phones).expectations().query("action == 'tell' and outcome == 'failed'")
    for locale in LOCALES:
        said = [
            texts.wrong(row.rule, row.table, row.column, json.loads(row.params), locale) for row in told.itertuples()
        ]
        assert not any("1380000" in sentence or "—" in sentence or "{" in sentence for sentence in said)
        assert any("10.50" in sentence and "2025-07" in sentence for sentence in said), said


def test_guards_only_tell_and_cost_nothing():
    assert {rules()[rule].action for rule in months.RULES} == {Action.TELL}
    assert all(rules()[rule].fixed for rule in months.RULES)
