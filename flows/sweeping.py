"""What killed processes left "running": in our own record of runs, and in the history of the embedded Prefect server.

A run is tagged with the host and the process that works on it; when that process is gone, nobody will ever end it.
"""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil

from models.messages import text

if TYPE_CHECKING:
    from models.database import Database
    from models.schemas import Run

INTERRUPTED = "run.interrupted"  # message key of a run whose process is gone
PAGE = 200  # runs asked for at once


def run_tags() -> tuple[str, str]:
    """The tags of all Prefect runs of this process."""
    return f"host:{socket.gethostname()}", f"pid:{os.getpid()}"


def alive(pid: int, since: datetime) -> bool:
    """Whether the process ``pid`` that worked at the instant ``since`` still lives (and is not a later one)."""
    try:
        return psutil.Process(pid).create_time() <= since.timestamp() + 1
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def dead_runs(db: Database) -> tuple[Run, ...]:
    """The runs recorded as running whose process on this host is gone."""
    from models import ledger  # noqa: PLC0415  the embedded server is started before heavy imports
    from models.enums import PointState  # noqa: PLC0415

    running = ledger.runs(db, state=PointState.RUNNING)
    return tuple(run for run in running if run.host == socket.gethostname() and not alive(run.pid, run.started_at))


def close_dead_runs(db: Database, locale: str) -> None:
    """Record runs of dead processes, and the steps they were in, as failed; running again continues them."""
    from models import ledger  # noqa: PLC0415
    from models.enums import PointState  # noqa: PLC0415
    from models.facts import Cycle  # noqa: PLC0415

    now, why = datetime.now(UTC), text(INTERRUPTED, locale)
    for run in dead_runs(db):
        for point in ledger.key_points(db, run.cycle):
            if point.state is PointState.RUNNING:
                cycle = Cycle(run.cycle, run.as_of)
                ledger.record_point(db, cycle, point.step, PointState.FAILED, at=now, note=why)
        ledger.close_run(db, run.run_id, PointState.FAILED, at=now, message=why)


def crash_dead_prefect_runs(*, fresh: bool) -> int:
    """Force the state Crashed on Prefect runs of dead processes, with their tasks; answers how many flow runs.

    On a server that was just started (``fresh``) runs without our tags (scheduled ones) are dead too: what worked on
    them was connected to the server before.
    """
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.client.schemas.filters import FlowRunFilter, TaskRunFilter  # noqa: PLC0415
    from prefect.states import Crashed  # noqa: PLC0415

    unfinished = {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}
    reason = Crashed(message="the process that worked on it is gone")
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(unfinished), limit=PAGE)
        dead = [run for run in runs if _dead(run.tags, run.start_time or run.created, fresh=fresh)]
        for run in dead:
            its = FlowRunFilter.model_validate({"id": {"any_": [str(run.id)]}})
            tasks = TaskRunFilter.model_validate(unfinished)
            for task in client.read_task_runs(flow_run_filter=its, task_run_filter=tasks, limit=PAGE):
                client.set_task_run_state(task.id, reason, force=True)
            client.set_flow_run_state(run.id, reason, force=True)
    return len(dead)


def _dead(tags: list[str], since: datetime | None, *, fresh: bool) -> bool:
    said = dict(tag.split(":", 1) for tag in tags if ":" in tag)
    if "pid" not in said or "host" not in said:
        return fresh
    return said["host"] == socket.gethostname() and not alive(int(said["pid"]), since or datetime.now(UTC))
