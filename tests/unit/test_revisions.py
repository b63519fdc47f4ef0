"""Months judged before and changed since: found by dealer and month, told beside the verdict from the limit on."""

import pandas as pd
import pytest

from models.messages import LOCALES
from reports.verdicts import notes
from tasks.compute.learning.revisions import NOTE, judged_counts, revisions, told

MONTHS = ["2026-08", "2026-09", "2026-10"]


def counts(**by_dealer):
    rows = [
        (dealer, "R", month, "a", n, x)
        for dealer, months in by_dealer.items()
        for month, (n, x) in enumerate(months, 1)
        if n
    ]
    return pd.DataFrame(rows, columns=["dealer_id", "region_id", "month", "cell", "n", "x"])


def compared(then, now):
    judged = judged_counts({"close_rate": then}, {"close_rate": ["D1"]}, MONTHS)
    return revisions({"2026-10": judged}, {"close_rate": now}, MONTHS)


THEN = counts(D1=[(100, 10), (0, 0), (80, 8)], D2=[(50, 5), (50, 5), (50, 5)])


def test_the_same_counts_are_no_revision_whatever_others_do():
    assert compared(THEN, THEN).empty
    assert compared(THEN, counts(D1=[(100, 10), (0, 0), (80, 8)], D2=[(1, 0), (1, 0), (1, 0)])).empty


@pytest.mark.parametrize(
    ("now", "months", "cases", "noted"),
    [
        ([(100, 10), (0, 0), (95, 9)], 1, 15, True),  # leads that came later
        ([(100, 10), (40, 4), (80, 8)], 1, 40, True),  # a month nobody had
        ([(90, 10), (0, 0), (90, 8)], 2, 20, True),  # moved between months: the sum is the same
        ([(100, 18), (0, 0), (80, 8)], 1, 8, True),  # other outcomes
        ([(100, 10), (0, 0), (81, 8)], 1, 1, False),  # a single late row
        ([(0, 0), (0, 0), (80, 8)], 1, 100, True),  # rows that are gone
    ],
)
def test_a_revision_is_counted_by_month_and_case(now, months, cases, noted):
    (row,) = compared(THEN, counts(D1=now)).to_dict("records")
    assert (row["indicator"], row["dealer_id"], row["judged_in"]) == ("close_rate", "D1", "2026-10")
    assert (row["months"], row["months_changed"], row["cases_changed"], row["noted"]) == (3, months, cases, noted)
    assert row["cases_then"] == 180
    assert row["cases_now"] == sum(n for n, _ in now)


def test_an_indicator_that_is_no_longer_read_is_not_compared():
    judged = judged_counts({"close_rate": THEN}, {"close_rate": ["D1"]}, MONTHS)
    assert revisions({"2026-10": judged}, {}, MONTHS).empty
    assert revisions({}, {"close_rate": THEN}, MONTHS).empty


def test_the_next_look_says_how_much_changed():
    revised = compared(THEN, counts(D1=[(100, 10), (40, 4), (95, 9)]))
    looks = pd.DataFrame({"dealer_id": ["D1", "D2"], "notes": ["judge.note.repeated", ""]})
    first, second = told(looks, revised, "close_rate").to_dict("records")
    assert first["notes"] == f"judge.note.repeated;{NOTE}"
    assert (first["revised_months"], first["revised_cases"]) == (2, 55)
    for locale in LOCALES:
        assert "55" in notes(first, locale)[1]
    assert second["notes"] == ""
    assert pd.isna(second["revised_months"])
    assert told(looks, revised, "lead_to_visit")["notes"].tolist() == looks["notes"].tolist()
