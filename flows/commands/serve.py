"""`rematch serve`: Prefect's server with the schedules, until it is told to stop."""

from __future__ import annotations

import json
import os
from pathlib import Path

from flows.commands.screen import say
from flows.deployments import SCHEDULES, deployments
from flows.server import free_port, launch, stop, use_api, wait_until_ready
from models.workspace import HOME_VARIABLE, Workspace


def serve_schedules(home: Path, host: str, port: int) -> None:
    """Run server and schedules in the foreground; Ctrl-C or SIGTERM stops both."""
    workspace = Workspace.open(home)
    workspace.create()
    os.environ[HOME_VARIABLE] = str(home)
    state = workspace.prefect / "server.json"
    server = launch(workspace, port or free_port(), host)
    use_api(workspace, server.url)
    try:
        wait_until_ready(server)
        state.write_text(json.dumps({"url": server.url, "pid": server.process.pid if server.process else 0}), "utf-8")
        say("serve.ready", url=server.ui)
        for entry in SCHEDULES:
            say(
                "serve.schedule",
                name=entry.name,
                cron=entry.cron(workspace.settings),
                zone=workspace.settings.timezone,
            )
        from prefect import serve  # noqa: PLC0415

        serve(*deployments(workspace.settings), print_starting_message=False)
    finally:
        state.unlink(missing_ok=True)
        stop(server)
