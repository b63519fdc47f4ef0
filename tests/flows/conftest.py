"""One Prefect server for all flow tests, one small sample network, and a way to run cycles in a fresh workspace."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.server import CLIENT_SETTINGS, SERVER_SETTINGS
from models.settings import Settings
from models.workspace import HOME_VARIABLE, Workspace

ROOT = Path(__file__).parents[2]
CYCLE = "2026-08"


@pytest.fixture(scope="session")
def prefect_server():
    """A real Prefect server of the session, with the settings our own servers get."""
    os.environ.update(SERVER_SETTINGS | {k: v for k, v in CLIENT_SETTINGS.items() if "EPHEMERAL" not in k})
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with (
        prefect_test_harness(server_startup_timeout=90),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        yield PREFECT_API_URL.value()


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """A network of 24 dealers over 8 months, exported in contract form with dirty rows."""
    from tasks.sample import write_sample

    folder = tmp_path_factory.mktemp("sample") / "exports"
    write_sample(folder, 24, 8, 7, end_month=CYCLE)
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A fresh workspace named by REMATCH_HOME, free of the caller's settings."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"REMATCH_{name.upper()}", raising=False)
    folder = tmp_path / "home"
    monkeypatch.setenv(HOME_VARIABLE, str(folder))
    Workspace.open(folder).create()
    return folder


@pytest.fixture
def rematch(home, tmp_path):
    """The command line in a process of its own: ``rematch("run", ...)`` answers the finished process."""

    def run(*arguments, api="", wait=True, **variables):
        settings = {"REMATCH_LOCALE": "en", HOME_VARIABLE: str(home), **variables}
        if api:
            settings["REMATCH_PREFECT_API_URL"] = api
        if (
            signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        ):  # a suite in the background: its children would not hear Ctrl-C
            signal.signal(signal.SIGINT, signal.default_int_handler)
        command = [sys.executable, "-m", "flows", *map(str, arguments)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "REMATCH_"))} | settings
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        if not wait:
            return process
        process.out, process.err = process.communicate(timeout=300)
        return process

    return run
