"""Fold rules as small tables (domain.md section 14, Input): which row is current, and what becomes of the others."""

import pandas as pd
import pytest

from models.catalogue.contract import contract
from tasks.compute.folding import fold
from tasks.compute.frames import lake_dtypes

# one row each: file, row, id, content -> fate: kept, repeated, replaced, ambiguous
CASES = {
    "different ids stay": [("a", 1, "L1", "x", "kept"), ("a", 2, "L2", "x", "kept")],
    "an exact repetition in a file falls out": [("a", 1, "L1", "x", "kept"), ("a", 2, "L1", "x", "repeated")],
    "other content in one file sets all copies apart": [
        ("a", 1, "L1", "x", "ambiguous"),
        ("a", 2, "L1", "y", "ambiguous"),
    ],
    "repetition and contradiction together": [
        ("a", 1, "L1", "x", "ambiguous"),
        ("a", 2, "L1", "x", "repeated"),
        ("a", 3, "L1", "y", "ambiguous"),
    ],
    "the later file wins": [("a", 1, "L1", "x", "replaced"), ("b", 1, "L1", "y", "kept")],
    "the same row in a later file replaces too": [("a", 1, "L1", "x", "replaced"), ("b", 1, "L1", "x", "kept")],
    "a later file settles a contradiction": [
        ("a", 1, "L1", "x", "replaced"),
        ("a", 2, "L1", "y", "replaced"),
        ("b", 1, "L1", "y", "kept"),
    ],
    "a contradiction in the later file holds": [
        ("a", 1, "L1", "x", "replaced"),
        ("b", 1, "L1", "y", "ambiguous"),
        ("b", 2, "L1", "z", "ambiguous"),
    ],
    "rows without id only repeat": [
        ("a", 1, None, "x", "kept"),
        ("a", 2, None, "y", "kept"),
        ("a", 3, None, "x", "repeated"),
        ("b", 1, None, "x", "kept"),
    ],
}


def frame_of(table, columns, rows):
    dtypes = lake_dtypes(contract().tables[table])
    values = dict(zip(columns, zip(*rows, strict=True), strict=True))
    return pd.DataFrame(
        {name: pd.Series(list(values.get(name, [None] * len(rows))), dtype=kind) for name, kind in dtypes.items()}
    )


def fates(folded, rows):
    kept = set(zip(folded.frame["_file"], folded.frame["_row"], strict=True))
    told = {(line.source_file, line.row_number): line.rule for line in folded.problems.itertuples()}
    words = {"exact_duplicate": "repeated", "ambiguous_id": "ambiguous"}
    return [words.get(told.get(row[:2]), "kept" if row[:2] in kept else "replaced") for row in rows]


@pytest.mark.parametrize("case", CASES)
def test_leads(case):
    rows = CASES[case]
    frame = frame_of("leads", ["_file", "_row", "lead_id", "source"], [row[:4] for row in rows])
    folded = fold(contract().tables["leads"], frame, ["a", "b"])
    assert fates(folded, rows) == [row[4] for row in rows]
    stays = [row[:2] for row in rows if row[4] in ("kept", "ambiguous")]
    assert list(zip(folded.frame["_file"], folded.frame["_row"], strict=True)) == stays


def test_severities():
    frame = frame_of("leads", ["_file", "_row", "lead_id", "source"], [("a", n, "L1", s) for n, s in enumerate("xxy")])
    problems = fold(contract().tables["leads"], frame, ["a"]).problems
    assert sorted(zip(problems["rule"], problems["severity"], strict=True)) == [
        ("ambiguous_id", "quarantine"),
        ("ambiguous_id", "quarantine"),
        ("exact_duplicate", "warn"),
    ]


def test_two_defeats_of_one_lead_are_two_events():
    times = pd.to_datetime(["2026-01-01", "2026-03-01"])
    frame = frame_of(
        "defeats", ["_file", "_row", "lead_id", "defeated_at"], [("a", n, "L1", at) for n, at in enumerate(times)]
    )
    folded = fold(contract().tables["defeats"], frame, ["a"])
    assert len(folded.frame) == 2
    assert folded.problems.empty


def test_events_without_an_id_may_share_their_key_but_not_repeat():
    at = pd.Timestamp("2026-01-01 10:00")
    columns = ["_file", "_row", "phone_key", "dealer_id", "kind", "at", "brought_buyers"]
    rows = [("a", 1, "p", "D1", "call", at, 1), ("a", 2, "p", "D1", "call", at, 2), ("a", 3, "p", "D1", "call", at, 1)]
    folded = fold(contract().tables["interactions"], frame_of("interactions", columns, rows), ["a"])
    assert folded.frame["_row"].tolist() == [1, 2]
    assert folded.problems["rule"].tolist() == ["exact_duplicate"]


def test_counts_are_per_file_and_dealer():
    rows = [("a", 1, "L1", "D1"), ("a", 2, "L2", None), ("a", 3, "L2", None), ("b", 1, "L1", "D1")]
    frame = frame_of("leads", ["_file", "_row", "lead_id", "dealer_id"], rows)
    counts = fold(contract().tables["leads"], frame, ["a", "b"]).counts
    assert counts.values.tolist() == [
        ["a", "D1", 1, 0, 0, 1],
        ["a", "_unassigned", 2, 1, 1, 0],
        ["b", "D1", 1, 1, 0, 0],
    ]
    assert list(counts) == ["_file", "dealer_id", "rows", "received", "exact_duplicate", "replaced"]
