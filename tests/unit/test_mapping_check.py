"""``rematch map check``: everything missing or unmapped in one pass, with file, column and nearest candidates."""

import pytest

from tasks.mapping_tools import check_mapping

MAPPING = """
[inputs.leads]
files = "leads*.csv"
[inputs.teams]
files = "teams.csv"
[[tables.dealers]]
from = "teams"
fields = { dealer_id = "store", name = "store", region_id = { constant = "ALL" } }
[[tables.leads]]
from = "leads"
[[tables.leads.join]]
input = "teams"
on = { rep = "name" }
[tables.leads.fields]
lead_id = "id"
dealer_id = "teams.store"
phone = "tel"
series = "car"
created_at = { column = "created", formats = ["%m/%d/%Y"] }
status = { column = "state", values = { "gone" = "defeated" } }
[[tables.defeats]]
from = "leads"
where = { column = "state", is = "gone" }
fields = { lead_id = "id", defeated_at = { column = "created", formats = ["%m/%d/%Y"] }, reason_code = "why" }
"""
LEADS = """id,rep,tel,car,created,state,why,extra
1,Ann,13800138000,A,1/2/2026,gone,price_too_hig,x
2,Ann,13800138001,A,31.1.2026,gone,price_too_high,x
3,Bob,13800138002,,1/3/2026,walking,,x
"""


@pytest.fixture
def source(tmp_path):
    (tmp_path / "leads_1.csv").write_text(LEADS, "utf-8")
    (tmp_path / "teams.csv").write_text("name,store\nAnn,S1\n", "utf-8")
    return tmp_path


def checked(source, mapping=MAPPING):
    file = source / "mapping.toml"
    file.write_text(mapping, "utf-8")
    report = check_mapping(source, file)
    assert all(finding.text("zh_CN") for finding in report.findings)
    return report, "\n".join(finding.text("en") for finding in report.findings)


def test_all_missing_columns_at_once_with_candidates(source):
    wrong = (
        MAPPING.replace('"car"', '"kar"')
        .replace('"tel"', '"telefone"')
        .replace('{ rep = "name" }', '{ repp = "name" }')
    )
    report, text = checked(source, wrong)
    assert not report.ok
    for column, candidate in [("kar", "car"), ("telefone", "tel"), ("repp", "rep")]:
        [line] = [line for line in text.splitlines() if f'"{column}"' in line]
        assert candidate in line.split("Nearest columns:")[1]
        assert "leads_1.csv" in line


def test_what_the_values_do_not_give(source):
    report, text = checked(source)
    assert report.ok
    assert report.rows == {"leads": 3, "teams": 1}
    assert '"price_too_hig" (1 rows) has no code. Nearest codes: price_too_high' in text
    assert '"walking" (1 rows) has no code' in text
    assert "31.1.2026" in text
    assert "series" in text
    assert "unmatched_lookup" in text
    assert "extra" in text


def test_personal_values_never_appear(source):
    _, text = checked(source, MAPPING.replace('"walking"', '"x"'))
    assert "1380013" not in text


def test_a_source_that_fits_leaves_nothing_but_notices(source):
    (source / "leads_1.csv").write_text(
        "id,rep,tel,car,created,state,why\n1,Ann,13800138000,A,1/2/2026,gone,record\n", "utf-8"
    )
    report, text = checked(source)
    assert report.ok
    assert text.count("\n") <= 2, text
