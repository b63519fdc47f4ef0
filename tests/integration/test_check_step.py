"""The check on a real lake: fates add up per table, file and dealer, and the accepted layer holds what it should."""

import json
from datetime import datetime

import pandas as pd
import pytest

from expectations.view import UNASSIGNED
from models.catalogue.contract import contract
from models.errors import SourceError
from models.facts import Cycle
from tasks.check import REJECTED_COLUMNS, check
from tasks.ingest import ingest
from tasks.lake import Lake

CYCLE = Cycle("2025-03", datetime(2025, 4, 30))
DEALERS = "dealer_id,name,region_id\nD1,Store 1,R1\nD2,Store 2,R1\nD3,Store 3,R2\n"
LEADS = """lead_id,dealer_id,phone,series,created_at,status,defeated_at,age,consultant_id,source
L1,D1,13800000001,S1,2025-03-01,open,,30,C1,web
L2,D1,13800000002,S1,2025-03-01,defeated,2025-03-20,300,C1,web
L3,D1,13800000003,S1,2025-03-01,won,,31,C1,web
L4,D9,13800000004,S1,2025-03-01,open,,32,C1,web
L5,D2,12,S1,2025-03-01,open,,33,C2,web
L6,D2,13800000006,S1,2025-03-02,open,,34,C2,web
L6,D2,13800000006,S1,2025-03-02,open,,34,C2,web
L7,D2,13800000007,S1,2025-03-03,open,,34,C2,web
L7,D2,13800000007,S2,2025-03-03,open,,34,C2,web
L8,D2,13800000008,S1,2025-03-03,defeated,2025-03-21,34,C2,web,surplus
"""
DEFEATS = """lead_id,defeated_at,reason_code,destination
L2,2025-03-20,process_follow_up,competitor
L3,2025-03-20,process_follow_up,competitor
L5,2025-03-20,process_follow_up,competitor
LX,2025-03-20,process_follow_up,competitor
L2,2025-03-20,process_follow_up,competitor
"""


def load(workspace, folder, **files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, "utf-8")
    ingest(workspace, folder)


def test_every_row_has_one_fate(workspace, tmp_path):
    load(workspace, tmp_path / "in", dealers=DEALERS, leads=LEADS, defeats=DEFEATS)
    report = check(workspace, CYCLE)
    fates = {fate.table: fate for fate in report.fates}
    leads = fates["leads"]
    assert (leads.rows, leads.accepted, leads.quarantined, leads.held, leads.duplicates) == (10, 3, 6, 0, 1)
    defeats = fates["defeats"]
    assert (defeats.rows, defeats.accepted, defeats.quarantined, defeats.held, defeats.duplicates) == (5, 1, 1, 2, 1)
    assert leads.warned == 1, "L2 lost its age"
    line = report.quality.set_index("dealer_id").loc["D2"]
    assert (line["rows"], line["accepted"], line["quarantined"], line["held"], line["duplicates"]) == (7, 2, 3, 1, 1)


def test_rejected_names_row_rule_and_remedy_without_personal_data(workspace, tmp_path):
    load(workspace, tmp_path / "in", dealers=DEALERS, leads=LEADS, defeats=DEFEATS)
    told = check(workspace, CYCLE).export("en")
    assert tuple(told.columns) == REJECTED_COLUMNS
    places = {(row.table, row.row_number, row.rule): row for row in told.itertuples()}
    assert places["leads", 3, "status_against_times"].dealer_id == "D1"
    assert places["leads", 4, "unknown_dealer"].dealer_id == UNASSIGNED
    assert "D9" in places["leads", 4, "unknown_dealer"].message
    assert {("leads", 5, "malformed_phone"), ("leads", 8, "ambiguous_id"), ("leads", 10, "ragged_row")} <= set(places)
    assert places["defeats", 3, "held_with_lead"].dealer_id == "D2"
    assert not told["message"].str.contains("138000").any()


def test_accepted_keeps_personal_columns_and_loses_wrong_cells(workspace, tmp_path):
    load(workspace, tmp_path / "in", dealers=DEALERS, leads=LEADS, defeats=DEFEATS)
    check(workspace, CYCLE)
    lake = Lake(workspace.lake, workspace.key())
    leads = lake.read("accepted", "leads", personal=True).set_index("lead_id")
    assert sorted(leads.index) == ["L1", "L2", "L6"]
    assert pd.isna(leads.loc["L2", "age"])
    assert leads.loc["L1", "age"] == 30
    assert leads["phone"].notna().all()
    assert lake.read("accepted", "defeats")["lead_id"].tolist() == ["L2"]


def test_again_is_the_same(workspace, tmp_path):
    load(workspace, tmp_path / "in", dealers=DEALERS, leads=LEADS, defeats=DEFEATS)
    first = check(workspace, CYCLE)
    lake = Lake(workspace.lake, workspace.key())
    before = {table: lake.fingerprint("accepted", table) for table in contract().tables}
    second = check(workspace, CYCLE)
    assert before == {table: lake.fingerprint("accepted", table) for table in contract().tables}
    pd.testing.assert_frame_equal(first.rejected, second.rejected)
    pd.testing.assert_frame_equal(first.quality, second.quality)


def test_a_corrected_lead_frees_what_waited_for_it(workspace, tmp_path):
    load(workspace, tmp_path / "in", dealers=DEALERS, leads=LEADS, defeats=DEFEATS)
    assert check(workspace, CYCLE).quality["held"].sum() == 2
    header, *rows = LEADS.splitlines()
    corrected = rows[2].replace("won,,", "defeated,2025-03-20,")
    load(workspace, tmp_path / "in", **{"leads_2": f"{header}\n{corrected}\n"})
    report = check(workspace, CYCLE)
    assert report.quality["held"].sum() == 1
    lake = Lake(workspace.lake, workspace.key())
    assert sorted(lake.read("accepted", "defeats")["lead_id"]) == ["L2", "L3"]
    leads = {fate.table: fate for fate in report.fates}["leads"]
    assert leads.duplicates == 2, "the replaced row is accounted for"
    assert leads.rows == leads.accepted + leads.quarantined + leads.held + leads.duplicates == 11


def test_nothing_to_check_is_said(workspace, tmp_path):
    load(workspace, tmp_path / "in", dealers=DEALERS, leads=LEADS.splitlines()[0] + "\n", defeats=DEFEATS)
    with pytest.raises(SourceError) as error:
        check(workspace, CYCLE)
    assert "no usable rows" in error.value.text("en")


def test_params_are_json(workspace, tmp_path):
    load(workspace, tmp_path / "in", dealers=DEALERS, leads=LEADS, defeats=DEFEATS)
    for params in check(workspace, CYCLE).rejected["params"]:
        assert isinstance(json.loads(params), dict)
