"""What a cycle's run leaves behind: runs, key points, outcomes per dealer, loads, quality, published results.

Every function may be repeated with the same business key: the later record replaces the earlier one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from models.catalogue.deadlines import deadlines
from models.database import Database, writing
from models.enums import PointState, Step
from models.errors import NotAvailableError
from models.facts import Cycle
from models.ledger.writing import upsert
from models.lifecycle import step_due
from models.schemas import Dealer, DealerOutcome, FileLoad
from models.tables import (
    DealerOutcomeRow,
    DealerRow,
    DealerScoreRow,
    FileLoadRow,
    KeyPointRow,
    PublishedRow,
    QualityResultRow,
    RunRow,
    table,
)

if TYPE_CHECKING:
    import pandas as pd

RUNS = table(RunRow)
POINTS = table(KeyPointRow)
PUBLISHED = table(PublishedRow)
_ENDED = (PointState.FINISHED, PointState.WITH_PROBLEMS, PointState.FAILED, PointState.SKIPPED)


def open_run(
    db: Database,
    run_id: str,
    cycle: Cycle,
    *,
    source: str,
    at: datetime,
    host: str,
    pid: int,
    settings_fingerprint: str = "",
    prefect_flow_run_id: str | None = None,
) -> None:
    """Record that a run starts; a run id already known is left as it is."""
    row = {
        "run_id": run_id,
        "cycle": cycle.name,
        "source": source,
        "as_of": cycle.as_of,
        "state": PointState.RUNNING,
        "started_at": at,
        "finished_at": None,
        "host": host,
        "pid": pid,
        "settings_fingerprint": settings_fingerprint,
        "prefect_flow_run_id": prefect_flow_run_id,
        "message": "",
    }
    with writing(db.url) as connection:
        upsert(connection, RUNS, [row], keep=True)


def close_run(db: Database, run_id: str, state: PointState, *, at: datetime, message: str = "") -> None:
    """Record how a run ended; NotAvailableError for a run that was never opened."""
    with writing(db.url) as connection:
        changed = connection.execute(
            update(RUNS).where(RUNS.c.run_id == run_id).values(state=state, finished_at=at, message=message)
        )
        if changed.rowcount != 1:
            raise NotAvailableError("lifecycle.unknown_run", run=run_id)


def record_point(
    db: Database,
    cycle: Cycle,
    step: Step,
    state: PointState,
    *,
    at: datetime,
    counts: Mapping[str, Any] | None = None,
    note: str = "",
    prefect_flow_run_id: str | None = None,
) -> None:
    """Record that a step of a cycle waits, runs or has ended at ``at``; owner and deadline come from the catalogue.

    ``RUNNING`` starts the step anew. A step is late when it ended, or was last seen unfinished, after its deadline.
    """
    owner, due_at = step_due(step, cycle, deadlines(), db.zone)
    row = {
        "cycle": cycle.name,
        "step": step,
        "owner": owner,
        "due_at": due_at,
        "started_at": None if state is PointState.WAITING else at,
        "finished_at": at if state in _ENDED else None,
        "state": state,
        "late": at > due_at,
        "prefect_flow_run_id": prefect_flow_run_id,
        "counts": dict(counts or {}),
        "note": note,
    }
    this = (POINTS.c.cycle == cycle.name, POINTS.c.step == step)
    with writing(db.url) as connection:
        before = connection.execute(select(POINTS).where(*this)).mappings().one_or_none()
        if before is not None and state in _ENDED:
            row["started_at"] = before["started_at"] or at
            row["prefect_flow_run_id"] = prefect_flow_run_id or before["prefect_flow_run_id"]
        upsert(connection, POINTS, [row])


def record_dealers(db: Database, dealers: Iterable[Dealer], *, at: datetime) -> None:
    """Bring the known organisations up to date; those not among ``dealers`` stay, inactive."""
    rows = table(DealerRow)
    values = [
        {
            "dealer_id": dealer.dealer_id,
            "name": dealer.name,
            "region_id": dealer.region_id,
            "region_name": dealer.region_name,
            "city": dealer.city,
            "tier": dealer.tier,
            "active": dealer.active,
            "updated_at": at,
        }
        for dealer in dealers
    ]
    with writing(db.url) as connection:
        connection.execute(update(rows).values(active=False))
        upsert(connection, rows, values)


def record_dealer_outcomes(
    db: Database, cycle: str, step: Step, outcomes: Iterable[DealerOutcome], *, at: datetime
) -> None:
    """Record how a step ended for dealers; a later record of the same dealer replaces the earlier one."""
    rows = [
        {
            "cycle": cycle,
            "step": step,
            "dealer_id": outcome.dealer_id,
            "ok": outcome.ok,
            "message": outcome.message,
            "params": dict(outcome.params),
            "at": at,
        }
        for outcome in outcomes
    ]
    with writing(db.url) as connection:
        upsert(connection, table(DealerOutcomeRow), rows)


def record_loads(db: Database, loads: Iterable[FileLoad], *, at: datetime) -> None:
    """Record which versions of which files were loaded; a file loaded before keeps its first record."""
    rows = [
        {
            "source": load.source,
            "table_name": load.table,
            "file": load.file,
            "sha256": load.sha256,
            "rows_in": load.rows_in,
            "received": load.received,
            "duplicates": load.duplicates,
            "quarantined": load.quarantined,
            "loaded_at": at,
        }
        for load in loads
    ]
    with writing(db.url) as connection:
        upsert(connection, table(FileLoadRow), rows, keep=True)


def _records(frame: pd.DataFrame, columns: list[str], rename: Mapping[str, str], cycle: str) -> list[dict[str, Any]]:
    """The rows of a frame as the drivers take them: Python's own numbers, empty cells as None."""
    import pandas as pd  # noqa: PLC0415  half a second, which the portal and the command line need not wait for

    named = frame.rename(columns=dict(rename)).assign(cycle=cycle)[columns].astype(object)
    cleaned = named.where(pd.notna(named), None)
    return [{str(name): value for name, value in row.items()} for row in cleaned.to_dict("records")]


def record_quality(db: Database, cycle: str, results: pd.DataFrame) -> None:
    """Replace a cycle's quality results, one row per dealer and expectation.

    Columns: dealer_id, expectation, table, severity, failed, checked, suite_version.
    """
    rows = table(QualityResultRow)
    values = _records(results, [column.name for column in rows.columns], {"table": "table_name"}, cycle)
    with writing(db.url) as connection:
        connection.execute(delete(rows).where(rows.c.cycle == cycle))
        if values:
            connection.execute(insert(rows), values)


def record_scores(db: Database, cycle: str, scores: pd.DataFrame) -> None:
    """Replace a cycle's quality scores: the columns of the export ``quality`` (exports.md), one row per dealer."""
    rows = table(DealerScoreRow)
    values = _records(scores, [column.name for column in rows.columns], {"rows": "row_count"}, cycle)
    with writing(db.url) as connection:
        connection.execute(delete(rows).where(rows.c.cycle == cycle))
        if values:
            connection.execute(insert(rows), values)


def publish_result(db: Database, cycle: Cycle, name: str, *, path: str, checksum: str, rows: int, at: datetime) -> int:
    """Register a published result; the version: the last one when its checksum is the same, else a new one.

    ``path`` is relative to the workspace. Earlier versions are kept as published (domain.md section 14).
    """
    this = (PUBLISHED.c.cycle == cycle.name, PUBLISHED.c.name == name)
    with writing(db.url) as connection:
        newest = select(func.max(PUBLISHED.c.version)).where(*this).scalar_subquery()
        last = connection.execute(
            select(PUBLISHED.c.version, PUBLISHED.c.checksum).where(*this, PUBLISHED.c.version == newest)
        ).one_or_none()
        if last is not None and last.checksum == checksum:
            return int(last.version)
        version = 1 if last is None else int(last.version) + 1
        connection.execute(
            insert(PUBLISHED),
            [
                {
                    "cycle": cycle.name,
                    "name": name,
                    "version": version,
                    "as_of": cycle.as_of,
                    "path": path,
                    "checksum": checksum,
                    "row_count": rows,
                    "published_at": at,
                }
            ],
        )
    return version
