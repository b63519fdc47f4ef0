"""A workspace with standards of its own: one expectation added, one severity changed, through the check step."""

from datetime import datetime

import pytest

from models.database import migrate
from models.errors import CatalogueError
from models.facts import Cycle
from models.workspace import Workspace
from tasks.exporting import export_frame
from tasks.gating import check
from tasks.job import Job
from tasks.receiving import receive
from tasks.results import Results

CYCLE = Cycle("2025-03", datetime(2025, 4, 30))
DEALERS = "dealer_id,name,region_id\nD1,Store 1,R1\n"
LEADS = """lead_id,dealer_id,phone,series,created_at,status,defeated_at,budget,quoted_price,list_price,source
L1,D1,13800000001,S1,2025-03-01,open,,90000,100000,100000,web
L2,D1,13800000002,S1,2025-03-01,defeated,2025-03-20,900,100000,100000,web
L3,D1,13800000003,S1,2025-03-01,open,,80000,20000,100000,fair
"""
DEFEATS = "lead_id,defeated_at,reason_code,destination\nL2,2025-03-20,supply_licence_plate,competitor\n"
STANDARDS = {
    "expectations": """
[leads.budget_plausible]
type = "ExpectColumnValuesToBeBetween"
column = "budget"
params = { min_value = 30000 }
severity = "warn"
action = "null"
owner = "sales_consultant"
title = { zh_CN = "预算合理", en = "plausible budget" }
wrong = { zh_CN = "「{column}」为 {value}，低于 {low}", en = "{column} is {value}, below {low}" }
mend = { zh_CN = "请核对预算", en = "check the budget" }

[leads.no_fair]
type = "ExpectColumnValuesToNotMatchRegex"
column = "source"
params = { regex = "^fair$" }
owner = "sales_manager"
title = { zh_CN = "来源不写车展", en = "no fairs as source" }
wrong = { zh_CN = "来源写了车展", en = "the source is a fair" }
mend = { zh_CN = "请写具体车展", en = "name the fair" }
""",
    "rules": '[unusual_price]\nseverity = "quarantine"\n',
    "reasons": """
[reasons.supply_licence_plate]
owners = ["oem_supply"]
dealer_fixable = false
label = { zh_CN = "牌照指标未落实", en = "no licence plate quota" }
definition = { zh_CN = "没有指标", en = "no quota" }
aliases = []
keywords_zh = ["摇号"]
keywords_en = ["plate quota"]
""",
}


@pytest.fixture
def checked(workspace, tmp_path):
    def run(standards):
        folder = workspace.home / "standards"
        folder.mkdir(exist_ok=True)
        for name, content in standards.items():
            (folder / f"{name}.toml").write_text(content, "utf-8")
        opened = Workspace.open(workspace.home)
        source = tmp_path / "in"
        source.mkdir(exist_ok=True)
        for name, content in {"dealers": DEALERS, "leads": LEADS, "defeats": DEFEATS}.items():
            (source / f"{name}.csv").write_text(content, "utf-8")
        migrate(opened.database_url)
        receive(opened, str(source), "", "en", datetime.fromisoformat("2025-05-01T00:00+00:00"))
        job = Job(opened, CYCLE, Results.of(opened.results, CYCLE, "test"), str(source))
        check(job)
        job.results.publish(CYCLE)
        return job

    return run


def test_own_rules_and_changed_severities_reach_the_exports(checked):
    job = checked(STANDARDS)
    told = job.results.read("problems").set_index("row_key")
    assert set(told.loc[["L2"], "rule"]) == {"budget_plausible"}
    assert set(told.loc[["L3"], "rule"]) == {"no_fair", "unusual_price"}
    assert set(told.loc[told["rule"] == "unusual_price", "severity"]) == {"quarantine"}
    accepted = job.lake.read("accepted", "leads").set_index("lead_id")
    assert sorted(accepted.index) == ["L1", "L2"]
    assert accepted["budget"].isna().to_dict() == {"L1": False, "L2": True}
    assert job.lake.read("accepted", "defeats")["reason_code"].tolist() == ["supply_licence_plate"]
    exported = export_frame(job.workspace, "rejected", CYCLE.name).set_index("rule")
    assert exported.loc["budget_plausible", "message"] == "「预算」为 900，低于 30000"
    assert exported.loc["no_fair", ["row_key", "severity"]].tolist() == ["L3", "warn"]
    verdicts = job.results.read("expectations").set_index("id")
    assert verdicts.loc["leads.budget_plausible.budget", ["outcome", "checked", "failed"]].tolist() == ["failed", 3, 1]
    assert verdicts.loc["leads.budget_plausible.budget", "owner"] == "sales_consultant"
    lost = set(job.results.read("losses")["rule"])
    assert {"budget_plausible", "no_fair", "unusual_price"} <= lost


def test_without_the_folder_none_of_it_holds(checked):
    job = checked({})
    told = job.results.read("problems")
    assert not set(told["rule"]) & {"budget_plausible", "no_fair"}
    assert set(told.loc[told["rule"] == "unusual_price", "severity"]) == {"warn"}
    assert "unknown_reason" in set(told["rule"])


def test_nothing_runs_by_standards_that_are_faulty(checked, workspace):
    faulty = {"expectations": STANDARDS["expectations"].replace('"budget"', '"budgett"')}
    with pytest.raises(CatalogueError, match="budgett"):
        checked(faulty)
    assert not list(workspace.lake.glob("*/*"))
