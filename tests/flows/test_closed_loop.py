"""The cycle as a whole: what it leaves behind, that it continues, and that it says what failed."""

import csv
import io
import json
import shutil
import signal
import time

import openpyxl
import pandas as pd
import pytest
from pyarrow import parquet

from flows.locking import workspace_lock
from models import ledger
from models.database import Database
from models.enums import PointState, Step
from models.workspace import Workspace
from tasks.exporting import EXPORTS, export_frame

CYCLE = "2026-08"

# Times of real work differ between runs; everything else may not.
CLOCKED = {"keypoints"}
COMPARED = [what for what, export in EXPORTS.items() if export.read is not None and what not in CLOCKED]


def run_cycle(source, cycle=CYCLE, as_of=None):
    from flows.closed_loop import closed_loop

    return closed_loop(cycle=cycle, source=str(source), as_of=as_of, return_state=True)


def exports(home):
    workspace = Workspace.open(home)
    return {what: export_frame(workspace, what, CYCLE) for what in COMPARED}


def assert_same(left, right):
    for what in COMPARED:
        pd.testing.assert_frame_equal(left[what], right[what], obj=what)


@pytest.fixture(scope="module")
def finished(prefect_server, sample, tmp_path_factory):
    """A workspace in which the cycle ran undisturbed."""
    from models.workspace import HOME_VARIABLE

    folder = tmp_path_factory.mktemp("finished") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(folder))
        state = run_cycle(sample)
    assert state.is_completed(), state.message
    return folder


def test_every_dealer_gets_page_and_workbook_in_both_languages(finished):
    plans = export_frame(Workspace.open(finished), "plans", CYCLE)
    dealers = finished / "reports" / CYCLE / "dealers"
    assert plans["dealer_id"].nunique() == 24
    for dealer in plans["dealer_id"].unique():
        for locale in ("zh_CN", "en"):
            page = (dealers / dealer / f"plan.{locale}.html").read_text("utf-8")
            assert f"{CYCLE}-{dealer}" in page
            book = openpyxl.load_workbook(dealers / dealer / f"plan.{locale}.xlsx")
            assert book.worksheets[0]["A1"].value


def test_rows_in_are_accepted_quarantined_held_or_duplicate(finished, sample):
    quality = export_frame(Workspace.open(finished), "quality", CYCLE)
    parts = quality[["accepted", "quarantined", "held", "duplicates"]].sum().sum()
    written = sum(rows_of(file) for file in sample.iterdir() if file.is_file())
    assert quality["rows"].sum() == parts == written


def rows_of(file):
    """The data rows of an exported file, counted without our own readers."""
    if file.suffix == ".parquet":
        return parquet.read_metadata(file).num_rows
    if file.suffix == ".xlsx":
        return openpyxl.load_workbook(file, read_only=True).active.max_row - 1
    raw = file.read_bytes()
    text = raw.decode("gb18030" if _gb18030(raw) else "utf-8-sig")
    return sum(1 for _ in csv.reader(io.StringIO(text, newline=""))) - 1


def _gb18030(raw):
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def test_key_points_are_recorded_with_owner_and_deadline(finished):
    points = ledger.key_points(Database.of(Workspace.open(finished)), CYCLE)
    assert [point.step for point in points] == list(Step)
    assert all(point.state is PointState.FINISHED for point in points)
    assert all(point.finished_at >= point.started_at and point.due_at for point in points)
    assert all(point.prefect_flow_run_id for point in points[1:])


def test_exports_have_the_columns_of_the_contract(finished):
    for what, frame in exports(finished).items():
        assert tuple(frame.columns) == EXPORTS[what].columns, what
    defeats = export_frame(Workspace.open(finished), "defeats", CYCLE)
    assert len(defeats) > 100
    assert set(defeats["verdict"]) == {"true", "quasi", "false"}


def test_running_again_changes_nothing(finished, prefect_server, sample, monkeypatch):
    before = exports(finished)
    monkeypatch.setenv("REMATCH_HOME", str(finished))
    versions = sorted(path.name for path in (finished / "results" / CYCLE).iterdir())
    assert run_cycle(sample).is_completed()
    assert sorted(path.name for path in (finished / "results" / CYCLE).iterdir()) == versions
    assert_same(exports(finished), before)


def test_postgresql_ends_with_the_same_exports(finished, prefect_server, sample, home, postgres, monkeypatch):
    name = postgres.new(migrated=False)
    monkeypatch.setenv("REMATCH_DATABASE_URL", postgres.url(name))
    assert run_cycle(sample).is_completed()
    there = exports(home)
    postgres.drop(name)
    monkeypatch.delenv("REMATCH_DATABASE_URL")
    assert_same(there, exports(finished))


@pytest.mark.parametrize("moment", ["between steps", "inside a step"])
def test_a_killed_run_continues_to_the_same_exports(finished, prefect_server, sample, home, rematch, moment):
    process = rematch("run", "--source", sample, "--cycle", CYCLE, api=prefect_server, wait=False)
    patterns = {"between steps": f"results/{CYCLE}/*/steps/filter.json", "inside a step": f"reports/{CYCLE}/dealers/*"}
    wait_for(lambda: any(home.glob(patterns[moment])), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (home / "results" / CYCLE / "current.json").exists()
    done = {path: path.stat().st_mtime_ns for path in home.glob(f"results/{CYCLE}/*/defeats.parquet")}
    assert run_cycle(sample).is_completed()
    assert_same(exports(home), exports(finished))
    assert {path: path.stat().st_mtime_ns for path in done} == done, "a finished step was done again"


def wait_for(condition, process, timeout=120):
    until = time.monotonic() + timeout
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_dealer_that_fails_is_named_and_stops_nobody(prefect_server, sample, home, monkeypatch):
    blocked = home / "reports" / CYCLE / "dealers" / first_dealer(sample)
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where the dealer's folder should be")
    state = run_cycle(sample)
    assert state.is_completed()
    assert state.name == "CompletedWithProblems"
    points = {point.step: point for point in ledger.key_points(Database.of(Workspace.open(home)), CYCLE)}
    assert points[Step.DELIVER].state is PointState.WITH_PROBLEMS
    assert first_dealer(sample) in (home / "reports" / CYCLE / "index.en.html").read_text("utf-8")
    assert len(list(blocked.parent.glob("*/plan.en.html"))) == 23


def test_too_many_failed_dealers_fail_the_run_and_running_again_mends_it(prefect_server, sample, home):
    folder = home / "reports" / CYCLE / "dealers"
    folder.parent.mkdir(parents=True)
    folder.write_text("no dealer can be written")
    state = run_cycle(sample)
    assert state.is_failed()
    assert "24" in str(state.result(raise_on_failure=False))
    folder.unlink()
    assert run_cycle(sample).name == "Completed"


def first_dealer(sample):
    return pd.read_csv(sample / "truth" / "dealers.csv", dtype=str)["dealer_id"].iloc[0]


def test_a_broken_file_stops_only_itself(prefect_server, sample, home, tmp_path, rematch):
    source = tmp_path / "exports"
    shutil.copytree(sample, source)
    broken = next(iter(sorted(source.glob("interactions_*.csv"))))
    broken.write_bytes(b"PK\x03\x04 this is no csv")
    done = rematch("run", "--source", source, "--cycle", CYCLE, api=prefect_server)
    assert done.returncode == 3, done.err
    assert broken.name in done.out
    assert "Traceback" not in done.out + done.err
    assert len(export_frame(Workspace.open(home), "plans", CYCLE))


def test_a_corrected_file_is_taken_in_and_judged_as_a_new_version(prefect_server, sample, home, tmp_path):
    source = tmp_path / "exports"
    shutil.copytree(sample, source)
    run_cycle(source)
    before = export_frame(Workspace.open(home), "defeats", CYCLE)
    file = source / f"defeats_{CYCLE}.csv"
    file.write_bytes(file.read_bytes().replace(b'"competitor"', b'"unknown"'))
    run_cycle(source)
    after = export_frame(Workspace.open(home), "defeats", CYCLE)
    assert len(after) == len(before), "corrected rows replace the old ones"
    named = [(frame["destination"] == "competitor").sum() for frame in (before, after)]
    assert named[1] < named[0]
    current = json.loads((home / "results" / CYCLE / "current.json").read_text())["version"]
    versions = [path.name for path in (home / "results" / CYCLE).iterdir() if path.is_dir()]
    assert len(versions) == 2
    assert current in versions


def test_two_runs_at_once_are_refused(prefect_server, sample, home, rematch):
    with workspace_lock(home):
        done = rematch("run", "--source", sample, "--cycle", CYCLE, api=prefect_server)
    assert done.returncode == 5
    assert "Another run holds this workspace" in done.out + done.err


def test_nothing_personal_reaches_prefect_or_the_logs(finished, prefect_server, sample):
    phones = pd.read_csv(sample / f"sales_{CYCLE}.csv", dtype=str)["phone"].dropna().head(200)
    digits = {"".join(c for c in phone if c.isdigit())[-11:] for phone in phones if len(phone) >= 11}
    written = [path.read_text("utf-8", errors="replace") for path in (finished / "logs").glob("*")]
    written += [path.read_text("utf-8") for path in (finished / "reports").rglob("*.html")]
    assert digits
    assert not any(phone in text for phone in digits for text in written)


@pytest.mark.parametrize("cycle", ["", "2026-04"])
def test_one_dealer_with_a_handful_of_rows_gets_an_honest_plan(prefect_server, home, tmp_path, cycle):
    source = tmp_path / "own"
    source.mkdir()
    (source / "dealers.csv").write_text("dealer_id,name,region_id\nA1,Store,North\n")
    (source / "leads.csv").write_text(
        "lead_id,dealer_id,phone,series,created_at,status,ordered_at,defeated_at\n"
        "L1,A1,13800000001,S1,2026-05-02,won,2026-05-20,\n"
        "L2,A1,13800000002,S1,2026-05-03,defeated,,2026-05-25\n"
        "L3,A1,123,S1,2026-05-04,defeated,,2026-05-26\n"
    )
    (source / "defeats.csv").write_text("lead_id,defeated_at,reason_code\nL2,2026-05-25,price_too_high\n")
    assert run_cycle(source, cycle).is_completed()
    workspace, judged = Workspace.open(home), cycle or "2026-05"  # the only month there is, though it has not ended
    plan = export_frame(workspace, "plans", judged)
    assert plan[["dealer_id", "kind"]].to_numpy().tolist() == [["A1", "keep"]]
    rejected = export_frame(workspace, "rejected", judged)
    assert {("L3", "malformed_phone")} <= set(zip(rejected["row_key"], rejected["rule"], strict=True))
