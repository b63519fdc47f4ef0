"""From a source to the lake: read, map, type, protect, fold; every row accounted for, nothing half-written.

Per table one atomic replacement carries the rows (layer ``received``), their problems, the count of every row and the
digests of the files: a killed ingest leaves each table as it was, or as it will be. Unchanged files change nothing.

Rows set apart at typing or folding (severity quarantine in ``received_problems``) stay in ``received``, because
correction lists and what hangs on them need them: ``usable`` tells them from the rest. Rows that could not be read at
all exist only as problems. Per file: rows = received + exact_duplicate + replaced + unreadable, asserted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from expectations.standard import reach_of_data
from models.catalogue.contract import FILE_COLUMN, PROVENANCE, ROW_COLUMN, Table, contract
from models.enums import Severity
from models.errors import UserError
from models.mapping import SourceMapping
from models.workspace import Workspace
from tasks.compute.corrections import REPLACEMENT_DTYPES, active, contents, superseded
from tasks.compute.first_seen import FIRST_SEEN_DTYPES, first_seen
from tasks.compute.folding import RECEIVED, REPEATED, REPLACED, Folded, count_fates, fold
from tasks.compute.frames import (
    PROBLEM_DTYPES,
    FileOutcome,
    Notice,
    empty_frame,
    join_problems,
    lake_dtypes,
)
from tasks.compute.mapping.inputs import InputAccount
from tasks.compute.row_counts import COUNT_DTYPES, FATES, RowsLostError, assert_none_lost, row_counts
from tasks.compute.values import Typing, type_table
from tasks.lake import Lake
from tasks.sources import Delivery, contract_sources, digests, read_contract_table, read_mapped

LAYER = "received"
FILINGS = "defeats"
_VERSION = "2"  # raise when the same bytes would be typed or folded differently
_AT_FOLDING = (REPEATED, "ambiguous_id")


@dataclass(frozen=True)
class FileAccount:
    """What became of the rows of one file: rows = received + duplicate + unreadable.

    ``duplicate``: the same row again, or replaced by a later file; ``quarantined``: unreadable, or received but set
    apart at typing or folding; ``error``: why the file could not be read.
    """

    table: str
    file: str
    rows: int = 0
    received: int = 0
    duplicate: int = 0
    unreadable: int = 0
    quarantined: int = 0
    error: UserError | None = None


@dataclass(frozen=True)
class TableAccount:
    """One table after an ingest; ``months`` are those whose content changed, none when nothing was new."""

    table: str
    files: tuple[FileAccount, ...]
    months: tuple[str, ...] = ()

    def total(self, count: str) -> int:
        """The sum of one count (``rows``, ``received``, ...) over the files."""
        return sum(getattr(file, count) for file in self.files)


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did; ``errors`` are those of files that could not be read, the others went on."""

    tables: tuple[TableAccount, ...]
    notices: tuple[Notice, ...]
    errors: tuple[UserError, ...]
    inputs: tuple[InputAccount, ...] = ()

    def total(self, count: str) -> int:
        """The sum of one count over all tables."""
        return sum(table.total(count) for table in self.tables)


def ingest(workspace: Workspace, source: Path, mapping: SourceMapping | None = None) -> IngestReport:
    """Bring the exports at ``source`` into the workspace's lake; without ``mapping`` its files are in the contract.

    Raises SourceError or MappingError when the source as a whole cannot be used: no folder, a required table missing,
    or none of its files readable and nothing of it in the lake yet.
    """
    receiver = _Receiver(workspace, mapping)
    return receiver.mapped(source, mapping) if mapping else receiver.in_contract(source)


def received_problems(lake: Lake) -> pd.DataFrame:
    """Problems of all received rows found before the checks; columns as in docs/architecture.md."""
    return join_problems(lake.attached(LAYER, table, "problems", PROBLEM_DTYPES) for table in contract().tables)


def received_counts(lake: Lake) -> pd.DataFrame:
    """Rows per table, source_file and dealer_id: ``rows = received + exact_duplicate + replaced + unreadable``."""
    found = [lake.attached(LAYER, table, "counts", COUNT_DTYPES) for table in contract().tables]
    filled = [frame for frame in found if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else empty_frame(COUNT_DTYPES)


def absent_fields(lake: Lake) -> dict[str, frozenset[str]]:
    """Fields the source declared it does not have, per table; they are not held against a row."""
    return {table: frozenset(lake.notes(LAYER, table).get("absent", ())) for table in contract().tables}


def source_columns(lake: Lake, table: str) -> dict[str, tuple[str, ...]]:
    """What a mapped source calls the fields it takes from a column; nothing for a source in the contract's names."""
    return {field: tuple(names) for field, names in lake.notes(LAYER, table).get("called", {}).items()}


def usable(frame: pd.DataFrame, problems: pd.DataFrame, table: str) -> np.ndarray:
    """Which rows of a received ``frame`` no problem of severity quarantine sets apart (boolean array)."""
    apart = problems[(problems["table"] == table) & (problems["severity"] == Severity.QUARANTINE.value)]
    if apart.empty:
        return np.ones(len(frame), bool)
    places = pd.MultiIndex.from_arrays([apart["source_file"].astype("str"), apart["row_number"].astype("int64")])
    return ~pd.MultiIndex.from_frame(frame[[*PROVENANCE]]).isin(places)


def row_digests(lake: Lake, table: Table, rows: pd.DataFrame) -> pd.Series[Any]:
    """A keyed digest of what each row (with its personal columns) says: equal exactly when the rows are."""
    found = []
    for content in contents(table, rows):
        seen = lake.protection.fingerprint()
        seen.update(content)
        found.append(seen.hexdigest())
    return pd.Series(found, index=rows.index, dtype="str")


def replacements(lake: Lake, table: str) -> pd.DataFrame:
    """Which rows corrections have replaced, columns as in ``compute.corrections.REPLACEMENT_DTYPES``."""
    return lake.attached(LAYER, table, "replacements", REPLACEMENT_DTYPES)


def seen_filings(lake: Lake) -> pd.DataFrame:
    """Which load first brought each filing, columns as in ``compute.first_seen.FIRST_SEEN_DTYPES``."""
    return lake.attached(LAYER, FILINGS, "first_seen", FIRST_SEEN_DTYPES)


def receive_corrections(workspace: Workspace, table: Table, rows: pd.DataFrame, replaced: pd.DataFrame) -> TableAccount:
    """Take corrected rows (texts in canonical columns, with provenance) into a table that was received before.

    They are one new file, typed and folded like any other; ``replaced`` tells what each of them replaces. What the
    last reading of the source left (how it was read, fields it lacks) is kept.
    """
    receiver = _Receiver(workspace, None)
    outcomes = tuple(FileOutcome(str(file), rows=int(n)) for file, n in rows.groupby(FILE_COLUMN).size().items())
    delivery = Delivery(table, rows, {}, frozenset(), empty_frame(PROBLEM_DTYPES), outcomes)
    return receiver.corrected(delivery, replaced)


def _called(mapping: SourceMapping) -> dict[str, dict[str, list[str]]]:
    """By table and field: the columns of the source it is taken from as they are, in all its feeds."""
    found: dict[str, dict[str, list[str]]] = {}
    for table, feeds in mapping.tables.items():
        for feed in feeds:
            for field, value in feed.fields.items():
                names = found.setdefault(table, {}).setdefault(field, [])
                names += [name for name in (value.column or value.coalesce or ()) if name not in names]
    return {table: {field: names for field, names in fields.items() if names} for table, fields in found.items()}


class _Receiver:
    """One ingest into one lake."""

    def __init__(self, workspace: Workspace, mapping: SourceMapping | None) -> None:
        settings = workspace.settings
        self.lake = Lake(workspace.lake, workspace.key())
        zone = (mapping.timezone if mapping else None) or settings.timezone
        self.typing = Typing(self.lake.protection.phone_keys, zone, settings.phone_region)
        how = "|".join((_VERSION, zone, settings.phone_region, mapping.model_dump_json() if mapping else ""))
        self.how = hashlib.sha256(how.encode()).hexdigest()
        self.called = _called(mapping) if mapping else {}

    def in_contract(self, root: Path) -> IngestReport:
        sources, notices = contract_sources(root)
        accounts, outcomes = [], []
        for name, spec in sources.items():
            table = contract().tables[name]
            if self._unchanged([name], digests(root, spec)):
                notices.append(Notice("ingest.nothing_new", {"table": name}))
                accounts.append(self._account(name, (), ()))
                continue
            delivery = read_contract_table(root, table, spec)
            outcomes += delivery.outcomes
            accounts.append(self._receive(delivery, empty_frame(PROBLEM_DTYPES)))
        return self._report(accounts, notices, outcomes)

    def mapped(self, root: Path, mapping: SourceMapping) -> IngestReport:
        names = [name for name in contract().tables if name in mapping.tables]
        if not any(spec.url for spec in mapping.inputs.values()):
            present: dict[str, str] = {}
            for spec in mapping.inputs.values():
                present |= digests(root, spec)
            if self._unchanged(names, present):
                notices = [Notice("ingest.nothing_new", {"table": name}) for name in names]
                return self._report([self._account(name, (), ()) for name in names], notices, [])
        read = read_mapped(root, mapping)
        sources = {outcome.file: outcome.digest for outcome in read.outcomes if outcome.error is None}
        elsewhere = read.problems[~read.problems["table"].isin(names)]
        accounts = []
        for place, delivery in enumerate(read.tables):
            others = elsewhere if place == 0 else elsewhere[:0]  # events and look-ups: kept beside the first table
            accounts.append(self._receive(delivery, others, sources))
        return self._report(accounts, list(read.notices), list(read.outcomes), read.inputs)

    def _unchanged(self, tables: Sequence[str], present: Mapping[str, str]) -> bool:
        """Whether all these files were loaded into all these tables as they are, in the same way."""
        for table in tables:
            notes = self.lake.notes(LAYER, table)
            if notes.get("how") != self.how or not present:
                return False
            if any(digest != notes["digests"].get(file) or not digest for file, digest in present.items()):
                return False
        return True

    def corrected(self, delivery: Delivery, replaced: pd.DataFrame) -> TableAccount:
        notes = self.lake.notes(LAYER, delivery.table.name)
        self.how = notes["how"]
        self.called = {delivery.table.name: notes.get("called", {})}
        delivery = replace(delivery, absent=frozenset(notes["absent"]))
        return self._receive(delivery, empty_frame(PROBLEM_DTYPES), {}, replaced)

    def _receive(
        self,
        delivery: Delivery,
        others: pd.DataFrame,
        sources: Mapping[str, str] | None = None,
        replaced: pd.DataFrame | None = None,
    ) -> TableAccount:
        """Type, protect and fold a table's rows together with those of files no longer there; write them."""
        table = delivery.table
        broken = [outcome for outcome in delivery.outcomes if outcome.error is not None]
        good = [outcome for outcome in delivery.outcomes if outcome.error is None]
        if not good:
            if not table.optional and not self.lake.has(LAYER, table.name):
                raise broken[0].error or RowsLostError(table.name)
            return self._account(table.name, (), broken)
        notes = self.lake.notes(LAYER, table.name)
        fresh = [outcome.file for outcome in good]
        kept = [file for file in notes.get("files", []) if file not in fresh]
        typed, found = type_table(table, delivery.frame, delivery.formats, self.typing)
        rows_read = delivery.frame.groupby(FILE_COLUMN).size()
        old = self._stored(table, kept)
        combined = pd.concat([old.rows, typed], ignore_index=True) if len(old.rows) else typed
        known = replacements(self.lake, table.name)
        if replaced is not None:
            known = pd.concat([known, replaced], ignore_index=True).astype(dict(REPLACEMENT_DTYPES))
        folded = self._fold(table, combined, [*kept, *fresh], known)
        ragged = delivery.problems[delivery.problems["rule"] == "ragged_row"]
        problems = _surviving(
            folded.frame, join_problems([old.problems, found, delivery.problems, folded.problems, others]), table
        )
        counts = row_counts(table, old.counts, folded.counts, ragged)
        assert_none_lost(table, counts, rows_read, ragged)
        frames = {"problems": problems, "counts": counts, "replacements": active(folded.frame, known)}
        if table.name == FILINGS:
            frames["first_seen"] = first_seen(seen_filings(self.lake), folded.frame, reach_of_data({FILINGS: typed}))
        months = self.lake.replace(
            LAYER,
            table.name,
            folded.frame,
            frames=frames,
            notes={
                "how": self.how,
                "files": [*kept, *fresh],
                "digests": notes.get("digests", {})
                | ({o.file: o.digest for o in good} if sources is None else dict(sources)),
                "absent": sorted(delivery.absent),
                "called": self.called.get(table.name, {}),
            },
        )
        return self._account(table.name, months, broken)

    def _fold(self, table: Table, rows: pd.DataFrame, files: Sequence[str], known: pd.DataFrame) -> Folded:
        """The current version of every key; what a correction replaced counts as replaced, however often it comes."""
        if known.empty:
            return fold(table, rows, files)
        gone = superseded(table, rows, files, known, lambda part: row_digests(self.lake, table, part))
        folded = fold(table, rows[~gone].reset_index(drop=True), files)
        lost = rows[gone]
        counts = pd.concat([folded.counts, count_fates(lost, pd.Series(REPLACED, index=lost.index, dtype="str"))])
        key = [FILE_COLUMN, "dealer_id"]
        return replace(folded, counts=counts.groupby(key, sort=True, as_index=False).sum())

    def _stored(self, table: Table, files: Sequence[str]) -> _Stored:
        """Rows, problems and counts of files loaded before that are not read now."""
        if not files:
            return _Stored(empty_frame(lake_dtypes(table)), empty_frame(PROBLEM_DTYPES), empty_frame(COUNT_DTYPES))
        rows = self.lake.read(LAYER, table.name, personal=True)
        problems = self.lake.attached(LAYER, table.name, "problems", PROBLEM_DTYPES)
        counts = self.lake.attached(LAYER, table.name, "counts", COUNT_DTYPES)
        stays = problems["source_file"].isin(files) & (problems["rule"] != "ambiguous_id")
        return _Stored(rows[rows[FILE_COLUMN].isin(files)], problems[stays], counts[counts["source_file"].isin(files)])

    def _account(self, table: str, months: Sequence[str], broken: Sequence[FileOutcome]) -> TableAccount:
        counts = self.lake.attached(LAYER, table, "counts", COUNT_DTYPES)
        problems = self.lake.attached(LAYER, table, "problems", PROBLEM_DTYPES)
        apart = problems[(problems["table"] == table) & (problems["severity"] == Severity.QUARANTINE.value)]
        quarantined = apart.drop_duplicates(["source_file", "row_number"]).groupby("source_file").size()
        errors = {outcome.file: outcome.error for outcome in broken}
        files = [
            FileAccount(
                table=table,
                file=str(file),
                rows=int(line["rows"]),
                received=int(line[RECEIVED]),
                duplicate=int(line[REPEATED] + line[REPLACED]),
                unreadable=int(line["unreadable"]),
                quarantined=int(quarantined.get(file, 0)),
                error=errors.pop(str(file), None),
            )
            for file, line in counts.groupby("source_file")[["rows", *FATES]].sum().iterrows()
        ]
        files += [FileAccount(table=table, file=file, error=error) for file, error in errors.items()]
        return TableAccount(table, tuple(files), tuple(months))

    @staticmethod
    def _report(
        accounts: Sequence[TableAccount],
        notices: Sequence[Notice],
        outcomes: Sequence[FileOutcome],
        inputs: tuple[InputAccount, ...] = (),
    ) -> IngestReport:
        told = [*notices, *(notice for outcome in outcomes for notice in outcome.notices)]
        told += [
            Notice("ingest.kept", {"file": file.file, "rows": file.rows})
            for account in accounts
            for file in account.files
            if file.error is not None and file.rows
        ]
        errors = [outcome.error for outcome in outcomes if outcome.error is not None]
        return IngestReport(tuple(accounts), tuple(told), tuple(errors), inputs)


@dataclass(frozen=True)
class _Stored:
    rows: pd.DataFrame
    problems: pd.DataFrame
    counts: pd.DataFrame


def _surviving(frame: pd.DataFrame, problems: pd.DataFrame, table: Table) -> pd.DataFrame:
    """The problems of rows that are still there, and of those that left a problem as their only trace."""
    if problems.empty:
        return problems
    trace = problems["rule"].isin(["ragged_row", *_AT_FOLDING]) | (problems["table"] != table.name)
    places = pd.MultiIndex.from_arrays([problems["source_file"], problems["row_number"].astype("int64")])
    here = frame[[*PROVENANCE]][frame[ROW_COLUMN].isin(problems["row_number"].astype("int64").unique())]
    return problems[trace | places.isin(pd.MultiIndex.from_frame(here))].reset_index(drop=True)
