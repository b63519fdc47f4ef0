"""`rematch status` in every state of a workspace: what is done, what is late, what failed, what was interrupted."""

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from flows.cli import run_command_line
from flows.sweeping import alive, close_dead_runs, dead_runs
from models import ledger
from models.database import Database
from models.enums import PointState, Step
from models.facts import Cycle
from models.home import HOME_VARIABLE
from models.schemas import DealerOutcome
from tasks.correction_tokens import ISSUED, RECEIVED, record

AT = datetime.now(UTC)
CYCLE = Cycle("2026-08", datetime(2026, 8, 31, 23, 59, 59))


@pytest.fixture
def state(workspace, monkeypatch):
    monkeypatch.setenv("REMATCH_LOCALE", "en")
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.home))
    db = Database.of(workspace)
    db.migrate()
    return db


@pytest.fixture
def status(state, capsys):
    def run():
        assert run_command_line(["status"]) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def dead_pid():
    """The id of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def opened(db, run_id="r1", pid=None, host=None, at=AT):
    pid, host = pid or os.getpid(), host or socket.gethostname()
    ledger.open_run(db, run_id, CYCLE, source="exports", at=at, host=host, pid=pid)
    ledger.record_point(db, CYCLE, Step.CHECK, PointState.RUNNING, at=at)


def test_nothing_has_run(status):
    assert "No cycle has run yet" in status()


def test_a_run_in_progress_names_its_process(state, status):
    opened(state)
    said = status()
    assert f"process {os.getpid()}" in said
    assert "running" in said


def test_a_finished_run_shows_its_key_points(state, status):
    opened(state)
    ledger.record_point(state, CYCLE, Step.CHECK, PointState.FINISHED, at=AT)
    ledger.close_run(state, "r1", PointState.FINISHED, at=AT)
    said = status()
    assert "Cycle 2026-08" in said
    assert "finished" in said
    assert "last run" not in said


def test_a_late_step_is_marked(state, status):
    ledger.record_point(state, CYCLE, Step.CHECK, PointState.FINISHED, at=AT + timedelta(days=900))
    opened(state)
    ledger.record_point(state, CYCLE, Step.CHECK, PointState.FINISHED, at=AT + timedelta(days=900))
    assert "late" in status().split("deadline")[1]


def test_a_failed_run_says_why_and_what_to_do(state, status):
    opened(state)
    ledger.close_run(state, "r1", PointState.FAILED, at=AT, message="the disk is full")
    said = status()
    assert "the disk is full" in said
    assert "Run again" in said


def test_dealers_that_failed_are_named(state, status):
    opened(state)
    failed = [DealerOutcome("D007", False, "deliver.failed", (("error", "OSError"),))]
    ledger.record_dealer_outcomes(state, CYCLE.name, Step.DELIVER, failed, at=AT)
    assert "D007: " in status()


def test_a_killed_run_is_said_and_the_next_one_records_it(state, status, dead_pid):
    opened(state, pid=dead_pid)
    assert f"process {dead_pid} is gone" in status()
    close_dead_runs(state, "en")
    [run] = ledger.runs(state)
    assert (run.state, run.message) == (PointState.FAILED, "the run was interrupted")
    [point] = ledger.key_points(state, CYCLE.name)
    assert point.state is PointState.FAILED
    assert "the run was interrupted" in status()


def test_runs_of_living_processes_and_of_other_hosts_are_left_alone(state, dead_pid):
    opened(state, "mine")
    opened(state, "elsewhere", pid=dead_pid, host="another-machine")
    assert dead_runs(state) == ()
    close_dead_runs(state, "en")
    assert {run.state for run in ledger.runs(state)} == {PointState.RUNNING}


def test_a_process_that_came_later_is_not_the_one_that_ran():
    assert alive(os.getpid(), datetime.now(UTC))
    assert not alive(os.getpid(), datetime.now(UTC) - timedelta(days=400))


def test_gates_signs_and_corrections_of_the_last_cycle(state, status, workspace):
    counts = {"gate_pass": 11, "gate_warn": 3, "gate_fail": 2}
    opened(state)
    ledger.record_point(state, CYCLE, Step.CHECK, PointState.FINISHED, at=AT, counts=counts)
    said = status()
    assert "11 dealers passed, 3 with a warning, 2 failed" in said
    assert "Signs" not in said, "not counted is not said to be none"
    assert "Correction" not in said
    signs = {"signals_to_check": 5, "dealers_to_check": 4, "signals_not_checked": 1}
    ledger.record_point(state, CYCLE, Step.CHECK, PointState.FINISHED, at=AT, counts=counts | signs)
    record(workspace, ISSUED, "D1", cycle=CYCLE.name, rows=9)
    record(workspace, ISSUED, "D2", cycle=CYCLE.name, rows=6)
    record(workspace, ISSUED, "D2", cycle="2026-07", rows=100)
    record(workspace, RECEIVED, "D2", cycle=CYCLE.name, rows=4, cells=5, refused=1, wrong=2)
    said = status()
    assert "5 at 4 dealers; 1 signs could not be looked for" in said
    assert "2 out with 15 rows, 1 returned" in said
    assert "4 rows corrected, 1 refused, 2 still wrong" in said
