"""Reading CSV and TSV files: every cell as text, ragged rows caught with their row number."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from models.catalogue.contract import ROW_COLUMN
from models.errors import SourceError
from models.mapping import FileSpec
from tasks.compute.frames import Notice
from tasks.contents import NO_VALUES, Chooser, Content, Unreadable, clean_header
from tasks.encodings import to_utf8
from tasks.layout import LOOKED_AT, data_rows, found_lower, header_at

DELIMITERS = (",", ";", "\t", "|")
_BLOCK = 8 << 20
_HEAD = 1 << 20  # bytes looked at for header and delimiter
_SEPARATOR_LINE = re.compile(r"\ufeff?\"?sep=(.)\"?\r?\n", re.IGNORECASE)  # Excel's own way to name the delimiter
_FORMULA_TEXT = r'^="(.*)"$'  # how programs keep Excel from taking digits for a number
_LARGEST_BLOCK = 2**31 - 1


def read_delimited(path: Path, file: str, spec: FileSpec, choose: Chooser = None) -> Content:
    """The rows of a delimited text file, ``file`` being its name in messages.

    Encoding and delimiter are detected unless ``spec`` names them; line ends may be LF, CRLF or CR, quoted cells may
    hold line breaks. Rows with too few or too many cells are returned as ``unreadable``; rows without any value are
    no data rows. Raises SourceError for an empty file, a wrong encoding, a quote never closed.
    """
    data = pa.memory_map(str(path)).read_buffer() if path.stat().st_size else pa.py_buffer(b"")
    text, notices = to_utf8(data, file, spec.encoding)
    del data
    if text.size == 0 or not bytes(text[:_HEAD]).strip():
        raise SourceError("ingest.empty_file", file=file)
    records, delimiter = _head(text, spec)
    header = header_at(records, spec.header_row)
    if header is None:
        raise SourceError("ingest.no_header", file=file, row=spec.header_row or 1)
    names, repeated = clean_header(_as_wide_as_rows(records, header), file)
    notices += found_lower(header, records, spec.header_row, file)
    chosen = set(names if choose is None else choose(names))
    if len(records) == header + 1 and text.size <= _HEAD:
        table, ragged = pa.table({name: pa.array([], pa.string()) for name in names}), []
    else:
        parser = _Parser(text, file, delimiter, names, header + 1, [*NO_VALUES, *spec.na])
        table, ragged = parser.parse([name for name in names if name in chosen])
    return _content(table, file, names, ragged, notices + repeated)


def _content(
    table: pa.Table, file: str, names: Sequence[str], ragged: list[tuple[int, int, int]], notices: list[Notice]
) -> Content:
    frame = pd.DataFrame({name: table[name].to_pandas().astype("str") for name in table.column_names}, copy=False)
    bad = np.array([row for row, _, _ in ragged], dtype="int64")
    numbers = np.setdiff1d(np.arange(1, len(table) + len(bad) + 1), bad, assume_unique=True) if len(bad) else None
    frame[ROW_COLUMN] = np.arange(1, len(table) + 1) if numbers is None else numbers
    unreadable = tuple(Unreadable(row, expected, found) for row, expected, found in ragged if found)
    rows, left_out = data_rows(frame, file)
    return Content(rows, tuple(names), unreadable, (*notices, *left_out))


def _head(text: pa.Buffer, spec: FileSpec) -> tuple[list[list[str]], str]:
    """The first records up to the header and some more, and the delimiter they are split by."""
    sample = bytes(text[:_HEAD]).decode("utf-8", "ignore")
    named = _SEPARATOR_LINE.match(sample)
    declared = spec.delimiter or ("\t" if spec.format == "tsv" else None) or (named[1] if named else None)
    count = (spec.header_row or 1) + LOOKED_AT
    splits = {delimiter: _records(sample, delimiter, count) for delimiter in ([declared] if declared else DELIMITERS)}
    if named:
        for records in splits.values():
            records[0] = []  # no data, but a line of its own
    best = max(splits, key=lambda delimiter: _fitness(splits[delimiter], spec.header_row))
    return splits[best], best


def _records(sample: str, delimiter: str, count: int) -> list[list[str]]:
    """Records of the sample; leading blank lines count as records, as they do for ``header_row``."""
    records: list[list[str]] = []
    csv.field_size_limit(_LARGEST_BLOCK)
    for record in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
        records.append(record)
        if len(records) == count:
            break
    return records


def _fitness(records: list[list[str]], header_row: int | None) -> tuple[float, bool, int]:
    """How well a delimiter splits: rows as wide as the header, no title needed to explain it, columns."""
    header = header_at(records, header_row)
    if header is None:
        return 0.0, False, 0
    on_top = not any(map(any, records[:header]))
    width = len(records[header])
    rows = [record for record in records[header + 1 :] if record]
    same = sum(len(record) == width for record in rows) / len(rows) if rows else 1.0
    return (same if same >= 0.5 else 0.0) if width > 1 else 0.0, on_top, width


def _as_wide_as_rows(records: list[list[str]], header: int) -> list[str]:
    """The header's cells; where every row ends with the same number of empty cells more, with empty names for those."""
    names = records[header]
    rows = [record for record in records[header + 1 :] if record]
    widths = {len(record) for record in rows}
    if len(widths) != 1 or any(cell.strip() for record in rows for cell in record[len(names) :]):
        return names
    return [*names, *[""] * (widths.pop() - len(names))]


@dataclass(frozen=True)
class _Parser:
    """One file's text through pyarrow's CSV reader, with what it needs to say where a row is wrong."""

    text: pa.Buffer
    file: str
    delimiter: str
    names: list[str]
    header_row: int
    no_values: list[str]

    @property
    def quoted(self) -> bool:
        """Whether a quotation mark occurs at all; without one, line breaks are cheap to find."""
        return re.search(rb'"', memoryview(self.text)) is not None

    def parse(self, wanted: list[str]) -> tuple[pa.Table, list[tuple[int, int, int]]]:
        """The table, and (row, expected, found) of every ragged row; ``found`` 0 for a line of blanks."""
        ragged: list[Any] = []
        quoted = self.quoted
        table = self._read(wanted, ragged, quoted=quoted, threads=True)
        if ragged:
            ragged.clear()
            table = self._read(wanted, ragged, quoted=quoted, threads=False)  # only so does pyarrow know row numbers
        if quoted and bytes(self.text).count(b'"') % 2:
            self._refuse_open_quote()
        return self._without_formulas(table) if quoted else table, [
            (row.number - self.header_row, row.expected_columns, row.actual_columns if row.text.strip() else 0)
            for row in ragged
        ]

    def _without_formulas(self, table: pa.Table) -> pa.Table:
        if re.search(rb'="', memoryview(self.text)) is None:
            return table
        columns = [pc.replace_substring_regex(column, _FORMULA_TEXT, r"\1") for column in table.columns]
        return pa.table(dict(zip(table.column_names, columns, strict=True)))

    def _read(
        self, wanted: list[str], ragged: list[Any], *, quoted: bool, threads: bool, block: int = _BLOCK
    ) -> pa.Table:
        def keep(row: Any) -> str:
            ragged.append(row)
            return "skip"

        try:
            return pacsv.read_csv(
                pa.BufferReader(self.text),
                read_options=pacsv.ReadOptions(
                    use_threads=threads,
                    block_size=block,
                    column_names=self.names,
                    skip_rows=self.header_row - 1,
                    skip_rows_after_names=1,
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=self.delimiter,
                    quote_char='"' if quoted else False,
                    newlines_in_values=quoted,
                    invalid_row_handler=keep,
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(self.names, pa.string()),
                    include_columns=wanted,
                    strings_can_be_null=True,
                    null_values=["", *self.no_values],
                    check_utf8=False,
                ),
            )
        except pa.ArrowInvalid as error:
            whole = min(self.text.size + 1, _LARGEST_BLOCK)
            if block < whole and "straddling" in str(error):  # one row is longer than a block
                ragged.clear()
                return self._read(wanted, ragged, quoted=quoted, threads=threads, block=min(whole, block * 16))
            raise SourceError("ingest.unreadable", file=self.file, problem=str(error).splitlines()[0]) from error

    def _refuse_open_quote(self) -> None:
        """A quote never closed swallows the rest of the file: the last cell holds line breaks and the file's end."""
        ragged: list[Any] = []
        table = self._read(self.names, ragged, quoted=True, threads=False)
        tail = bytes(self.text[max(0, self.text.size - _HEAD) :]).decode("utf-8", "ignore").rstrip()
        last = [str(table[name][-1].as_py() or "") for name in table.column_names] if len(table) else []
        last += [ragged[-1].text] if ragged else []
        if any(re.search(r"[\r\n]", cell) and tail.endswith(cell.strip()[-1000:]) for cell in last):
            raise SourceError("ingest.open_quote", file=self.file, row=len(table) + len(ragged))
