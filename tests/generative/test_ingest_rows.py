"""Rows in = received + duplicate + unreadable, whatever the files; loading or folding twice changes nothing."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from models.catalogue.contract import contract
from models.workspace import Workspace
from tasks.compute.folding import fold
from tasks.compute.frames import lake_dtypes
from tasks.ingest import ingest, received_counts, received_problems
from tasks.lake import Lake

LEADS = contract().tables["leads"]
HEADER = "lead_id,dealer_id,phone,series,created_at,status"
FIELDS = st.tuples(
    st.sampled_from(["L1", "L2", "L3", "L4", ""]),
    st.sampled_from(["D1", "D2", ""]),
    st.sampled_from(["13812345678", "+86 138 1234 5678", "13912345678", "123", ""]),
    st.sampled_from(["星途", "远景"]),
    st.sampled_from(["2026-01-03", "2026/1/3", "2026-02-03 08:00:00", "昨天"]),
    st.sampled_from(["open", "战败", "defeatd"]),
).map(",".join)
RAGGED = st.sampled_from(["L1,D1", "L1,D1,13812345678,x,2026-01-03,open,extra", "?"])
FILES = st.lists(st.lists(st.one_of(FIELDS, FIELDS, FIELDS, RAGGED), max_size=8), min_size=1, max_size=3)


def load(root, files, lines_of):
    source = root / "source"
    source.mkdir(exist_ok=True)
    (source / "dealers.csv").write_text("dealer_id,name,region_id\nD1,x,R\n", "utf-8")
    (source / "defeats.csv").write_text("lead_id,defeated_at\n", "utf-8")
    for old in source.glob("leads*"):
        old.unlink()
    for name, lines in zip(files, lines_of, strict=True):
        (source / name).write_text("\n".join([HEADER, *lines]), "utf-8")
    workspace = Workspace.open(root / "workspace", secret_key="7b" * 32)
    workspace.create()
    return Lake(workspace.lake, workspace.key()), ingest(workspace, source)


def assert_accounted(lake, report, lines_of):
    (leads,) = [table for table in report.tables if table.table == "leads"]
    for file in leads.files:
        assert file.rows == file.received + file.duplicate + file.unreadable
    received = lake.read("received", "leads")
    problems = received_problems(lake)
    assert leads.total("received") == len(received)
    assert leads.total("rows") == sum(map(len, lines_of))
    counts = received_counts(lake)
    assert counts["rows"].sum() == report.total("rows")
    places = received[["_file", "_row"]].apply(tuple, axis=1).tolist() if len(received) else []
    assert len(set(places)) == len(places)
    dropped = {"exact_duplicate", "ragged_row"}
    for line in problems.itertuples():
        assert ((line.source_file, line.row_number) in places) is (line.rule not in dropped)
    apart = {(line.source_file, line.row_number) for line in problems.itertuples() if line.severity == "quarantine"}
    sound = received[np.array([place not in apart for place in places], dtype=bool)].dropna(subset=["lead_id"])
    assert sound["lead_id"].is_unique


@settings(max_examples=15, deadline=None)
@given(FILES)
def test_every_row_has_one_fate_and_loading_again_changes_nothing(lines_of):
    names = [f"leads_{number}.csv" for number in range(len(lines_of))]
    with tempfile.TemporaryDirectory() as folder:
        lake, report = load(Path(folder), names, lines_of)
        assert_accounted(lake, report, lines_of)
        fingerprint = lake.fingerprint("received", "leads")
        _, again = load(Path(folder), names, lines_of)
        assert all(not table.months for table in again.tables)
        assert lake.fingerprint("received", "leads") == fingerprint
        assert_accounted(lake, again, lines_of)


@settings(max_examples=15, deadline=None)
@given(FILES)
def test_files_one_by_one_end_like_files_together(lines_of):
    names = [f"leads_{number}.csv" for number in range(len(lines_of))]
    with tempfile.TemporaryDirectory() as together, tempfile.TemporaryDirectory() as apart:
        lake, _ = load(Path(together), names, lines_of)
        for name, lines in zip(names, lines_of, strict=True):
            delta, report = load(Path(apart), [name], [lines])
        assert_accounted(delta, report, lines_of)
        assert delta.fingerprint("received", "leads") == lake.fingerprint("received", "leads")


RECORDS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["L1", "L2", None]), st.sampled_from(["x", "y"])), max_size=10
)


@settings(max_examples=100, deadline=None)
@given(RECORDS)
def test_folding_twice_is_folding_once(records):
    records = sorted(records, key=lambda record: record[0])
    values = {
        "_file": [file for file, _, _ in records],
        "_row": range(1, len(records) + 1),
        "lead_id": [lead for _, lead, _ in records],
        "source": [source for _, _, source in records],
    }
    frame = pd.DataFrame(
        {
            name: pd.Series(list(values.get(name, [None] * len(records))), dtype=dtype)
            for name, dtype in lake_dtypes(LEADS).items()
        }
    )
    once = fold(LEADS, frame, ["a", "b"])
    twice = fold(LEADS, once.frame, ["a", "b"])
    pd.testing.assert_frame_equal(once.frame, twice.frame)
    assert (twice.counts["rows"] == twice.counts["received"]).all()
    assert set(twice.problems["rule"]) <= {"ambiguous_id"}
    assert once.counts["rows"].sum() == len(frame)
