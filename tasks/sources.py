"""What a source folder offers: files already in the contract, named after the tables, or inputs of a mapping."""

from __future__ import annotations

import difflib
import glob
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from models.catalogue.contract import PROVENANCE, Table, contract
from models.errors import SourceError
from models.mapping import FileSpec, SourceMapping
from tasks.compute.frames import FileOutcome, Notice, RawTable, join_problems
from tasks.compute.mapping.apply import apply_mapping
from tasks.compute.mapping.inputs import InputAccount
from tasks.reading import SUFFIXES, digest, find_files, read_files

_ORDINARY = re.compile(r"[^.~]")  # not hidden, not an office lock file


@dataclass(frozen=True)
class Delivery:
    """One table's rows as text in canonical columns, and what is known of them before typing.

    ``formats`` and ``absent`` as in MappedSource; ``outcomes`` of the files its rows stand in.
    """

    table: Table
    frame: pd.DataFrame
    formats: Mapping[str, Sequence[str]]
    absent: frozenset[str]
    problems: pd.DataFrame
    outcomes: tuple[FileOutcome, ...]


@dataclass(frozen=True)
class Deliveries:
    """All tables of a mapped source, with what is told about the source as a whole."""

    tables: tuple[Delivery, ...]
    problems: pd.DataFrame
    notices: tuple[Notice, ...]
    outcomes: tuple[FileOutcome, ...]
    inputs: tuple[InputAccount, ...]


def contract_sources(root: Path) -> tuple[dict[str, FileSpec], list[Notice]]:
    """The files of each canonical table under ``root``, and a notice per file that is named after none.

    ``leads.csv``, ``leads_2026-10.xlsx``, ``leads-2.parquet`` and all files of a folder ``leads/`` are leads. Raises
    SourceError when ``root`` is no folder, when no file is named after a table, or a required table is missing.
    """
    if not root.exists():
        raise SourceError("ingest.no_source", source=root)
    if not root.is_dir():
        raise SourceError("ingest.source_is_file", source=root)
    files: dict[str, list[str]] = {}
    strangers: list[str] = []
    for path in sorted(root.iterdir()):
        table = _table_of(path)
        if table:
            inside = sorted(each.name for each in path.iterdir() if _is_table_file(each)) if path.is_dir() else []
            found = [f"{path.name}/{name}" for name in inside] or [path.name]
            files.setdefault(table, []).extend(glob.escape(name) for name in found)
        elif _ORDINARY.match(path.name):
            strangers.append(path.name)
    if not files:
        raise SourceError("ingest.no_tables", source=root, tables=", ".join(contract().tables))
    for name, table in contract().tables.items():
        if name not in files and not table.optional:
            stems = {Path(stranger).stem: stranger for stranger in strangers}
            near = difflib.get_close_matches(name, stems, n=3, cutoff=0.4)
            named = ", ".join(stems[stem] for stem in near) or "-"
            raise SourceError("ingest.missing_table", source=root, table=name, candidates=named)
    notices = [_unknown("file", Path(name).stem, contract().tables, file=name) for name in strangers]
    notices += [
        Notice("ingest.optional_table", {"table": name})
        for name, table in contract().tables.items()
        if name not in files and table.optional
    ]
    return {name: FileSpec(files=files[name]) for name in contract().tables if name in files}, notices


def _is_table_file(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and bool(_ORDINARY.match(path.name))


def _table_of(path: Path) -> str:
    """The table a file or folder is named after; the longest name wins."""
    if not _ORDINARY.match(path.name) or not (_is_table_file(path) or path.is_dir()):
        return ""
    name = path.stem if _is_table_file(path) else path.name
    fitting = [table for table in contract().tables if re.fullmatch(rf"{table}(?:[-_. (].*)?", name.lower())]
    return max(fitting, key=len, default="")


def _unknown(what: str, word: str, known: Collection[str], **params: object) -> Notice:
    """A file or column of no name of ours, with the nearest one if any is near."""
    near = difflib.get_close_matches(word.casefold(), known, n=1, cutoff=0.4)
    if not near:
        return Notice(f"ingest.strange_{what}", params)
    return Notice(f"ingest.unknown_{what}", params | {"candidate": near[0]})


def digests(root: Path, spec: FileSpec) -> dict[str, str]:
    """SHA-256 of every file of ``spec`` that can be opened; empty for a query, whose content must be asked for."""
    if spec.url:
        return {}
    found = {}
    for path, relative in find_files(root, spec.files):
        try:
            found[relative] = digest(path)
        except OSError:
            found[relative] = ""
    return found


def read_contract_table(root: Path, table: Table, spec: FileSpec) -> Delivery:
    """The rows of a table whose files are in the contract; a file that lacks a required column is not read.

    Column names are compared without case and blanks; columns the contract does not have are left out and told.
    """
    readers = [_ContractFile(table, relative) for _, relative in find_files(root, spec.files)]
    raws = [
        read_files(root, spec.model_copy(update={"files": [glob.escape(reader.file)]}), table.name, reader.choose)
        for reader in readers
    ]
    parts = list(zip(readers, raws, strict=True))
    frames = [reader.canonical(raw.frame) for reader, raw in parts if raw.files[0].error is None]
    outcomes = [
        replace(outcome, notices=(*outcome.notices, *reader.notices)) for reader, raw in parts for outcome in raw.files
    ]
    return Delivery(
        table=table,
        frame=pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0] if frames else pd.DataFrame(),
        formats={},
        absent=frozenset(),
        problems=join_problems(raw.problems for raw in raws),
        outcomes=tuple(outcomes),
    )


class _ContractFile:
    """One file's header against the contract: which columns to read, and what to tell."""

    def __init__(self, table: Table, file: str) -> None:
        self.table, self.file = table, file
        self.names: dict[str, str] = {}  # column of the file -> field
        self.notices: list[Notice] = []

    def choose(self, header: Sequence[str]) -> Collection[str]:
        fields = {name: name for name in self.table.fields}
        for column in header:
            field = fields.get(column.casefold().replace(" ", "_"))
            if field and field not in self.names.values():
                self.names[column] = field
        strangers = [column for column in header if column not in self.names]
        for field in self.table.required:
            if field not in self.names.values():
                near = difflib.get_close_matches(field, strangers, n=3, cutoff=0.4)
                named = ", ".join(near or strangers[:5]) or "-"
                raise SourceError("ingest.missing_column", file=self.file, column=field, candidates=named)
        free = [field for field in fields if field not in self.names.values()]
        self.notices = [
            _unknown("column", column, free, file=self.file, column=column)
            for column in strangers
            if not re.fullmatch(r"column_\d+", column)
        ]
        return self.names

    def canonical(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame[[*self.names, *PROVENANCE]].rename(columns=self.names)


def read_mapped(root: Path, mapping: SourceMapping) -> Deliveries:
    """All tables ``mapping`` makes of the source at ``root``.

    Raises SourceError when an input cannot be read at all, MappingError when a name in the mapping is not there.
    """
    raw = {name: read_files(root, spec, name) for name, spec in mapping.inputs.items()}
    for table in raw.values():
        errors = [outcome.error for outcome in table.files if outcome.error is not None]
        if errors and len(errors) == len(table.files):
            raise errors[0]
    mapped = apply_mapping(raw, mapping)
    unreadable = _placed(raw, mapping)
    outcomes = {outcome.file: outcome for table in raw.values() for outcome in table.files}
    every = join_problems([mapped.problems, unreadable])
    deliveries = []
    for name, frame in mapped.tables.items():
        fed = {feed.source for feed in mapping.tables[name]}
        files = {outcome.file for source in fed for outcome in raw[source].files}
        deliveries.append(
            Delivery(
                table=contract().tables[name],
                frame=frame,
                formats=mapped.formats[name],
                absent=mapped.absent[name],
                problems=every[every["table"] == name],
                outcomes=tuple(outcomes[file] for file in sorted(files)),
            )
        )
    return Deliveries(tuple(deliveries), every, mapped.notices, tuple(outcomes.values()), mapped.inputs)


def _placed(raw: Mapping[str, RawTable], mapping: SourceMapping) -> pd.DataFrame:
    """Problems of rows that could not be read, with the table their input feeds row by row instead of the input."""
    feeds = {
        feed.source: name for name, table in reversed(mapping.tables.items()) for feed in table if not feed.distinct
    }
    return join_problems(
        table.problems.assign(table=pd.Series(feeds.get(name, name), index=table.problems.index, dtype="str"))
        for name, table in raw.items()
    )
