"""One run at a time in a workspace, whichever command or schedule starts it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from models.errors import BusyError

LOCK_FILE = "run.lock"


def refuse_when_busy(home: Path) -> None:
    """BusyError at once when a run holds the workspace, before anything is started for another one."""
    with workspace_lock(home):
        pass


@contextmanager
def workspace_lock(home: Path) -> Iterator[None]:
    """Only one run at a time in a workspace; raises BusyError naming the process that holds it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK_FILE).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = json.loads(lock.read() or "{}")
            raise BusyError("run.busy", pid=holder.get("pid", "?"), since=holder.get("since", "?")) from None
        lock.seek(0)
        lock.truncate()
        lock.write(json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}))
        lock.flush()
        yield
