"""The lake: canonical tables as Parquet by month, replaced as a whole or not at all.

Layout of a table: ``<root>/<layer>/<table>/manifest.json`` names the files that are current; ``data/`` holds them. A
replacement writes new files for the months that changed, then renames one new manifest over the old: a reader, or a
process killed at any point, has either the old table or the new. Files are deleted one replacement later, so that a
reader that opened the manifest before still finds them. One writer at a time (the workspace's lock sees to it).

Frames and dtypes: docs/architecture.md, "Frames in the lake".
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from cryptography.exceptions import InvalidTag

from models.catalogue.contract import Table, contract
from models.errors import SettingsError
from tasks.compute.frames import empty_frame, in_contract_order, lake_dtypes, personal_columns
from tasks.protection import Protection

NO_MONTH = "none"
ALL_MONTHS = "all"  # the one partition of a table without month_of
_MANIFEST = "manifest.json"
_ATTEMPTS = 3
_WRITERS = 2


@dataclass(frozen=True)
class _Manifest:
    """``parts``: partition -> (file, fingerprint); ``frames``: attached frame -> file; ``notes``: the writer's own."""

    parts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    frames: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    previous: Sequence[str] = ()

    def files(self) -> set[str]:
        return {file for file, _ in self.parts.values()} | set(self.frames.values())


class Lake:
    """Reads and replaces tables under ``root``; ``key`` is the workspace's 32-byte secret."""

    def __init__(self, root: Path, key: bytes) -> None:
        self.root = root
        self.protection = Protection(key)

    def has(self, layer: str, table: str) -> bool:
        """Whether the table was ever written to this layer."""
        return self._folder(layer, table).joinpath(_MANIFEST).is_file()

    def months(self, layer: str, table: str) -> list[str]:
        """The months (``YYYY-MM``, ``none`` last) the table has rows in; a table without months has ``all``."""
        return sorted(self._manifest(layer, table).parts)

    def fingerprint(self, layer: str, table: str) -> str:
        """A digest of the table's content: equal exactly when every month's rows are; empty if never written."""
        if not self.has(layer, table):
            return ""
        seen = self.protection.fingerprint()
        for month, (_, fingerprint) in sorted(self._manifest(layer, table).parts.items()):
            seen.update(f"{month}={fingerprint};".encode())
        return str(seen.hexdigest())

    def read(
        self,
        layer: str,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        months: Collection[str] | None = None,
        personal: bool = False,
    ) -> pd.DataFrame:
        """The rows of a table, months in order; ``columns`` and ``months`` restrict what is read.

        Encrypted columns (phones, names) come only with ``personal=True``. A table never written gives an empty frame
        with its columns and dtypes. Raises SettingsError when personal columns cannot be decrypted with this key.
        """
        canonical = contract().tables[table]
        hidden = () if personal else personal_columns(canonical)
        dtypes = {name: dtype for name, dtype in lake_dtypes(canonical).items() if name not in hidden}
        if columns is not None:
            unknown = [name for name in columns if name not in dtypes]
            if unknown:
                raise KeyError(f"{table} has no readable columns {unknown} (personal={personal})")
            dtypes = {name: dtypes[name] for name in columns}
        secret = bool(set(dtypes) & set(personal_columns(canonical)))

        def load() -> list[pa.Table]:
            parts = sorted(self._manifest(layer, table).parts.items())
            files = [file for month, (file, _) in parts if months is None or month in months]
            return [self._read_file(layer, table, file, list(dtypes), secret=secret) for file in files]

        tables = self._retrying(load)
        return _to_frame(pa.concat_tables(tables, promote_options="default"), dtypes) if tables else empty_frame(dtypes)

    def replace(
        self,
        layer: str,
        table: str,
        frame: pd.DataFrame,
        *,
        frames: Mapping[str, pd.DataFrame] | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Make ``frame`` the content of the table; returns the months whose content changed.

        Months with the same content keep their file. ``frames`` (attached frames, read by ``attached``) and ``notes``
        (JSON, read by ``notes``) are replaced in the same atomic step; None keeps the old ones.
        """
        canonical = contract().tables[table]
        folder = self._folder(layer, table)
        folder.joinpath("data").mkdir(parents=True, exist_ok=True)
        old = self._manifest(layer, table)
        ordered = in_contract_order(canonical, frame)
        whole = pa.Table.from_pandas(ordered, preserve_index=False).replace_schema_metadata(None)
        personal = personal_columns(canonical)

        def keep(month: str, rows: Any) -> tuple[str, tuple[str, str]]:
            part = _rows(whole, rows)
            fingerprint = self._fingerprint(part)
            file, known = old.parts.get(month, ("", ""))
            return month, (file if known == fingerprint else self._write(folder, part, personal), fingerprint)

        with ThreadPoolExecutor(_WRITERS) as pool:  # Arrow and Parquet work outside the interpreter's lock
            files = dict(pool.map(lambda place: keep(*place), _by_month(canonical, ordered)))
        attached = dict(old.frames)
        for name, extra in (frames or {}).items():
            attached[name] = self._write(folder, pa.Table.from_pandas(extra, preserve_index=False), ())
        new = _Manifest(files, attached, old.notes if notes is None else notes, sorted(old.files()))
        same = new.parts == old.parts and not frames and new.notes == old.notes and self.has(layer, table)
        if not same:
            _replace_text(folder / _MANIFEST, json.dumps(vars(new), ensure_ascii=False, indent=1))
            _sweep(folder / "data", new.files() | set(new.previous))
        return sorted(month for month in {*files, *old.parts} if files.get(month) != old.parts.get(month))

    def notes(self, layer: str, table: str) -> dict[str, Any]:
        """What the writer of the table noted at its last replacement; empty if never written."""
        return dict(self._manifest(layer, table).notes)

    def attached(self, layer: str, table: str, name: str, dtypes: Mapping[str, str]) -> pd.DataFrame:
        """A frame written together with the table, with these columns and dtypes; empty if there is none."""

        def load() -> pa.Table | None:
            file = self._manifest(layer, table).frames.get(name)
            return self._read_file(layer, table, file, list(dtypes), secret=False) if file else None

        found = self._retrying(load)
        return empty_frame(dtypes) if found is None else _to_frame(found, dtypes)

    def _folder(self, layer: str, table: str) -> Path:
        return self.root / layer / table

    def _manifest(self, layer: str, table: str) -> _Manifest:
        try:
            content = json.loads(self._folder(layer, table).joinpath(_MANIFEST).read_text("utf-8"))
        except FileNotFoundError:
            return _Manifest()
        content["parts"] = {month: tuple(part) for month, part in content["parts"].items()}
        return _Manifest(**content)

    @staticmethod
    def _retrying(load: Any) -> Any:
        """A reader that was overtaken by two replacements starts again from the current manifest."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return load()
            except FileNotFoundError:
                continue
        return load()

    def _read_file(self, layer: str, table: str, file: str, columns: list[str], *, secret: bool) -> pa.Table:
        path = self._folder(layer, table) / "data" / file
        properties = self.protection.decryption() if secret else None
        try:
            with pq.ParquetFile(path, decryption_properties=properties) as content:
                return content.read(columns=columns)
        except InvalidTag as error:
            raise SettingsError("ingest.wrong_key", folder=self.root) from error

    def _write(self, folder: Path, part: pa.Table, personal: Sequence[str]) -> str:
        name = f"{uuid.uuid4().hex}.parquet"
        pq.write_table(
            part,
            folder / "data" / name,
            compression="snappy",
            write_statistics=False,  # of personal columns they would be values
            encryption_properties=self.protection.encryption(personal),
        )
        return name

    def _fingerprint(self, part: pa.Table) -> str:
        seen = self.protection.fingerprint()
        for name, column in zip(part.column_names, part.columns, strict=True):
            seen.update(f"{name}:{column.type}:{len(column)};".encode())
            for piece in _content(column):
                seen.update(piece)
        return str(seen.hexdigest())


def _by_month(table: Table, frame: pd.DataFrame) -> list[tuple[str, Any]]:
    """The partitions with the positions of their rows, in the frame's order."""
    if not table.month_of or not len(frame):
        return [(ALL_MONTHS, np.arange(len(frame)))] if len(frame) else []
    months = frame[table.month_of].to_numpy().astype("datetime64[M]").astype("int64")
    order = np.argsort(months, kind="stable")
    distinct, bounds = np.unique(months[order], return_index=True)
    names = np.datetime_as_string(distinct.astype("datetime64[M]"))
    rows = np.split(order, bounds[1:])
    return [(NO_MONTH if name == "NaT" else str(name), part) for name, part in zip(names, rows, strict=True)]


def _rows(whole: pa.Table, rows: Any) -> pa.Table:
    together = len(rows) == rows[-1] - rows[0] + 1
    return whole.slice(rows[0], len(rows)) if together else whole.take(pa.array(rows))


def _content(column: pa.ChunkedArray) -> Iterator[Any]:
    """The values of a column as bytes that depend on nothing but the values."""
    array = column.combine_chunks()
    array = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
    missing = array.null_count
    if missing:
        yield array.is_null().to_numpy(zero_copy_only=False).tobytes()
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        yield pc.binary_length(array).fill_null(0).to_numpy().astype("int32").tobytes()
        filled = array.fill_null("") if missing else array
        _, offsets, data = filled.buffers()
        wide = np.int64 if pa.types.is_large_string(array.type) else np.int32
        bounds = np.frombuffer(offsets, dtype=wide)[[filled.offset, filled.offset + len(filled)]]
        if data is not None:
            yield memoryview(data)[bounds[0] : bounds[1]]
        return
    kind = pa.int8() if pa.types.is_boolean(array.type) else array.type
    kind = pa.int64() if pa.types.is_temporal(kind) else kind
    yield array.cast(kind).fill_null(0).to_numpy().tobytes()


def _to_frame(table: pa.Table, dtypes: Mapping[str, str]) -> pd.DataFrame:
    columns = {}
    for name, dtype in dtypes.items():
        if name not in table.column_names:  # written before the contract had this field
            columns[name] = pd.Series(None, index=range(len(table)), dtype=dtype)
            continue
        column = table.select([name]).combine_chunks()[name]  # a file a month; texts in pieces are slow to take from
        columns[name] = _nullable(column, dtype) if dtype in ("Int64", "boolean") else column.to_pandas().astype(dtype)
    return pd.DataFrame(columns, copy=False)


def _nullable(column: pa.ChunkedArray, dtype: str) -> pd.Series[Any]:
    missing = column.is_null().to_numpy()
    values = column.fill_null(False if dtype == "boolean" else 0).to_numpy()
    kind = pd.arrays.BooleanArray if dtype == "boolean" else pd.arrays.IntegerArray
    return pd.Series(kind(np.array(values), np.array(missing)))


def _replace_text(target: Path, text: str) -> None:
    fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    with fresh.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(target)


def _sweep(folder: Path, used: Collection[str]) -> None:
    """Delete what neither the current nor the previous manifest names (a killed writer's files among it)."""
    for file in folder.iterdir():
        if file.name not in used:
            file.unlink(missing_ok=True)
