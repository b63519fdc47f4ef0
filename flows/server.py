"""The embedded Prefect server of a workspace (design.md section 4).

One child process on the loopback address, its history in SQLite under the workspace and its output in a log file. It is
started before the heavy imports, reused when the one named in the workspace answers, and drained before it is stopped:
the ephemeral server Prefect would start by itself loses task runs and prints tracebacks at exit.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from flows.sweeping import crash_dead_prefect_runs, run_tags
from models.errors import SettingsError
from models.workspace import Workspace

HOST = "127.0.0.1"
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0
DRAIN_TIMEOUT_S = 60.0
ABANDON_TIMEOUT_S = 5.0
STABLE_S = 1.6  # longer than the server's flush interval of one second

# Settings of every server we start; each line answers a trap of design.md sections 4 and 5.
SERVER_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # calls an outside host from the browser
    "PREFECT_SERVER_UI_API_URL": "/api",  # the built-in default names port 4200
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}
# Settings of the process that runs flows.
CLIENT_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",  # an accidental second server fails at once
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}


_children: dict[int, subprocess.Popen[bytes]] = {}  # servers this process started, to be reaped


@dataclass(frozen=True)
class Server:
    """A Prefect API in use; ``pid`` is that of the embedded server, 0 for one the settings name."""

    url: str
    pid: int = 0
    started: float = 0.0  # when the process was made (seconds since 1970): a pid alone may be another process by now
    log: Path | None = None
    fresh: bool = False  # started by this command

    @property
    def ui(self) -> str:
        """Address of Prefect's pages."""
        return self.url.removesuffix("/api")

    def process(self) -> psutil.Process | None:
        """The process of an embedded server while it lives."""
        try:
            process = psutil.Process(self.pid)
            same = self.pid != 0 and abs(process.create_time() - self.started) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def healthy(url: str, timeout: float = 1.0) -> bool:
    """Whether a Prefect API answers at ``url``."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=timeout) as answer:  # noqa: S310  our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def server_environment(workspace: Workspace) -> dict[str, str]:
    """The environment of a server process of this workspace."""
    home = workspace.prefect
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        **SERVER_SETTINGS,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }


def use_api(workspace: Workspace, url: str) -> None:
    """Point this process's Prefect at ``url``; to be called before Prefect is imported."""
    os.environ.update(CLIENT_SETTINGS)
    os.environ["PREFECT_HOME"] = str(workspace.prefect)
    os.environ["PREFECT_API_URL"] = url


def launch(workspace: Workspace, port: int = 0, host: str = HOST) -> Server:
    """Start a server process and return at once; ``wait_until_ready`` waits for it."""
    workspace.prefect.mkdir(parents=True, exist_ok=True)
    workspace.logs.mkdir(parents=True, exist_ok=True)
    log = workspace.logs / "prefect-server.log"
    port = port or free_port()
    with log.open("ab") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", host, "--port", str(port)],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=server_environment(workspace),
            start_new_session=True,  # Ctrl-C reaches us alone: the server must outlive the drain
        )
    started = psutil.Process(child.pid).create_time()
    _children[child.pid] = child
    return Server(f"http://{host}:{port}/api", child.pid, started, log, fresh=True)


def wait_until_ready(server: Server, timeout: float = START_TIMEOUT_S) -> None:
    """Wait for the server to answer; raises SettingsError naming its log when it stops or stays silent."""
    until = time.monotonic() + timeout
    while not healthy(server.url):
        if server.process() is None or time.monotonic() > until:
            raise SettingsError("server.not_started", log=server.log or server.url)
        time.sleep(0.1)


def stop(server: Server) -> None:
    """Stop an embedded server and what it started."""
    process = server.process()
    if process is None:
        return
    family = [process, *process.children(recursive=True)]
    process.terminate()
    _, left = psutil.wait_procs(family, STOP_TIMEOUT_S)
    for one in left:
        one.kill()
    psutil.wait_procs(left, STOP_TIMEOUT_S)
    if child := _children.pop(server.pid, None):
        child.wait(STOP_TIMEOUT_S)


@contextmanager
def _held(file: Path, how: int) -> Iterator[IO[str]]:
    with file.open("a+", encoding="utf-8") as lock:
        fcntl.flock(lock, how)
        yield lock


def _running(state: Path) -> Server | None:
    """The server another command of this workspace named, if its process lives (it may not answer yet)."""
    try:
        said = json.loads(state.read_text("utf-8"))
        server = Server(said["url"], said["pid"], said["started"], Path(said["log"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return server if said.get("host") == socket.gethostname() and server.process() is not None else None


def _write(state: Path, server: Server) -> None:
    said = {"url": server.url, "pid": server.pid, "started": server.started, "log": str(server.log)}
    state.write_text(json.dumps(said | {"host": socket.gethostname()}), "utf-8")  # read under the guard only


@contextmanager
def embedded_server(workspace: Workspace, host: str = HOST, port: int = 0) -> Iterator[Server]:
    """The workspace's own server: the one running already, else a new child; who leaves last stops it.

    Every command that uses it holds a shared lock, so that the one that started it may end before the others, and one
    left behind by a killed command is taken over. The caller waits with ``wait_until_ready``.
    """
    folder = workspace.prefect
    folder.mkdir(parents=True, exist_ok=True)
    state, guard = folder / "server.json", folder / "server.lock"
    with _held(folder / "server.users", fcntl.LOCK_UN) as users:
        with _held(guard, fcntl.LOCK_EX):
            fcntl.flock(users, fcntl.LOCK_SH)
            server = _running(state)
            if server is None:
                server = launch(workspace, port, host)
                _write(state, server)
        try:
            yield server
        finally:
            with _held(guard, fcntl.LOCK_EX):
                if _nobody_else(users):
                    stop(server)
                    state.unlink(missing_ok=True)


def _nobody_else(users: IO[str]) -> bool:
    """Whether no other command uses the server; gives up our own claim to it either way."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def prefect_api(workspace: Workspace) -> Iterator[Server]:
    """The Prefect API a run of this workspace uses, for the time of the ``with`` block.

    The settings' API when one is named, else the workspace's own server, drained before it is stopped. Raises
    SettingsError when none can be reached or started.
    """
    named = workspace.settings.prefect_api_url
    if named:
        if not healthy(named, timeout=10):
            raise SettingsError("server.not_reached", url=named)
        use_api(workspace, named)
        with recorded(workspace, Server(named)):
            yield Server(named)
        return
    with embedded_server(workspace) as server:
        use_api(workspace, server.url)
        # Prefect's own import takes about as long as the server needs to answer.
        import prefect.main  # noqa: F401, PLC0415

        wait_until_ready(server)
        with recorded(workspace, server):
            yield server


def log_to_file(log: Path) -> None:
    """Prefect's own lines (with the tracebacks of failed runs) go to a file; what the reader must know, we say."""
    from prefect.logging.configuration import setup_logging  # noqa: PLC0415

    setup_logging()  # otherwise done at the first run, which would bring the console back
    log.parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(log, encoding="utf-8", delay=True)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    loggers = [logging.root, *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    for logger in loggers:
        for handler in list(logger.handlers):
            if type(handler).__module__.startswith("prefect.") and isinstance(handler, logging.StreamHandler):
                logger.removeHandler(handler)
                logger.addHandler(file)


@contextmanager
def recorded(workspace: Workspace, server: Server) -> Iterator[None]:
    """Runs inside are tagged with this process, lose no record, and pay no second per subflow for a heartbeat.

    What dead processes left running in Prefect's history is ended first.
    """
    from prefect import tags  # noqa: PLC0415
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings  # noqa: PLC0415

    log_to_file(workspace.logs / "runs.log")
    crash_dead_prefect_runs(fresh=server.fresh)
    patience = ABANDON_TIMEOUT_S  # what was interrupted never ends: no use in waiting for it
    try:
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}), tags(*run_tags()):
            yield
        patience = DRAIN_TIMEOUT_S
    finally:
        drain(patience)


def drain(timeout: float) -> int:
    """Deliver what this process still has to tell the server and wait until it has written it down.

    Returns the number of this process's task runs the server knows; it is stable and none is pending or running then.
    """
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.events.worker import EventsWorker  # noqa: PLC0415
    from prefect.logging.handlers import APILogWorker  # noqa: PLC0415

    EventsWorker.drain_all()
    APILogWorker.drain_all()
    until = time.monotonic() + timeout
    ours = {"tags": {"all_": list(run_tags())}}
    unfinished = ours | {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}}
    with get_client(sync_client=True) as client:

        def count(runs: dict[str, object]) -> int:
            return int(client._client.post("/task_runs/count", json={"task_runs": runs}).json())

        seen, since = -1, time.monotonic()
        while time.monotonic() < until:
            now = count(ours)
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > STABLE_S and count(unfinished) == 0:
                break
            time.sleep(0.2)
    return seen
