"""Quality pages and Data Docs of a small network over two cycles: what they say, and nothing personal on them."""

import re
from datetime import datetime

import pytest
from support.corrections import FILES, LEADS, checked, fill_in, write

from models.facts import Cycle
from models.messages import LOCALES
from tasks.compute.folding import UNASSIGNED
from tasks.corrections import take_back
from tasks.ingest import ingest
from tasks.quality_docs import write_data_docs
from tasks.quality_reports import dealer_folder, docs_path, gate_table, write_quality

DEALERS = ["D1", "D2", "D3", UNASSIGNED]
NEXT = Cycle("2025-04", datetime(2025, 5, 31))


@pytest.fixture(scope="module")
def module_workspace(tmp_path_factory):
    from models.workspace import Workspace

    home = tmp_path_factory.mktemp("quality")
    workspace = Workspace.open(home / "workspace")
    workspace.create()
    return workspace


@pytest.fixture(scope="module")
def jobs(module_workspace):
    """Cycle one; then D1 corrects its age and a new kind of fault comes with cycle two."""
    workspace, folder = module_workspace, module_workspace.home.parent
    source = write(folder / "in", **FILES)
    first = checked(workspace, source)
    write_quality(first, DEALERS)
    write_data_docs(first)
    workbook = dealer_folder(first, "D1") / "corrections.en.xlsx"
    filled = fill_in(workbook, folder / "back.xlsx", ("leads", "lead_id", "L2", "age", "40"))
    take_back(workspace, [filled], "user1", "en")
    extra = "L11,D1,,13800000031,S1,2025-04-05,defeated,,2025-04-01,30,,C1,web\n"
    (source / "leads.csv").write_text(LEADS + extra, "utf-8")
    ingest(workspace, source)
    second = checked(workspace, version="v2", cycle=NEXT)
    return first, second, write_quality(second, DEALERS), write_data_docs(second)


def words(path):
    page = re.sub(r"<style>.*?</style>", "", path.read_text("utf-8"), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def page(job, dealer, locale="en"):
    return words(dealer_folder(job, dealer) / f"quality.{locale}.html")


def test_every_dealer_has_its_page_in_every_language(jobs):
    _, second, made, _ = jobs
    assert (made.dealers, made.failures) == (3, ())
    for dealer in ("D1", "D2", "D3"):
        for locale in LOCALES:
            assert (dealer_folder(second, dealer) / f"quality.{locale}.html").is_file()
    assert not (dealer_folder(second, UNASSIGNED) / "quality.en.html").exists()


def test_the_page_says_gate_score_and_what_to_mend_first(jobs):
    told = page(jobs[1], "D2")
    assert "failed (under 60)" in told
    assert "left out of comparisons" in told
    assert re.search(r"1\. leads · .{0,80}5? ?of 5 rows|1\. leads", told)
    assert "check the number with the customer" in told
    assert "得分" in page(jobs[1], "D2", "zh_CN")
    assert "Nothing to mend" in page(jobs[1], "D3")


def test_points_lost_add_up_to_what_is_missing(jobs):
    results = jobs[1].results
    losses, quality = results.read("losses"), results.read("quality").set_index("dealer_id")
    lost = losses.groupby("dealer_id")["points"].sum()
    assert quality.loc["D1", "score"] == pytest.approx(100 - lost["D1"], abs=0.01)
    shown = [float(value.replace("−", "-")) for value in re.findall(r"-\d+\.\d\d(?!\d)", page(jobs[1], "D1"))]
    assert sum(shown) == pytest.approx(-lost["D1"], abs=0.05)


def test_what_is_new_and_what_was_corrected(jobs):
    first, second = page(jobs[0], "D1"), page(jobs[1], "D1")
    assert "No new kind of problem" in first
    assert "defeat is not before creation" in second.split("New this cycle")[1].split("What was corrected")[0]
    corrected = second.split("What was corrected")[1]
    assert "1 rows that failed last cycle no longer do" not in corrected, "L2's budget still fails in the same row"
    assert "user1" in corrected
    assert "1 rows and 1 cells corrected" in corrected


def test_nothing_personal_and_nothing_from_outside_on_any_page(jobs):
    pages = sorted(jobs[1].workspace.reports.rglob("*.html"))
    assert len(pages) > 10
    for path in pages:
        content = path.read_text("utf-8")
        assert not re.search(r"138\d{8}|张三|李四|王五|钱七", content), path.name
        assert not re.search(r"(src|href)=\"(https?:)?//|@import|<script", content), path.name


def test_data_docs_list_every_check_with_trend_and_first_finding(jobs):
    second = jobs[1]
    nation = docs_path(second, "en").read_text("utf-8")
    asked = second.results.read("expectations")
    assert nation.count("<tr><td>") >= len(asked)
    fresh = re.search(r"<tr><td>defeated at: defeat is not before creation</td>.*?</tr>", nation)[0]
    assert "new this cycle" in fresh
    old = re.search(r"<tr><td>budget: prices are above zero</td>.*?</tr>", nation)[0]
    assert "2025-03" in old
    assert "not checked" in nation
    chinese = docs_path(second, "zh_CN").read_text("utf-8")
    assert "数据检查文档" in chinese
    assert not re.search(r">(passed|failed|quarantine|warn)<", chinese)


def test_every_link_leads_to_a_file(jobs):
    folder = docs_path(jobs[1], "en").parent
    for path in [*folder.glob("*.html"), *dealer_folder(jobs[1], "D1").glob("*.html")]:
        for link in re.findall(r'href="([^"#]+)"', path.read_text("utf-8")):
            if not link.startswith(("data:", "plan.", "../../index.")):  # the plans and the overview are written apart
                assert (path.parent / link).is_file(), (path.name, link)


def test_the_gate_table_has_no_names(jobs):
    table = gate_table(jobs[1])
    assert {line["dealer"] for line in table} == set(DEALERS)
    assert {line["gate"] for line in table} <= {"pass", "warn", "fail"}
    assert "Store" not in str(table)
