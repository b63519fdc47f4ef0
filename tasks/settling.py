"""Which month a run judges and with what knowledge, and what its results follow from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

import models
from models.catalogue.contract import contract
from models.facts import Cycle
from models.in_force import in_force
from models.workspace import Workspace
from tasks.compute.known import end_of_data
from tasks.lake import Lake

#: A month whose last days are missing for at most this long counts as complete: dealers rest on holidays.
REST_DAYS = 3


def settle_cycle(workspace: Workspace, name: str, as_of: datetime | None) -> Cycle:
    """The cycle to judge: ``name``, else the last complete month known at ``as_of``; ``as_of``, else the data's end.

    Data that begin in the month they end in are judged for that month, complete or not. Raises NotAvailableError when
    the received data has no usable date and the caller left either open.
    """
    moment = as_of or end_of_received(workspace)
    complete = _last_complete_month(moment.date())
    known = Lake(workspace.lake, workspace.key()).months("received", "leads")
    return Cycle(name or (complete if complete in known else f"{moment:%Y-%m}"), moment)


def end_of_received(workspace: Workspace) -> datetime:
    """The last moment the received data knows of; raises NotAvailableError when it has no usable date."""
    lake = Lake(workspace.lake, workspace.key())
    tables = {
        table: lake.read("received", table, columns=times)
        for table, entry in contract().tables.items()
        if (times := [name for name, field in entry.fields.items() if field.kind in ("datetime", "date")])
        and lake.has("received", table)
    }
    return end_of_data(tables).to_pydatetime()


def _last_complete_month(day: date) -> str:
    after = day + timedelta(days=REST_DAYS)
    if after.month != day.month or (day + timedelta(days=1)).month != day.month:
        return f"{day:%Y-%m}"
    last = day.replace(day=1) - timedelta(days=1)
    return f"{last:%Y-%m}"


def received_fingerprints(workspace: Workspace) -> dict[str, str]:
    """What each table of the lake's received layer contains, as a fingerprint."""
    lake = Lake(workspace.lake, workspace.key())
    return {table: lake.fingerprint("received", table) for table in contract().tables if lake.has("received", table)}


def scenes_fingerprint(workspace: Workspace) -> str:
    """A fingerprint of the named scenes declared in the workspace."""
    return _fingerprint(workspace.scenes.glob("*.toml"))


def notes_fingerprint(workspace: Workspace) -> str:
    """A fingerprint of the qualitative notes of the workspace, which pages show beside figures."""
    return _fingerprint([*workspace.notes.glob("*.toml"), *workspace.notes.glob("*.csv")])


def _fingerprint(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def standards_fingerprint() -> str:
    """A fingerprint of the standards results follow from: catalogues and expectations as shipped or edited, and the
    OEM's own folder in force."""
    root = Path(models.__file__).parent.parent
    digest = hashlib.sha256(in_force().version.encode())
    for folder in ("models/catalogue", "expectations", "tasks/compute"):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in (".toml", ".py"):
                digest.update(file.relative_to(root).as_posix().encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
