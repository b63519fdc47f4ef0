"""`rematch serve` as a real process: a scheduled cycle starts by itself, and stopping leaves nothing behind."""

import json
import signal
import time
import urllib.request

import psutil
import pytest

from models import ledger
from models.database import Database
from models.workspace import Workspace
from tasks.sample import write_sample
from tasks.settling import end_of_received

PORT = ("--port", "0")
EVERY_FEW_SECONDS = "* * * * * */20"  # the sixth field: a test need not wait for the next minute


@pytest.fixture
def exports(tmp_path):
    folder = tmp_path / "exports"
    write_sample(folder, 3, 2, 1, end_month="2026-08")
    return folder


def ask(url, path, body):
    request = urllib.request.Request(  # noqa: S310  our own address
        f"{url}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())


def until(condition, process, timeout=150):
    end = time.monotonic() + timeout
    while not (found := condition()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing came in time"
        time.sleep(0.3)
    return found


def test_a_scheduled_cycle_starts_by_itself_and_a_signal_stops_everything(rematch, home, exports):
    """Guards sqlalchemy < 2.1 in pyproject.toml: with 2.1 no scheduled run is ever inserted, and only a log says so."""
    state = home / "prefect" / "server.json"
    process = rematch(
        "serve", *PORT, wait=False, REMATCH_CYCLE_CRON=EVERY_FEW_SECONDS, REMATCH_CYCLE_SOURCE=str(exports)
    )
    url = json.loads(until(lambda: state.is_file() and state.read_text(), process))["url"]
    db = Database.of(Workspace.open(home))
    [run] = until(lambda: db.migrate() or ledger.runs(db), process)[:1]
    assert run.cycle == "2026-08", "the last complete month of the data"
    assert run.as_of == end_of_received(Workspace.open(home)), "what is known is the end of the data, not the clock"
    known = ask(url, "/flow_runs/filter", {"flow_runs": {"id": {"any_": [run.prefect_flow_run_id]}}})
    assert [(one["auto_scheduled"], one["parameters"]["source"]) for one in known] == [(True, str(exports))]
    [deployment] = ask(url, "/deployments/filter", {})
    assert deployment["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert deployment["global_concurrency_limit"]["limit"] == 1
    assert deployment["schedules"][0]["schedule"]["timezone"] == "Asia/Shanghai"
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    _, left = psutil.wait_procs(family, timeout=10)
    assert not left, [one.cmdline() for one in left]
    assert not state.exists()
    assert process.returncode in (0, 130)
    assert "Traceback" not in out + err
    assert "cycle" in out
