"""Scores that explain themselves, gates, and rows accounted for without a lake."""

import pandas as pd
import pytest
from support.quality_frames import check, rows_of

from expectations.accounting import Reading, RowsLostError, conserve, failures, ledger
from expectations.problems import no_problems
from expectations.rules import Dimension
from expectations.scoring import QUALITY_COLUMNS, GateLimits, gate_counts, score, weights, with_signals
from expectations.view import UNASSIGNED

LIMITS = GateLimits(60.0, 85.0)
COUNTS = ["table", "source_file", "dealer_id", "rows", "received", "exact_duplicate", "replaced", "unreadable"]


def counts(*rows):
    return pd.DataFrame(rows, columns=COUNTS)


def scored(result, reading=None):
    reading = reading or Reading(no_problems(), counts(), {})
    return score("2025-03", ledger(result, reading), failures(result, reading), result.expectations(), LIMITS)


def signals(*rows):
    """Dealer, signal, rows looked at, with the sign, expected, flagged; as ``Signals.found``."""
    columns = ["dealer_id", "signal", "rows", "evidence_rows", "expected_rows", "flagged"]
    frame = pd.DataFrame(rows, columns=columns).astype({"dealer_id": "str", "signal": "str", "flagged": "boolean"})
    return frame.astype({"rows": "int64", "evidence_rows": "int64", "expected_rows": "float64"})


def network(bad_share):
    """D1 spotless, D2 with this share of its 100 leads against their times, D3 without a lead."""
    dealers = rows_of("dealers", *({"dealer_id": name} for name in ("D1", "D2", "D3")))
    rows = [{"dealer_id": "D1"} for _ in range(100)]
    rows += [
        {"dealer_id": "D2", **({"status": "won"} if number < round(bad_share * 100) else {})} for number in range(100)
    ]
    return check(dealers=dealers, leads=rows_of("leads", *rows))


def test_points_lost_add_up_to_what_is_missing():
    scores = scored(network(0.10))
    line = scores.quality.set_index("dealer_id").loc["D2"]
    lost = scores.losses.query("dealer_id == 'D2'")
    assert line["score"] == pytest.approx(80.0)
    assert lost["points"].sum() == pytest.approx(100 - line["score"])
    assert lost["rule"].tolist() == ["status_against_times"]
    assert lost["failed"].tolist() == [10]
    assert line["consistency"] == pytest.approx(80.0)
    assert line["validity"] == 100.0


@pytest.mark.parametrize(
    ("share", "gate"),
    [(0.0, "pass"), (0.07, "pass"), (0.08, "warn"), (0.20, "warn"), (0.21, "fail"), (1.0, "fail")],
)
def test_gate(share, gate):
    quality = scored(network(share)).quality.set_index("dealer_id")
    assert quality.loc["D2", "gate"] == gate
    assert quality.loc["D1", "gate"] == "pass"
    assert 0 <= quality.loc["D2", "score"] <= 100


def test_a_dealer_that_sent_nothing_has_no_score_and_fails():
    quality = scored(network(0.0)).quality.set_index("dealer_id")
    assert pd.isna(quality.loc["D3", "score"])
    assert quality.loc["D3", "gate"] == "fail"


def test_what_was_not_looked_at_is_empty_not_full_marks():
    quality = scored(network(0.0)).quality
    assert tuple(quality.columns) == QUALITY_COLUMNS
    assert quality[Dimension.AUTHENTICITY.value].isna().all()
    assert quality[Dimension.TIMELINESS.value].isna().all(), "no filings, no lateness"


def test_rows_without_a_known_dealer_are_nobodys_and_fail():
    result = check(leads=rows_of("leads", {"dealer_id": "D9"}, {"dealer_id": None}, {}))
    scores = scored(result)
    line = scores.quality.set_index("dealer_id").loc[UNASSIGNED]
    assert (line["rows"], line["quarantined"], line["gate"]) == (2, 2, "fail")
    assert gate_counts(scores.quality) == {"pass": 1, "warn": 0, "fail": 0}


def test_a_row_counts_once_however_many_rules_it_breaks():
    result = check(leads=rows_of("leads", {"status": "won", "series": None, "created_at": "1990-01-01"}, {}))
    line = scored(result).quality.set_index("dealer_id").loc["D1"]
    assert (line["rows"], line["quarantined"], line["accepted"]) == (3, 1, 2)


def test_warned_counts_accepted_rows_once():
    rows = rows_of("leads", {"age": 300, "budget": -1.0, "source": None}, {"age": 300, "status": "won"}, {"age": 30})
    assert scored(check(leads=rows)).quality.set_index("dealer_id").loc["D1", "warned"] == 1


def test_one_slip_among_few_rows_is_not_a_catastrophe():
    leads = rows_of("leads", {}, {}, {"status": "won"})
    quality = scored(check(leads=leads)).quality.set_index("dealer_id")
    assert quality.loc["D1", "score"] == pytest.approx(90.0)


def test_rows_dropped_at_reading_are_accounted_for():
    result = check(leads=rows_of("leads", {}, {}))
    apart = check(leads=rows_of("leads", {"dealer_id": "D1", "_file": "leads.csv"})).tables["leads"].frame
    read = counts(
        ("leads", "leads.csv", "D1", 6, 3, 1, 2, 0),
        ("leads", "leads.csv", UNASSIGNED, 1, 0, 0, 0, 1),
        ("dealers", "dealers.csv", "D1", 1, 1, 0, 0, 0),
    )
    reading = Reading(no_problems(), read, {"leads": apart})
    accounts = ledger(result, reading)
    conserve(accounts, read)
    line = accounts.query("table == 'leads'").set_index("dealer_id")
    assert line.loc["D1", ["rows", "accepted", "quarantined", "duplicates"]].tolist() == [5, 2, 1, 2]
    assert line.loc[UNASSIGNED, ["rows", "quarantined", "duplicates"]].tolist() == [2, 1, 1]


def test_a_lost_row_stops_the_check():
    result = check(leads=rows_of("leads", {}, {}))
    read = counts(("leads", "leads.csv", "D1", 3, 3, 0, 0, 0), ("dealers", "dealers.csv", "D1", 1, 1, 0, 0, 0))
    with pytest.raises(RowsLostError, match=r"leads\.csv"):
        conserve(ledger(result, Reading(no_problems(), read, {})), read)


def test_signals_cost_points_by_the_rows_beyond_what_peers_show():
    found = signals(
        ("D2", "shared_phone", 100, 30, 5.0, True), ("D2", "one_reason", 50, 12, 2.0, True),
        ("D2", "no_contact", 100, 9, 8.0, False), ("D1", "shared_phone", 100, 3, 5.0, False),
    )  # fmt: skip
    scores = with_signals(scored(network(0.10)), found, LIMITS)
    quality = scores.quality.set_index("dealer_id")
    assert quality.loc["D2", "authenticity"] == pytest.approx(100 - 20 * 25 / 100 - 20 * 10 / 50)
    assert quality.loc["D2", "score"] == pytest.approx(80 - 5 - 4)
    assert quality.loc["D1", ["authenticity", "score"]].tolist() == [100.0, 100.0]
    assert pd.isna(quality.loc["D3", "authenticity"]), "no rows, nothing tested"
    lost = scores.losses[scores.losses["dealer_id"] == "D2"]
    assert lost["points"].sum() == pytest.approx(100 - quality.loc["D2", "score"])
    assert lost.loc[lost["table"] == "signals", ["rule", "failed", "rows"]].values.tolist() == [
        ["shared_phone", 30, 100],
        ["one_reason", 12, 50],
    ]


def test_signals_alone_never_fail_a_dealer_whose_rows_are_in_order():
    found = signals(*(("D1", f"sign{number}", 100, 100, 0.0, True) for number in range(15)))
    before = scored(network(0.0))
    scores = with_signals(before, found, LIMITS)
    line = scores.quality.set_index("dealer_id").loc["D1"]
    assert line["score"] == pytest.approx(100 - weights().signals.most)
    assert line["gate"] == "pass"
    assert scores.losses["points"].sum() == pytest.approx(weights().signals.most), "cut in proportion"
    counts = ["rows", "accepted", "duplicates", "quarantined", "held", "warned"]
    pd.testing.assert_frame_equal(scores.quality[counts], before.quality[counts])


def test_signals_may_decide_the_gate_of_a_dealer_near_the_limit():
    found = signals(("D2", "shared_phone", 100, 60, 0.0, True))
    before = scored(network(0.18))
    assert before.quality.set_index("dealer_id").loc["D2", "gate"] == "warn"
    assert with_signals(before, found, LIMITS).quality.set_index("dealer_id").loc["D2", "gate"] == "fail"


def test_a_signal_that_was_not_tested_says_nothing():
    found = signals(("D2", "shared_phone", 100, 60, float("nan"), None), ("D1", "shared_phone", 0, 0, 0.0, None))
    before = scored(network(0.05))
    after = with_signals(before, found, LIMITS)
    assert after.quality["authenticity"].isna().all()
    pd.testing.assert_frame_equal(after.quality, before.quality, check_dtype=False)
