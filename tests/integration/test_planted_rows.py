"""Every bad row of the sample is found by its rule, row by row, as the list of truth says; without dirt none is.

Filings exported late are found when the months come one load after the other; one load of all of them tells nothing.
"""

import pandas as pd
import pytest

from expectations.rules import rules
from models.facts import Cycle
from models.workspace import Workspace
from tasks.check import check
from tasks.compute.simulation.dirt import KINDS, LATE
from tasks.ingest import ingest
from tasks.sample import Sample, file_name, write_sample

MONTH = "2026-01"
LATER = ("2026-02", "2026-03")
PLACE = ["table", "source_file", "row_number"]


def load(workspace, folder, month=MONTH):
    """One load of everything in the folder, and the check of its last month."""
    ingest(workspace, folder)
    end = (pd.Timestamp(month) + pd.offsets.MonthEnd()).to_pydatetime()
    return check(workspace, Cycle(month, end.replace(hour=23, minute=59)))


def made(folder):
    workspace = Workspace.open(folder / "workspace")
    workspace.create()
    return workspace


def judged(folder, dirt):
    write_sample(folder / "in", 20, 1, 11, end_month=MONTH, dirt=dirt, fakery=0.0)
    return load(made(folder), folder / "in")


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


@pytest.fixture(scope="module")
def monthly(tmp_path_factory):
    """Three months loaded one after the other, with dirt; the truth of all, the folder and the last check."""
    folder = tmp_path_factory.mktemp("monthly")
    write_sample(folder / "in", 20, 1, 11, end_month=MONTH, dirt=0.05, fakery=0.0)
    workspace = made(folder)
    load(workspace, folder / "in")
    for month in LATER:
        Sample.open(folder / "in").write_month(month)
        report = load(workspace, folder / "in", month)
    truth = pd.read_csv(folder / "in" / "truth" / "dirty.csv", keep_default_na=False)
    return folder / "in", truth.rename(columns={"file": "source_file"}), report


def filed_at(folder, month):
    """The filings of a month's file that anybody can date, by dealer."""
    filed = pd.read_csv(folder / file_name("defeats", month), encoding="gb18030", parse_dates=["defeated_at"])
    leads = pd.concat([pd.read_csv(file, usecols=["lead_id", "dealer_id"]) for file in folder.glob("leads_*.csv")])
    return filed.merge(leads.drop_duplicates("lead_id"), on="lead_id").dropna(subset=["defeated_at"])


def test_filings_exported_late_are_found_month_by_month(monthly):
    folder, truth, report = monthly
    late = truth[(truth["type"] == LATE) & truth["month"].isin(LATER)]
    spoilt = truth.loc[(truth["type"] != LATE) & (truth["table"] == "defeats"), PLACE]
    late = late[~late.set_index(PLACE).index.isin(spoilt.set_index(PLACE).index)]
    found = set(report.rejected.loc[report.rejected["rule"] == LATE, PLACE].itertuples(index=False, name=None))
    proven = set()
    for month, before in zip(LATER, (MONTH, *LATER), strict=False):
        reach = filed_at(folder, before).groupby("dealer_id")["defeated_at"].max()
        rows = late[late["month"] == month].merge(
            filed_at(folder, month), left_on=["row_key", "dealer_id"], right_on=["lead_id", "dealer_id"]
        )
        beyond = rows["dealer_id"].map(reach) - rows["defeated_at"] > pd.Timedelta(days=3)
        proven |= set(rows.loc[beyond, PLACE].itertuples(index=False, name=None))
    assert len(proven) > 15
    assert len(proven) >= 0.9 * len(late), "hardly any dealer is too quiet to tell"
    assert proven - found == set()
    everything = truth.loc[truth["type"] == LATE, PLACE].itertuples(index=False, name=None)
    assert found <= set(everything), "nobody is told of a filing that was not late"


def test_one_load_of_all_months_tells_no_late_filing(monthly, tmp_path):
    folder, _, _ = monthly
    report = load(made(tmp_path), folder, LATER[-1])
    assert LATE not in set(report.rejected["rule"])
    asked = report.expectations.set_index("id").loc["defeats.late_filing.defeated_at"]
    assert (asked["outcome"], asked["note"]) == ("not_checked", "first_load")
