"""Every bad row of the sample is found by its rule, row by row, as the list of truth says; without dirt none is."""

import pandas as pd
import pytest

from expectations.rules import rules
from models.facts import Cycle
from models.workspace import Workspace
from tasks.check import check
from tasks.compute.simulation.dirt import KINDS, LATE
from tasks.ingest import ingest
from tasks.sample import write_sample

MONTH = "2026-01"
PLACE = ["table", "source_file", "row_number"]


def judged(folder, dirt):
    write_sample(folder / "in", 20, 1, 11, end_month=MONTH, dirt=dirt, fakery=0.0)
    workspace = Workspace.open(folder / "workspace")
    workspace.create()
    ingest(workspace, folder / "in")
    end = (pd.Timestamp(MONTH) + pd.offsets.MonthEnd()).to_pydatetime()
    return check(workspace, Cycle(MONTH, end.replace(hour=23, minute=59)))


@pytest.fixture(scope="module")
def dirty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dirty")
    report = judged(folder, 0.15)
    truth = pd.read_csv(folder / "in" / "truth" / "dirty.csv", keep_default_na=False)
    return truth.rename(columns={"file": "source_file"}), report


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return judged(tmp_path_factory.mktemp("clean"), 0.0)


def test_every_planted_row_is_found_by_its_rule(dirty):
    truth, report = dirty
    assert {(kind.kind, kind.table, kind.column) for kind in KINDS} <= set(
        truth[["type", "table", "column"]].itertuples(index=False, name=None)
    )
    assert set(truth["rule"]) - {""} <= set(rules())
    expected = truth[truth["type"] != LATE]
    told = report.rejected[[*PLACE, "rule", "column", "severity"]]
    found = expected.merge(told, on=[*PLACE, "rule"], how="left", suffixes=("", "_told"), indicator=True)
    missed = found[found["_merge"] != "both"]
    assert missed.empty, missed[["type", *PLACE, "rule"]].to_string()


def test_what_becomes_of_a_planted_row_is_what_the_truth_says(dirty):
    truth, report = dirty
    expected = truth[~truth["type"].isin([LATE, "exact_duplicate"])]
    found = expected.merge(report.rejected, on=[*PLACE, "rule"], suffixes=("", "_told"))
    told = found["column"].mask(
        found["rule"] == "status_against_times", "status"
    )  # what is wrong with the two together
    hit = found[(told == found["column_told"]) | (told == "")]
    assert len(hit.drop_duplicates(PLACE)) == len(expected)
    assert (hit["severity"] == hit["severity_told"]).all(), hit[["type", "severity", "severity_told"]].drop_duplicates()


def test_repetitions_are_counted_where_they_were_planted(dirty):
    truth, report = dirty
    planted = truth[truth["type"] == "exact_duplicate"].groupby("table").size()
    counted = {fate.table: fate.duplicates for fate in report.fates if fate.duplicates}
    assert counted == planted.to_dict()


def test_without_dirt_the_rules_are_silent(dirty, clean):
    truth, _ = dirty
    found = set(clean.rejected["rule"])
    assert not found & set(truth["rule"]), clean.rejected["rule"].value_counts()
    fates = pd.DataFrame([vars(fate) for fate in clean.fates])
    assert fates[["quarantined", "held", "duplicates"]].to_numpy().sum() == 0
