"""Filings that come after the fact: told by what an earlier load reached beyond and did not have, never by a clock."""

from datetime import datetime

import pandas as pd
import pytest

from models.catalogue.contract import contract
from models.facts import Cycle
from tasks.check import check
from tasks.compute.corrections import REPLACEMENT_DTYPES
from tasks.compute.frames import empty_frame
from tasks.ingest import ingest, receive_corrections, seen_filings
from tasks.lake import Lake

DEALERS = "dealer_id,name,region_id\nD1,一店,R1\nD2,二店,R1\n"
IDENTITY = "defeats.late_filing.defeated_at"


class Source:
    """A folder of exports, loaded again and again."""

    def __init__(self, workspace, folder):
        self.workspace, self.folder, self.leads = workspace, folder, {}
        folder.mkdir()
        (folder / "dealers.csv").write_text(DEALERS, "utf-8")

    def write(self, name, *filings):
        """A file of filings, each ``lead day``; leads named D1... belong to D1, the others to D2."""
        lines = ["lead_id,defeated_at,reason_code"]
        for filing in filings:
            lead, day = filing.split()
            self.leads[lead] = f"{lead},{lead[:2]},138{len(self.leads):08d},S1,2025-12-01,defeated,2026-04-30"
            lines.append(f"{lead},{day},process_follow_up")
        (self.folder / f"defeats_{name}.csv").write_text("\n".join(lines) + "\n", "utf-8")
        head = "lead_id,dealer_id,phone,series,created_at,status,defeated_at"
        (self.folder / "leads.csv").write_text("\n".join([head, *self.leads.values()]) + "\n", "utf-8")

    def load(self, name="", *filings):
        """Write the file and load everything there is."""
        if name:
            self.write(name, *filings)
        ingest(self.workspace, self.folder)

    def check(self):
        return check(self.workspace, Cycle("2026-04", datetime(2026, 4, 30, 23, 59)))

    def late(self):
        told = self.check().rejected.query("rule == 'late_filing'")
        return set(told["row_key"].str.split("|").str[0])

    def seen(self):
        found = seen_filings(Lake(self.workspace.lake, self.workspace.key()))
        return {f"{row.lead_id} {row.defeated_at:%Y-%m-%d}": row.load for row in found.itertuples()}


@pytest.fixture
def source(workspace, tmp_path):
    return Source(workspace, tmp_path / "in")


JANUARY = ("D1a 2026-01-05", "D1b 2026-01-20", "D2a 2026-01-06", "D2b 2026-01-08")


def test_a_filing_an_earlier_load_should_have_had_is_late(source):
    source.load("01", *JANUARY)
    source.load("02", "D1c 2026-02-10", "D1x 2026-01-10", "D1y 2026-01-18", "D1z 2026-01-25", "D2x 2026-01-10")
    assert source.late() == {"D1x"}, "not within the deadline, not beyond what the dealer itself had filed by then"
    row = source.check().expectations.set_index("id").loc[IDENTITY]
    assert (row["outcome"], row["checked"], row["failed"]) == ("failed", 5, 1)
    told = source.check().rejected.query("rule == 'late_filing'").iloc[0]
    assert (told["dealer_id"], told["severity"], told["source_file"], told["row_number"]) == (
        *("D1", "warn", "defeats_02.csv", 2),
    )


def test_the_first_load_is_not_checked_and_never_passes(source):
    source.write("01", *JANUARY)
    source.load("02", "D1c 2026-02-10", "D1x 2026-01-10")
    row = source.check().expectations.set_index("id").loc[IDENTITY]
    assert (row["outcome"], row["note"], row["checked"]) == ("not_checked", "first_load", 0)


def test_history_that_comes_later_is_not_late(source):
    source.load("02", "D1c 2026-02-10", "D1d 2026-02-20")
    source.load("01", *JANUARY)
    assert source.late() == set(), "before all that the dealer had delivered"
    source.load("04", "D1e 2026-04-02", "D1f 2026-04-20")
    source.load("03", "D1g 2026-03-02", "D1h 2026-03-20")
    assert source.late() == set(), "a month of which the earlier loads had nothing: the export came later"


def test_a_dealer_without_an_earlier_load_is_not_judged_by_others(source):
    source.load("01", "D1a 2026-01-05", "D1b 2026-01-30")
    source.load("02", "D2a 2026-01-06", "D2b 2026-01-28", "D1c 2026-02-03")
    assert source.late() == set()


def test_a_time_that_is_corrected_in_the_source_is_not_a_new_filing(source):
    source.load("01", *JANUARY)
    source.load("01", "D1a 2026-01-07", "D1b 2026-01-20", "D2a 2026-01-06", "D2b 2026-01-08")
    assert source.late() == set()
    assert source.seen()["D1a 2026-01-07"] == 1


def test_a_stray_date_far_ahead_is_no_reach(source):
    days = [f"D1{number:03d} 2026-01-{1 + number % 28:02d}" for number in range(200)]
    source.load("01", *days, "D1s 2026-02-27")
    source.load("02", "D1c 2026-02-10", "D1d 2026-02-12", "D1x 2026-01-10")
    assert source.late() == {"D1x"}


def test_loading_the_same_again_changes_nothing(source):
    source.load("01", *JANUARY)
    source.load("02", "D1c 2026-02-10", "D1x 2026-01-10")
    before, fates = source.seen(), source.check().fates
    source.load()
    (source.folder / "defeats_01.csv").touch()
    source.write("02", "D1c 2026-02-10", "D1x 2026-01-10", "D1x 2026-01-10")
    source.load()
    assert source.seen() == before
    assert source.late() == {"D1x"}
    defeats = {fate.table: fate for fate in source.check().fates}["defeats"]
    assert (defeats.rows, defeats.accepted, defeats.duplicates) == (7, 6, 1)
    assert {fate.table: fate.accepted for fate in fates}["defeats"] == 6


def test_a_load_that_is_killed_leaves_the_loads_as_they_were(source, monkeypatch):
    source.load("01", *JANUARY)
    before = source.seen()
    with monkeypatch.context() as killed:
        killed.setattr("tasks.lake._replace_text", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            source.load("02", "D1c 2026-02-10", "D1x 2026-01-10")
    assert source.seen() == before
    source.load()
    assert source.seen()["D1x 2026-01-10"] == 2
    assert source.late() == {"D1x"}


def test_what_a_correction_brings_is_not_checked(source):
    source.load("01", *JANUARY)
    source.load("02", "D1c 2026-02-10")
    table = contract().tables["defeats"]
    row = dict.fromkeys(table.fields) | {"lead_id": "D1c", "defeated_at": "2026-01-10", "reason_code": "price_too_high"}
    rows = pd.DataFrame([row | {"_file": "corrections/D1/1", "_row": 1}]).astype(
        dict.fromkeys(table.fields, "str") | {"_file": "str"}
    )
    receive_corrections(source.workspace, table, rows, empty_frame(REPLACEMENT_DTYPES))
    assert source.seen()["D1c 2026-01-10"] == 0
    source.load("03", "D1d 2026-03-10")
    assert source.seen()["D1d 2026-03-10"] == 3
    assert source.late() == set()
