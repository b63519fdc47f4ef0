"""A workbook's paper: formats, safe text, rows as high as their text needs (merged cells do not grow by themselves)."""

from __future__ import annotations

import io
import math
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import xlsxwriter

# Text of dealers and customers must never become a formula or a link.
SAFE = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
RISKY = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for a formula when such a cell is edited
LINE = 16.5  # points of a line of text
LONGEST = 32_000  # characters a cell takes, a little under Excel's limit

_BASE = {"font_name": "Microsoft YaHei", "font_size": 10.5, "valign": "top", "text_wrap": True}
_CELL = {"border": 1, "border_color": "#D9DFE5"}
_INPUT = {"border": 1, "border_color": "#C9A227", "bg_color": "#FFFBE6", "locked": False}
_FORMATS: dict[str, dict[str, Any]] = {
    "body": {},
    "title": {"bold": True, "font_size": 16},
    "part": {"bold": True, "font_size": 12, "font_color": "#0B5CAD", "bottom": 1, "bottom_color": "#0B5CAD"},
    "head": {"bold": True, "bg_color": "#E8EDF3", "border": 1, "border_color": "#C5CED8"},
    "cell": _CELL,
    "strong": _CELL | {"bold": True},
    "percent": _CELL | {"num_format": "0.0%"},
    "points": _CELL | {"num_format": "+0.0;-0.0;0.0"},
    "number": _CELL | {"num_format": "#,##0.0"},
    "count": _CELL | {"num_format": "#,##0"},
    "soft": {"font_color": "#5B6875"},
    "lead": {"bold": True, "bg_color": "#EAF2FB", "valign": "vcenter"},
    "input": _INPUT,
    "day": _INPUT | {"num_format": "yyyy-mm-dd"},
}


@lru_cache(maxsize=4096)
def lines(words: str, width: float) -> int:
    """Lines ``words`` takes in a column of ``width`` characters; a Chinese character is as wide as two letters."""

    def wide(line: str) -> float:
        return sum(2.1 if unicodedata.east_asian_width(sign) in "WFA" else 1.05 for sign in line)

    return sum(max(1, math.ceil(wide(line) / max(width - 1, 1))) for line in words.split("\n"))


class Book:
    """A workbook in memory; ``created`` is fixed, so that the same content gives the same file."""

    def __init__(self, title: str, created: datetime) -> None:
        self._buffer = io.BytesIO()
        self.book = xlsxwriter.Workbook(self._buffer, SAFE)
        self.book.set_properties({"title": title, "created": created})
        self.formats = {name: self.book.add_format(_BASE | extra) for name, extra in _FORMATS.items()}
        self.quoted = {
            name: self.book.add_format(_BASE | extra | {"quote_prefix": True}) for name, extra in _FORMATS.items()
        }

    def sheet(self, name: str, widths: Sequence[float], *, repeat: int | None = None) -> Sheet:
        """A new sheet, A4 across; ``repeat`` is the row printed on top of every page."""
        return Sheet(self, name, widths, repeat)

    def content(self) -> bytes:
        """The finished file."""
        self.book.close()
        return self._buffer.getvalue()


class Sheet:
    """A sheet written downwards, row by row."""

    def __init__(self, book: Book, name: str, widths: Sequence[float], repeat: int | None) -> None:
        self.paper = book.book.add_worksheet(name)
        self.widths, self.formats, self.quoted, self.row = list(widths), book.formats, book.quoted, 0
        for column, width in enumerate(widths):
            self.paper.set_column(column, column, width, self.formats["body"])
        self.paper.hide_gridlines(2)
        self.paper.set_paper(9)
        self.paper.set_landscape()
        self.paper.fit_to_pages(1, 0)
        self.paper.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.5)
        if repeat is not None:
            self.paper.repeat_rows(repeat)

    def line(self, words: str, kind: str = "body") -> None:
        """A text over the whole width."""
        last = len(self.widths) - 1
        if last:
            self.paper.merge_range(self.row, 0, self.row, last, "", self.formats[kind])
        self._put(0, words[:LONGEST], kind)
        extra = {"title": 9, "lead": 6}.get(kind, 1)
        self.paper.set_row(self.row, LINE * lines(words, sum(self.widths)) + extra)
        self.row += 1

    def _put(self, column: int, words: str, kind: str) -> None:
        """Text stays text, also when somebody edits the cell."""
        formats = self.quoted if words.startswith(RISKY) else self.formats
        self.paper.write_string(self.row, column, words, formats[kind])

    def gap(self) -> None:
        """An empty row."""
        self.row += 1

    def cells(self, values: Sequence[object], kinds: Sequence[str] | str = "cell", least: int = 1) -> None:
        """A row of values: text as text, numbers as numbers, None as an empty cell; at least ``least`` lines high."""
        each = [kinds] * len(values) if isinstance(kinds, str) else kinds
        high = least
        for column, (value, kind) in enumerate(zip(values, each, strict=True)):
            if value is None or (isinstance(value, float) and not math.isfinite(value)):
                self.paper.write_blank(self.row, column, None, self.formats[kind])
            elif isinstance(value, int | float):
                self.paper.write_number(self.row, column, value, self.formats[kind])
            else:
                words = str(value)[:LONGEST]
                self._put(column, words, kind)
                high = max(high, lines(words, self.widths[column]))
        self.paper.set_row(self.row, min(LINE * high + 1, 400))
        self.row += 1
