"""`rematch serve`: Prefect's server with the schedules, until it is told to stop."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from flows.commands.run import interrupt
from flows.commands.screen import say
from flows.commands.workspace import opened
from flows.deployments import SCHEDULES, deployments
from flows.server import embedded_server, log_to_file, use_api, wait_until_ready
from flows.sweeping import crash_dead_prefect_runs
from models.errors import SettingsError
from models.home import HOME_VARIABLE


def serve_schedules(home: Path, host: str, port: int) -> None:
    """Run server and schedules in the foreground; Ctrl-C or SIGTERM stops both.

    A server that another command of this workspace runs is used, and stays until that command ends.
    """
    workspace = opened(home)
    _refuse_taken(host, port)
    os.environ[HOME_VARIABLE] = str(home)
    signal.signal(signal.SIGTERM, interrupt)
    with embedded_server(workspace, host, port) as server:
        use_api(workspace, server.url)
        import prefect.main  # noqa: F401, PLC0415  takes about as long as the server needs to answer

        wait_until_ready(server)
        log_to_file(workspace.logs / "runs.log")
        crash_dead_prefect_runs(fresh=server.fresh)
        say("serve.ready", url=server.ui)
        if not workspace.settings.cycle_source:
            say("serve.no_source")
        for entry in SCHEDULES:
            cron = entry.cron(workspace.settings)
            say("serve.schedule", name=entry.name, cron=cron, zone=workspace.settings.timezone)
        from prefect import serve  # noqa: PLC0415

        serve(*deployments(workspace.settings), print_starting_message=False)
    say("serve.stopped")


def _refuse_taken(host: str, port: int) -> None:
    """SettingsError when something else listens on the port asked for."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError("server.port_taken", host=host, port=port, problem=error.strerror) from error
