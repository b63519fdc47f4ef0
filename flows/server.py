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

from models.errors import SettingsError
from models.workspace import Workspace

HOST = "127.0.0.1"
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0
DRAIN_TIMEOUT_S = 60.0
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


@dataclass(frozen=True)
class Server:
    """A Prefect API in use; ``process`` is set when this command started it."""

    url: str
    process: subprocess.Popen[bytes] | None = None
    log: Path | None = None

    @property
    def ui(self) -> str:
        """Address of Prefect's pages."""
        return self.url.removesuffix("/api")


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


def launch(workspace: Workspace, port: int | None = None, host: str = HOST) -> Server:
    """Start a server process and return at once; ``wait_until_ready`` waits for it."""
    workspace.prefect.mkdir(parents=True, exist_ok=True)
    workspace.logs.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    log = workspace.logs / "prefect-server.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", host, "--port", str(port)],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=server_environment(workspace),
            start_new_session=True,  # Ctrl-C reaches us alone: the server must outlive the drain
        )
    return Server(f"http://{host}:{port}/api", process, log)


def wait_until_ready(server: Server, timeout: float = START_TIMEOUT_S) -> None:
    """Wait for the server to answer; raises SettingsError naming its log when it stops or stays silent."""
    until = time.monotonic() + timeout
    while not healthy(server.url):
        stopped = server.process is not None and server.process.poll() is not None
        if stopped or time.monotonic() > until:
            raise SettingsError("server.not_started", log=server.log or server.url)
        time.sleep(0.1)


def stop(server: Server) -> None:
    """Stop a server this command started; a reused one stays."""
    if server.process is None or server.process.poll() is not None:
        return
    server.process.terminate()
    try:
        server.process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


@contextmanager
def _only_one(file: Path) -> Iterator[IO[str]]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def _named_in(file: Path) -> str | None:
    try:
        url = json.loads(file.read_text("utf-8"))["url"]
    except (OSError, ValueError, KeyError):
        return None
    return url if isinstance(url, str) and healthy(url) else None


@contextmanager
def prefect_api(workspace: Workspace) -> Iterator[Server]:
    """The Prefect API a run of this workspace uses, for the time of the ``with`` block.

    The settings' API when one is named, else the server another command of this workspace runs, else a child of this
    process that is drained and stopped at the end. Raises SettingsError when none can be reached or started.
    """
    named = workspace.settings.prefect_api_url
    if named:
        if not healthy(named, timeout=10):
            raise SettingsError("server.not_reached", url=named)
        use_api(workspace, named)
        with _recorded(workspace):
            yield Server(named)
        return
    state = workspace.prefect / "server.json"
    with _only_one(workspace.prefect / "server.lock"):
        url = _named_in(state)
        server = Server(url) if url else launch(workspace)
        use_api(workspace, server.url)
        if server.process is not None:
            state.write_text(json.dumps({"url": server.url, "pid": server.process.pid}), "utf-8")
    try:
        # Prefect's own import takes about as long as the server needs to answer.
        import prefect.main  # noqa: F401, PLC0415

        wait_until_ready(server)
        with _recorded(workspace):
            yield server
    finally:
        stop(server)
        if server.process is not None:
            state.unlink(missing_ok=True)


def _to_log_file(log: Path) -> None:
    """Prefect's own lines (with the tracebacks of failed runs) go to a file; what the reader must know, we say."""
    from prefect.logging.configuration import setup_logging  # noqa: PLC0415

    setup_logging()  # otherwise done at the first run, which would bring the console back
    log.parent.mkdir(parents=True, exist_ok=True)
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "prefect"]:
        logger = logging.getLogger(name)
        for handler in [handler for handler in logger.handlers if "Console" in type(handler).__name__]:
            logger.removeHandler(handler)
            file = logging.FileHandler(log, encoding="utf-8", delay=True)
            file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
            logger.addHandler(file)


@contextmanager
def _recorded(workspace: Workspace) -> Iterator[None]:
    """Runs inside lose no record, and pay no second per subflow for Prefect's heartbeat thread."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings  # noqa: PLC0415

    _to_log_file(workspace.logs / "runs.log")
    try:
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            yield
    finally:
        drain()


def drain(timeout: float = DRAIN_TIMEOUT_S) -> int:
    """Deliver what this process still has to tell the server and wait until it has written it down.

    Returns the number of task runs the server knows; the count is stable and none is pending or running then.
    """
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.events.worker import EventsWorker  # noqa: PLC0415
    from prefect.logging.handlers import APILogWorker  # noqa: PLC0415

    EventsWorker.drain_all()
    APILogWorker.drain_all()
    until = time.monotonic() + timeout
    unfinished = {"task_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}}}
    with get_client(sync_client=True) as client:

        def count(body: dict[str, object]) -> int:
            return int(client._client.post("/task_runs/count", json=body).json())

        seen, since = -1, time.monotonic()
        while time.monotonic() < until:
            now = count({})
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > STABLE_S and count(unfinished) == 0:
                break
            time.sleep(0.2)
    return seen
