"""The public sets through the real flow, every step: figures reconcile, defects are told, what is missing is said.

Each set runs in a process of its own kind of data: no phones, no revisits or sales, no contacts with owners.
"""

import json

import pytest

from models import ledger
from models.database import Database
from models.enums import PlanKind, PointState, Step
from tasks.exporting import EXPORTS, export_frame

SETS = ("edtech_leads", "maven_crm", "huashu2021_ev")
pytestmark = [pytest.mark.real, pytest.mark.slow]


def cycles(workspace):
    return sorted(path.parent.name for path in workspace.results.glob("*/current.json"))


def nation(workspace, cycle, indicator):
    frame = export_frame(workspace, "indicators", cycle)
    return frame[(frame["scope"] == "nation") & (frame["indicator"] == indicator)]


def closed(workspace, indicator):
    """Numerators of a rate over all cycles: each closed lead counts in the month it closed in."""
    return sum(int(nation(workspace, cycle, indicator)["numerator"].iloc[0]) for cycle in cycles(workspace))


def notices(workspace):
    [record] = sorted(workspace.results.glob(f"{cycles(workspace)[-1]}/*/steps/ingest.json"))
    return json.loads(record.read_text("utf-8"))["notices"]


def rejected(workspace):
    return export_frame(workspace, "rejected", cycles(workspace)[-1])


@pytest.mark.parametrize("name", SETS)
def test_every_step_works_on_what_is_there_and_says_what_is_not(name, ran):
    workspace, printed = ran(name)
    db = Database.of(workspace)
    for cycle in cycles(workspace):
        points = ledger.key_points(db, cycle)
        assert [point.step for point in points] == list(Step)
        assert {point.state for point in points} == {PointState.FINISHED}
        plans = ledger.plans(db, cycle)
        pages = workspace.reports / cycle / "dealers"
        assert len(list(pages.glob("*/plan.zh_CN.html"))) == len(list(pages.glob("*/plan.en.xlsx"))) == len(plans)
        assert {plan.kind for plan in plans} <= set(PlanKind)
    for what, export in EXPORTS.items():
        if export.read is not None:
            assert tuple(export_frame(workspace, what, cycles(workspace)[-1]).columns) == export.columns
    told = notices(workspace)
    assert any("Table leads has no phone number" in notice for notice in told)
    for table in ("service_visits", "interactions", "actions"):
        assert f"The optional table {table} is not there; what needs it is left out." in told
    assert "Table leads has no phone number" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("name", SETS)
def test_nothing_that_is_missing_becomes_a_zero(name, ran):
    """An indicator without anything to count has no value: a rate of 0 is only told where there were cases."""
    workspace, _ = ran(name)
    for cycle in cycles(workspace):
        frame = export_frame(workspace, "indicators", cycle)
        assert frame.loc[frame["denominator"] == 0, "value"].isna().all()
        assert frame.loc[frame["value"].notna(), "denominator"].gt(0).all()


@pytest.mark.parametrize("name", SETS)
def test_files_are_recorded_and_rows_conserved(name, ran):
    workspace, _ = ran(name)
    quality = export_frame(workspace, "quality", cycles(workspace)[-1])
    assert quality["rows"].sum() == quality[["accepted", "quarantined", "held", "duplicates"]].sum().sum()
    from models.database import reading
    from models.tables import FileLoadRow, table

    with reading(workspace.database_url) as connection:
        loads = connection.execute(table(FileLoadRow).select()).mappings().all()
    assert {load["table_name"] for load in loads} >= {"dealers", "leads", "defeats"}
    assert all(len(load["sha256"]) == 64 and load["rows_in"] == load["received"] + load["duplicates"] for load in loads)


def test_edtech_64_won_294_with_a_reason_2_with_neither(ran):
    workspace, _ = ran("edtech_leads")
    leads = ledger_of_leads(workspace)
    assert leads["status"].value_counts().to_dict() == {"defeated": 294, "won": 64, "open": 2}
    assert set(leads.loc[leads["status"] == "open", "lead_id"]) == {"USR1116", "USR1276"}
    assert sum(len(export_frame(workspace, "defeats", cycle)) for cycle in cycles(workspace)) == 294
    assert (closed(workspace, "close_rate"), closed(workspace, "defeat_rate_filed")) == (64, 294)
    rows = rejected(workspace)
    assert rows["rule"].value_counts().to_dict() == {"exact_duplicate": 438, "source_check": 2, "source_value": 4}
    impossible = rows[rows["rule"] == "source_check"]
    assert set(impossible["row_key"]) == {"USR1138", "USR1213"}
    assert impossible["message"].str.contains("510|233").all()


def ledger_of_leads(workspace):
    from tasks.lake import Lake

    return Lake(workspace.lake, workspace.key()).read("accepted", "leads")


def test_maven_4238_won_2473_lost_2089_open_in_ten_cycles(ran):
    workspace, _ = ran("maven_crm")
    assert cycles(workspace) == [f"2017-{month:02d}" for month in range(3, 13)]
    leads = ledger_of_leads(workspace)
    assert leads["status"].value_counts().to_dict() == {"won": 4238, "defeated": 2473, "open": 2089}
    assert (closed(workspace, "close_rate"), closed(workspace, "defeat_rate_filed")) == (4238, 2473)
    rows = rejected(workspace)
    products = rows[(rows["rule"] == "source_value") & (rows["column"] == "product")]
    assert len(products) == 1480
    assert products["message"].str.contains("GTXPro").all()
    assert len(rows[rows["rule"] == "source_blank"]) == 1425
    assert len(rows[rows["rule"] == "unused_lookup"]) == 5
    spelled = rows[rows["rule"] == "source_value"]
    assert {"sector", "office_location"} <= set(spelled["column"])


def test_maven_plans_are_one_per_dealer_and_cycle(ran):
    workspace, _ = ran("maven_crm")
    for cycle in cycles(workspace):
        plans = export_frame(workspace, "plans", cycle)
        assert plans["dealer_id"].nunique() == 6


def test_huashu_every_listed_defect_is_told(ran):
    workspace, _ = ran("huashu2021_ev")
    rows = rejected(workspace)
    checks = rows[rows["rule"] == "source_check"]
    places = {column: list(its["row_key"]) for column, its in checks.groupby("column") if column != "B14"}
    assert places == {"a1": ["1"], "a5": ["480"], "a3": ["1964"], "B17": ["223"]}
    assert (checks["column"] == "B14").sum() == 76
    assert (rows["rule"] == "source_blank").sum() == 2, "498 of the 500 blanks of B7 are structural"
    told = notices(workspace)
    assert any("Sheet1" in notice for notice in told), "the stray second sheet"
    assert any("blanks around the column names" in notice for notice in told), "the header with a trailing space"


def test_huashu_reconciles(ran):
    workspace, _ = ran("huashu2021_ev")
    leads = ledger_of_leads(workspace)
    assert leads["status"].value_counts().to_dict() == {"defeated": 1865, "won": 99, "open": 15}
    assert (closed(workspace, "close_rate"), closed(workspace, "defeat_rate_filed")) == (99, 1865)
