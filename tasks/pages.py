"""Reading tables out of web pages: what many systems call an Excel export is HTML under a name that ends in .xls."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa

from models.errors import SourceError
from models.mapping import FileSpec
from tasks.contents import Chooser, Content
from tasks.encodings import to_utf8
from tasks.workbooks import Area, grid_content


def read_page(path: Path, file: str, spec: FileSpec, choose: Chooser = None) -> Content:
    """The rows of the page's largest table. Raises SourceError when there is none."""
    text, notices = to_utf8(pa.py_buffer(path.read_bytes()), file, spec.encoding)
    page = _Page()
    page.feed(bytes(text).decode("utf-8"))
    page.close()
    table = max(page.tables, key=lambda one: len(one.rows), default=None)
    if table is None or not any(table.rows):
        raise SourceError("ingest.not_a_table", file=file, kind="HTML")
    width = max(len(row) for row in table.rows)
    rows: list[list[object]] = [[*row, *[""] * (width - len(row))] for row in table.rows]
    return grid_content(rows, file, spec, choose, table.merged, notices)


class _Table:
    """Cells by row; a cell over several columns fills the first, one over several rows is noted as merged."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self.merged: list[Area] = []
        self._taken: set[tuple[int, int]] = set()

    def begin_cell(self, columns: int, down: int) -> None:
        row, at = self.rows[-1], len(self.rows) - 1
        while (at, len(row)) in self._taken:
            row.append("")
        left = len(row)
        self._taken.update((at + below, left + right) for below in range(1, down) for right in range(columns))
        if down > 1:
            self.merged.append(((at, left), (at + down - 1, left + columns - 1)))
        row.extend([""] * columns)
        self.cell = (at, left)


class _Page(HTMLParser):
    """All tables of a page; one inside a cell of another is a table of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[_Table] = []
        self._open: list[_Table] = []
        self._in_cell: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append(_Table())
            self._open.append(self.tables[-1])
            self._in_cell.append(False)
        elif self._open and tag == "tr":
            self._open[-1].rows.append([])
            self._in_cell[-1] = False
        elif self._open and tag in ("td", "th") and self._open[-1].rows:
            spans = dict(attrs)
            self._open[-1].begin_cell(_span(spans.get("colspan")), _span(spans.get("rowspan")))
            self._in_cell[-1] = True
        elif tag == "br":
            self.handle_data("\n")

    def handle_endtag(self, tag: str) -> None:
        if not self._open:
            return
        if tag == "table":
            del self._open[-1], self._in_cell[-1]
        elif tag in ("td", "th", "tr"):
            self._in_cell[-1] = False

    def handle_data(self, data: str) -> None:
        if self._open and self._in_cell[-1]:
            table = self._open[-1]
            row, column = table.cell
            table.rows[row][column] += data


def _span(value: str | None) -> int:
    return min(int(value), 1000) if value and value.isdigit() and int(value) else 1
