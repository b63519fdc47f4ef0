"""Bad input through ingest and the check step: each kind ends in a clear outcome, every row accounted for."""

from datetime import datetime

import pytest

from models.database import migrate
from models.errors import SourceError
from models.facts import Cycle
from models.workspace import Workspace
from tasks.gating import check
from tasks.job import Job
from tasks.receiving import receive
from tasks.results import Results

CYCLE = Cycle("2025-03", datetime(2025, 4, 30))
DEALERS = "dealer_id,name,region_id\nD1,Store 1,R1\nD2,Store 2,R1\n"
HEADER = "lead_id,dealer_id,phone,series,created_at,status,age,consultant_id,source\n"
MANY = 50_000


def leads(rows, status="open", age="30", source="web"):
    made = [
        f"L{n},D{1 + n % 2},{13800000000 + n},S1,2025-03-{1 + n % 28:02d},{status},{age},C1,{source}"
        for n in range(rows)
    ]
    return "\n".join([HEADER.rstrip(), *made, ""])


@pytest.fixture
def checked(workspace, tmp_path):
    """The step's outcome, its results and its account by table, for a source of these files."""

    def run(**files):
        source = tmp_path / "in"
        source.mkdir(exist_ok=True)
        for name, content in (
            {"dealers": DEALERS, "leads": leads(4), "defeats": "lead_id,defeated_at\n"} | files
        ).items():
            (source / f"{name}.csv").write_text(content, "utf-8")
        english = Workspace.open(workspace.home, locale="en")
        migrate(english.database_url)
        receive(english, str(source), "", "en", datetime.fromisoformat("2025-05-01T00:00+00:00"))
        job = Job(english, CYCLE, Results.of(english.results, CYCLE, "test"), str(source))
        outcome = check(job)
        account = job.results.read("account").set_index("table")
        fates = account[["accepted", "quarantined", "held", "duplicates"]].sum(axis=1)
        assert (fates == account["rows"]).all()
        return outcome, job.results, account

    return run


def test_an_empty_optional_table_is_said_and_one_not_sent_is_no_pass(checked):
    outcome, results, account = checked(sales="sale_id,dealer_id,phone,series,sold_at\n")
    assert any("sales has no rows" in problem for problem in outcome.problems)
    assert "sales" not in account.index
    verdicts = results.read("expectations")
    of_sales = verdicts[(verdicts["table"] == "sales") & (verdicts["rule"] != "no_rows")]
    assert set(of_sales["outcome"]) == {"not_checked"}
    assert "revisits" not in set(verdicts["table"]), "what was not sent has no verdict at all"


def test_a_source_without_leads_ends_the_step_with_the_table_named(checked):
    with pytest.raises(SourceError, match="no usable rows"):
        checked(leads=HEADER)


def test_a_column_that_is_empty_throughout_is_not_checked(checked):
    _, results, account = checked(leads=leads(4, age="", source=""))
    verdicts = results.read("expectations").set_index("id")
    assert verdicts.loc["leads.age_out_of_range.age", ["outcome", "note"]].tolist() == ["not_checked", "all_null"]
    assert verdicts.loc["leads.missing_expected.source", "outcome"] == "not_checked"
    assert account.loc["leads", "accepted"] == 4


def test_a_column_of_a_wrong_type_empties_its_cells_and_says_so_per_row(checked):
    _, results, account = checked(leads=leads(4, age="adult"))
    told = results.read("rejected").query("rule == 'bad_number'")
    assert sorted(told["row_number"]) == [1, 2, 3, 4]
    assert set(told["column"]) == {"age"}
    assert account.loc["leads", ["accepted", "warned"]].tolist() == [4, 4]


def test_fifty_thousand_rows_all_bad_are_all_named(checked):
    outcome, results, account = checked(leads=leads(MANY, status="won"))
    assert account.loc["leads", ["rows", "accepted", "quarantined"]].tolist() == [MANY, 0, MANY]
    assert any(f"All {MANY} rows" in problem for problem in outcome.problems)
    told = results.read("rejected").query("rule == 'status_against_times'")
    assert told["row_number"].nunique() == MANY
    assert set(results.read("quality")["gate"]) == {"fail"}
