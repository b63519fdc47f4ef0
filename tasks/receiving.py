"""The step ingest: which source, read by which mapping; what the run reports of it, and what of it goes to the ledger.

What dealers did on plans they keep in their own system (the table ``actions``) is taken over here, before the version
of the results is named: verification follows from it, and no suite of expectations stands between (the ledger itself
refuses what does not fit a plan).
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from models import ledger
from models.catalogue.contract import FILE_COLUMN, ROW_COLUMN, contract
from models.database import Database
from models.errors import SourceError
from models.ledger import ReportedAction
from models.mapping import SourceMapping
from models.messages import text
from models.schemas import FileLoad
from models.workspace import Workspace
from tasks.compute.frames import Notice
from tasks.ingest import LAYER, IngestReport, ingest, received_problems, usable
from tasks.job import Outcome
from tasks.lake import Lake
from tasks.mapping_tools import load_mapping
from tasks.results import write_text
from tasks.settling import end_of_received
from tasks.standards import check_standards

NOTHING_NEW = "ingest.nothing_new"
REQUIRED_OF_ACTIONS = ["plan_id", "measure_id", "dealer_id"]


def receive(
    workspace: Workspace, source: str, mapping: str, locale: str, at: datetime, as_of: datetime | None = None
) -> Outcome:
    """Bring ``source`` into the lake: a folder (with ``mapping`` or in the contract) or a mapping file beside its data.

    ``at`` is the instant of loading, ``as_of`` the local time until which actions count as known (default: the end of
    the data). Broken files and refused actions are told as problems of the run; the others are received. Raises
    SourceError when the source as a whole cannot be used, CatalogueError when the OEM's own standards cannot.
    """
    check_standards(workspace.standards)
    root, mapping_file = Path(source), Path(mapping) if mapping else None
    if not root.exists():
        raise SourceError("run.source_missing", source=source)
    if root.suffix == ".toml" and root.is_file():
        root, mapping_file = root.parent, root
    chosen = load_mapping(mapping_file) if mapping_file else None
    report = ingest(workspace, root, chosen)
    lake = Lake(workspace.lake, workspace.key())
    ledger.record_loads(Database.of(workspace), _loads(report, lake, Path(source).name), at=at)
    problems = [error.text(locale) for error in report.errors]
    return Outcome(
        counts=_counts(report),
        problems=(*problems, *take_actions(workspace, lake, as_of, locale)),
        notices=tuple(notice.text(locale) for notice in _notices(workspace, report, chosen)),
    )


def _counts(report: IngestReport) -> dict[str, int]:
    return {"files": sum(len(table.files) for table in report.tables)} | {
        count: report.total(count) for count in ("rows", "received", "duplicate", "quarantined")
    }


def _loads(report: IngestReport, lake: Lake, source: str) -> list[FileLoad]:
    """The version of every file whose rows the lake now has; a query has its label as file."""
    loads = []
    for table in report.tables:
        digests = lake.notes(LAYER, table.table).get("digests", {})
        loads += [
            FileLoad(
                source=source,
                table=table.table,
                file=file.file,
                sha256=digests[file.file],
                rows_in=file.rows,
                received=file.received,
                duplicates=file.duplicate,
                quarantined=file.quarantined,
            )
            for file in table.files
            if digests.get(file.file)
        ]
    return loads


def take_actions(workspace: Workspace, lake: Lake, as_of: datetime | None, locale: str) -> list[str]:
    """Record what the received table ``actions`` says on the plans; answers a sentence per refused row.

    The instant of the record is that of the data, not of the run, so that the same data gives the same plans whatever
    day it is loaded. Rows the ledger already knows change nothing, so it is done at every run.
    """
    if not lake.has(LAYER, "actions"):
        return []
    frame = lake.read(LAYER, "actions")
    frame = frame[usable(frame, received_problems(lake), "actions")].dropna(subset=REQUIRED_OF_ACTIONS)
    if as_of is not None:
        frame = frame[~(frame["executed_on"] > as_of)]  # not known yet then
    rows = [
        ReportedAction(
            str(row.plan_id),
            str(row.measure_id),
            str(row.dealer_id),
            None if pd.isna(row.executed_on) else row.executed_on.date(),
            "" if pd.isna(row.evidence) else str(row.evidence),
        )
        for row in frame.itertuples()
    ]
    db = Database.of(workspace)
    moment = db.instant(as_of or end_of_received(workspace))
    why = dict(ledger.import_actions(db, rows, at=moment, note="actions").refused)
    return [
        _refused(row, why[row["measure_id"]], locale) for row in frame.to_dict("records") if row["measure_id"] in why
    ]


def _refused(row: Mapping[Hashable, Any], why: str, locale: str) -> str:
    day = "" if pd.isna(row["executed_on"]) else f"{row['executed_on']:%Y-%m-%d}"
    reason = text(why, locale, plan=row["plan_id"], measure=row["measure_id"], day=day)
    where = {"file": row[FILE_COLUMN], "row": row[ROW_COLUMN], "measure": row["measure_id"]}
    return text("run.action_refused", locale, reason=reason, **where)


def _notices(workspace: Workspace, report: IngestReport, mapping: SourceMapping | None) -> list[Notice]:
    """What is to be said of the data as the lake now has it: of this load, and of files that were not read again."""
    said = [notice for notice in report.notices if notice.key != NOTHING_NEW]
    if mapping is not None:
        lacking = [name for name, table in contract().tables.items() if table.optional and name not in mapping.tables]
        said += [Notice("ingest.optional_table", {"table": table}) for table in lacking]
    quiet = {notice.params["table"] for notice in report.notices if notice.key == NOTHING_NEW}
    files = {file.file for table in report.tables if table.table in quiet for file in table.files}
    everything = quiet == {table.table for table in report.tables}
    record = workspace.lake / "notices.json"
    before = json.loads(record.read_text("utf-8")) if record.is_file() else []
    kept = [
        Notice(key, params)
        for key, params in before
        if everything or params.get("table") in quiet or params.get("file") in files
    ]
    both = list({json.dumps([notice.key, dict(notice.params)]): notice for notice in [*kept, *said]}.values())
    write_text(record, json.dumps([[notice.key, dict(notice.params)] for notice in both], ensure_ascii=False))
    return both
