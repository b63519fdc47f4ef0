"""Reading any source into frames of text: files by glob or a SQL query, whatever their format says they are.

A file that cannot be read stops only itself: its error stands in the ``FileOutcome``; the others are read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from models.catalogue.contract import FILE_COLUMN
from models.enums import Severity
from models.errors import SourceError
from models.mapping import FileSpec
from tasks.compute.frames import PROBLEM_DTYPES, FileOutcome, RawTable, empty_frame, join_problems
from tasks.contents import NO_VALUES, Chooser, Content, clean_header, numbered, without_blank_rows
from tasks.delimited import read_delimited
from tasks.pages import read_page
from tasks.workbooks import read_workbook

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".parquet", ".pq")
_OLE, _ZIP, _PARQUET = b"\xd0\xcf\x11\xe0", b"PK\x03\x04", b"PAR1"
_NOT_TABLES = {  # first bytes of files that are no tables -> what they are
    b"\x1f\x8b": "gzip",
    b"%PDF": "PDF",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "RAR",
    b"SQLite format 3": "SQLite",
    b"\x89PNG": "PNG",
}
_MARKUP = re.compile(rb"^\s*(?:\xef\xbb\xbf)?\s*<(!doctype html|html|head|meta|style|table|[?!])", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def read_files(root: Path, spec: FileSpec, name: str = "", choose: Chooser = None) -> RawTable:
    """All rows ``spec`` names under ``root``: source columns as ``str``, ``_file`` (posix, relative), ``_row`` from 1.

    ``name`` is the input's name and stands as ``table`` in its problems (rule ``ragged_row``, quarantine). ``choose``
    picks the columns worth reading from a header. Per file there is an outcome: row counts, SHA-256, notices, or the
    error that made it unreadable. Raises SourceError when ``root`` is no folder or no file matches.
    """
    if spec.url:
        outcome, content = _read_query(spec)
        read = [(outcome, content)]
    else:
        read = [_read_file(path, relative, spec, choose) for path, relative in find_files(root, spec.files)]
    frames = [_with_file(content.frame, outcome.file) for outcome, content in read if content is not None]
    problems = [_ragged(name, outcome.file, content) for outcome, content in read if content is not None]
    frame = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0] if frames else pd.DataFrame()
    return RawTable(name, frame, join_problems(problems), tuple(outcome for outcome, _ in read))


def find_files(root: Path, globs: list[str]) -> list[tuple[Path, str]]:
    """The files the globs match, oldest first by their names relative to ``root``; office lock files left out.

    Raises SourceError when ``root`` is missing or no folder, or when nothing matches.
    """
    if not root.exists():
        raise SourceError("ingest.no_source", source=root)
    if not root.is_dir():
        raise SourceError("ingest.source_is_file", source=root)
    found = {path.relative_to(root).as_posix(): path for glob in globs for path in root.glob(glob)}
    found = {name: path for name, path in found.items() if not path.name.startswith(("~$", "."))}
    if not found:
        raise SourceError("ingest.no_match", source=root, globs=", ".join(globs))
    return [(found[relative], relative) for relative in sorted(found, key=_age)]


def _age(relative: str) -> tuple[list[tuple[str, int]], str]:
    """Sort key from oldest to newest: numbers by value (2 before 10), a plain name before its numbered successors."""
    stem = relative.rsplit(".", 1)[0]
    parts = [(text, int(digits or -1)) for text, digits in re.findall(r"(\D*)(\d*)", stem) if text or digits]
    return parts, relative


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _read_file(path: Path, file: str, spec: FileSpec, choose: Chooser) -> tuple[FileOutcome, Content | None]:
    try:
        kind = spec.format or _format(path, file)
        before = digest(path)
        content = _READERS[kind](path, file, spec, choose)
    except IsADirectoryError:
        return FileOutcome(file, error=SourceError("ingest.folder_as_file", file=file)), None
    except SourceError as error:
        return FileOutcome(file, error=error), None
    except OSError as error:
        failed = SourceError("ingest.unreadable", file=file, problem=error.strerror or type(error).__name__)
        return FileOutcome(file, error=failed), None
    rows = len(content.frame) + len(content.unreadable)
    return FileOutcome(file, before, rows, len(content.unreadable), notices=content.notices), content


def _format(path: Path, file: str) -> str:
    """What the file is by its first bytes, whatever its name says."""
    with path.open("rb") as content:
        head = content.read(1024)
    wrong = next((kind for start, kind in _NOT_TABLES.items() if head.startswith(start)), None)
    markup = _MARKUP.match(head)
    if markup and markup[1] in b"?!":
        wrong = "XML"
    if wrong:
        raise SourceError("ingest.not_a_table", file=file, kind=wrong)
    if markup:
        return "html"
    if head.startswith(_PARQUET):
        return "parquet"
    if head.startswith(_ZIP):
        return _zip_format(path, file)
    if head.startswith(_OLE):
        return "excel"
    if not head:
        raise SourceError("ingest.empty_file", file=file)
    return "tsv" if path.suffix.lower() == ".tsv" else "csv"


def _zip_format(path: Path, file: str) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise SourceError("ingest.broken_workbook", file=file) from error
    if any(name.startswith("xl/") or name == "content.xml" for name in names):
        return "excel"
    raise SourceError("ingest.not_a_table", file=file, kind="ZIP")


def _with_file(frame: pd.DataFrame, file: str) -> pd.DataFrame:
    return frame.assign(**{FILE_COLUMN: pd.Series(file, index=frame.index, dtype="str")})


def _ragged(name: str, file: str, content: Content) -> pd.DataFrame:
    if not content.unreadable:
        return empty_frame(PROBLEM_DTYPES)
    problems = {
        "table": name,
        "source_file": file,
        "row_number": [row.row for row in content.unreadable],
        "row_key": None,
        "dealer_id": None,
        "rule": "ragged_row",
        "column": "",
        "severity": Severity.QUARANTINE.value,
        "params": [json.dumps({"expected": row.expected, "found": row.found}) for row in content.unreadable],
    }
    return pd.DataFrame(problems).astype(PROBLEM_DTYPES)


def _read_parquet(path: Path, file: str, spec: FileSpec, choose: Chooser) -> Content:
    try:
        schema = pq.read_schema(path)
        names, notices = clean_header(schema.names, file)
        chosen = set(names if choose is None else choose(names))
        wanted = [at for at, name in enumerate(names) if name in chosen]
        table = pq.read_table(path, columns=[schema.names[at] for at in wanted])
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError("ingest.broken_parquet", file=file) from error
    return _table_content(table, [names[at] for at in wanted], tuple(names), spec, notices)


def _table_content(
    table: pa.Table, names: list[str], header: tuple[str, ...], spec: FileSpec, notices: list[Any]
) -> Content:
    nothing = pa.array(["", *NO_VALUES, *spec.na], pa.string())
    columns = {}
    for name, column in zip(names, table.columns, strict=True):
        texts = as_text(column)
        columns[name] = pc.if_else(pc.is_in(texts, nothing), None, texts).to_pandas().astype("str")
    frame = without_blank_rows(numbered(pd.DataFrame(columns, index=range(len(table)))))
    return Content(frame, header, (), tuple(notices))


def as_text(column: Any) -> Any:
    """An Arrow column of any type as text without loss: ISO times, whole floats without tail, lists as JSON."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_floating(kind):
        whole = pc.all(pc.fill_null(pc.equal(column, pc.round(column)), True)).as_py()
        small = pc.all(pc.fill_null(pc.less(pc.abs(column), 2.0**53), True)).as_py()
        return column.cast(pa.int64() if whole and small else kind).cast(pa.string())
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array([_plain(value) for value in column.to_pylist()], pa.string())
    if pa.types.is_timestamp(kind) and kind.unit == "ns" and not pc.max(pc.nanosecond(column)).as_py():
        column = column.cast(pa.timestamp("us", kind.tz))
    return column.cast(pa.string())


def _plain(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False, default=str)


def _read_query(spec: FileSpec) -> tuple[FileOutcome, Content | None]:
    """The rows of a query; its outcome is named after the database, never with user or password."""
    label = "sql"
    secret = ""
    try:
        url = sa.make_url(_VARIABLE.sub(_environment, spec.url or ""))
        url = url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url
        secret = str(url.password or "")
        label = f"sql:{url.get_backend_name()}:{Path(url.database or '').name}"
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            result = connection.execute(sa.text(spec.query or ""))
            header = list(result.keys())
            rows = result.fetchall()
        engine.dispose()
    except SourceError as error:
        return FileOutcome(label, error=error), None
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        problem = str(getattr(error, "orig", None) or error).splitlines()[0]
        hidden = problem.replace(secret, "***") if secret else problem
        return FileOutcome(label, error=SourceError("ingest.query_failed", source=label, problem=hidden)), None
    names, notices = clean_header(header, label)
    nothing = {"", *NO_VALUES, *spec.na}
    columns = {
        name: pd.Series([_sql_text(row[at], nothing) for row in rows], dtype="str") for at, name in enumerate(names)
    }
    frame = without_blank_rows(numbered(pd.DataFrame(columns, index=range(len(rows)))))
    seen = hashlib.sha256(repr(names).encode())
    for row in rows:
        seen.update(repr(tuple(row)).encode())
    content = Content(frame, tuple(names), (), tuple(notices))
    return FileOutcome(label, seen.hexdigest(), len(frame), notices=content.notices), content


def _environment(match: re.Match[str]) -> str:
    try:
        return os.environ[match[1]]
    except KeyError:
        raise SourceError("ingest.no_variable", name=match[1]) from None


def _sql_text(value: object, nothing: set[str]) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    text = _plain(value) if value is None or isinstance(value, str | bytes | dict | list) else str(value)
    return None if text in nothing else text


_READERS = {
    "csv": read_delimited,
    "tsv": read_delimited,
    "excel": read_workbook,
    "html": read_page,
    "parquet": _read_parquet,
}
