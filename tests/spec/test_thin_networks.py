"""Data with next to nothing in it: one dealer, one month, no defeats, no revisits, no denominator."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pytest

from models.database import migrate
from models.facts import Cycle
from tasks.analysing import analyse
from tasks.job import Job
from tasks.measuring import judge_filings, measure
from tasks.planning import compare_dealers
from tasks.results import Results
from tests.support.filter_tables import frame

CYCLE = Cycle("2025-03", datetime(2025, 3, 31, 23, 59, 59))
WON = {"lead_id": "W", "status": "won", "ordered_at": "2025-03-10 10:00", "phone_key": "w"}
LOST = {"lead_id": "L1", "defeated_at": "2025-03-20 10:00", "phone_key": "l"}
OPEN = {"lead_id": "O", "status": "open", "phone_key": "o"}


def analysed(workspace, leads, defeats=(), revisits=()):
    """The nation's figures of the month by indicator, and the results they come from."""
    migrate(workspace.database_url)
    job = Job(workspace, CYCLE, Results.of(workspace.results, CYCLE, "thin"), "")
    rows = {"dealers": [{"dealer_id": "A"}], "leads": list(leads), "defeats": list(defeats), "revisits": list(revisits)}
    for table, listed in rows.items():
        found = frame(table, listed)
        job.lake.replace("accepted", table, found.assign(_file="x.csv", _row=range(1, len(found) + 1)))
    job.results.write("quality", pd.DataFrame({"dealer_id": ["A"], "gate": ["pass"], "score": [90.0]}))
    for step in (judge_filings, measure, compare_dealers, analyse):
        step(job)
    table = job.results.read("indicators")
    return table[table["scope"] == "nation"].set_index("indicator"), job.results


def test_no_defeats(workspace):
    nation, results = analysed(workspace, [WON, OPEN])
    assert nation.loc["close_rate", ["numerator", "denominator", "value"]].tolist() == [1, 1, 1.0]
    assert nation.loc["defeat_rate_filed", "value"] == 0
    for code in ("premature_share", "competitor_share", "reactivation_rate", "revisit_coverage"):
        assert nation.loc[code, "denominator"] == 0
        assert pd.isna(nation.loc[code, "value"])
    assert results.read("defeats").empty
    assert results.read("reasons").empty


def test_no_revisits_is_no_coverage_of_nought(workspace):
    filed = [{"lead_id": "L1", "reason_code": "price_too_high", "destination": "competitor"}]
    nation, results = analysed(workspace, [WON, LOST], filed)
    assert pd.isna(nation.loc["revisit_coverage", "value"])
    assert nation.loc["defeat_rate_filed", "value"] == 0.5
    assert "analysis.note.no_revisits" in set(results.read("analysis_notes")["key"])


def test_one_dealer_in_one_month_is_compared_with_nobody(workspace):
    nation, results = analysed(workspace, [WON, LOST, OPEN])
    compared = results.read("comparisons")
    assert set(compared["missing"]) <= {"judge.missing.few_dealers", "judge.missing.no_cases"}
    assert compared["gap_points"].isna().all()
    assert pd.isna(nation.loc["close_rate", "previous"])
    cohorts = results.read("cohorts")
    assert cohorts["lacking"].str.len().gt(0).all()
    assert cohorts["projected"].isna().all()


@pytest.mark.parametrize("leads", [[], [OPEN], [LOST | {"lead_id": "D", "defeated_at": "2025-03-20 10:00"}]])
def test_nothing_closed_or_nothing_counted_leaves_figures_empty(workspace, leads):
    filed = [{"lead_id": "D", "reason_code": "record_duplicate"}] if leads and leads[0]["lead_id"] == "D" else []
    nation, results = analysed(workspace, leads, filed)
    if "close_rate" in nation.index:
        assert nation.loc["close_rate", "denominator"] == 0
        assert pd.isna(nation.loc["close_rate", "value"])
    assert results.read("comparisons").empty or results.read("comparisons")["gap_points"].isna().all()
