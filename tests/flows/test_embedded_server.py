"""The embedded Prefect server: loses no record, is shared, ended by the last, taken over from the dead."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows.server import _running
from models import ledger
from models.database import Database
from models.enums import PointState
from models.workspace import Workspace
from tasks.sample import write_sample

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few") / "exports"
    write_sample(folder, 6, 3, 1, end_month="2026-08")
    return folder


def task_runs(home):
    with sqlite3.connect(home / "prefect" / "prefect.db") as db:
        return dict(db.execute("select state_type, count(*) from task_run group by state_type"))


def flow_runs(home):
    with sqlite3.connect(home / "prefect" / "prefect.db") as db:
        return dict(db.execute("select state_type, count(*) from flow_run group by state_type"))


FIFTY = """
import sys
from pathlib import Path
from flows.server import prefect_api
from models.workspace import Workspace
with prefect_api(Workspace.open(Path(sys.argv[1]))) as server:
    from prefect import flow, task
    @task
    def double(number):
        return 2 * number
    @flow
    def fifty():
        return sum(double.map(range(50)).result())
    print(fifty(), server.url, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def using(home):
    """A process that runs 50 mapped tasks on the workspace's server and holds it until told to end."""
    made = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", FIFTY, str(home)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        made.append(process)
        return process

    yield start
    for process in made:
        if process.poll() is None:
            process.kill()
            process.communicate()


def end(process):
    out, err = process.communicate("\n", timeout=90)
    assert process.returncode == 0, err
    return out, err


def said(home):
    return json.loads((home / "prefect" / "server.json").read_text())


def test_one_server_for_two_commands_and_no_task_run_lost(using, home):
    """Two commands start at once: one server, which the last to leave stops; 50 mapped tasks each are all recorded."""
    one, two = using(), using()
    answers = [process.stdout.readline().split() for process in (one, two)]
    assert [answer[0] for answer in answers] == ["2450", "2450"]
    assert answers[0][1] == answers[1][1], "one server"
    server = psutil.Process(said(home)["pid"])
    end(one)
    assert server.is_running(), "the other command still needs it"
    _, err = end(two)
    assert not server.is_running()
    assert not (home / "prefect" / "server.json").exists()
    assert task_runs(home) == {"COMPLETED": 100}
    assert err == ""


def test_what_a_killed_command_left_is_taken_over(using, home):
    """Its server is used and then stopped, its run no longer "running"."""
    killed = using()
    url = killed.stdout.readline().split()[1]
    server = psutil.Process(said(home)["pid"])
    with sqlite3.connect(home / "prefect" / "prefect.db") as db:  # as if it had been killed inside the flow
        db.execute("update flow_run set state_type = 'RUNNING', state_name = 'Running'")
        db.execute("update flow_run_state set type = 'RUNNING', name = 'Running' where type = 'COMPLETED'")
    killed.kill()
    killed.communicate()
    assert server.is_running()
    following = using()
    assert following.stdout.readline().split()[1] == url, "the server it left is used"
    end(following)
    assert not server.is_running()
    assert flow_runs(home) == {"CRASHED": 1, "COMPLETED": 1}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"url": "http://127.0.0.1:1/api"}', "dead", "elsewhere", "later"])
def test_a_file_that_names_no_living_server_of_ours_is_no_matter(home, content):
    """A dead process, another machine's, and a process that got the number of the old server later."""
    mine = psutil.Process()
    known = {"url": "http://127.0.0.1:1/api", "pid": mine.pid, "started": mine.create_time(), "log": "x"}
    known["host"] = socket.gethostname()
    changed = {"dead": {"pid": 2**22 + 1}, "elsewhere": {"host": "another"}, "later": {"started": 0.0}}
    state = home / "prefect" / "server.json"
    state.write_text(json.dumps(known))
    assert _running(state).pid == mine.pid
    state.write_text(json.dumps(known | changed[content]) if content in changed else content)
    assert _running(state) is None
    state.unlink()
    assert _running(state) is None


def test_ctrl_c_stops_cleanly_keeps_finished_steps_and_says_so(rematch, home, exports):
    process = rematch("run", "--source", exports, "--cycle", "2026-08", wait=False)
    until = time.monotonic() + 120
    while not list(home.glob("results/2026-08/*/steps/filter.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 130
    _, left = psutil.wait_procs(family, timeout=10)
    assert not left
    assert err.strip() == "Interrupted. Finished steps are kept; run the same command again to continue."
    assert "Traceback" not in out
    [run] = ledger.runs(Database.of(Workspace.open(home)))
    assert (run.state, run.message) == (PointState.FAILED, "the run was interrupted")
    assert "RUNNING" not in flow_runs(home)
    again = rematch("run", "--source", exports, "--cycle", "2026-08")
    assert again.returncode == 0, again.err
    assert again.err == ""
    assert "already done, kept" in again.out
    assert all(line.startswith((" ", "✓", "·", "Prefect's pages", "Cycle 2026-08")) for line in again.out.splitlines())
