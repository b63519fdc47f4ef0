"""The correction workbook: a dealer's failing rows, what is wrong with each, and yellow cells to mend them in.

It goes to the owning dealer only. Every sheet of a table has a very hidden twin with the values as they were made, so
that what was changed is known without trusting positions; every row carries a signed token that says which row it is.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import xlsxwriter

from models.messages import text
from reports.workbook import RISKY, SAFE

VERSION = "rematch-corrections/1"
META_SHEET = "_rematch"
TWIN_PREFIX = "_"
TOKEN, KEEP = "_token", "_keep"  # columns besides the fields
MOST_ROWS = 50_000
YES: Mapping[str, str] = {"zh_CN": "是", "en": "yes"}

_LONGEST_LIST = 255  # characters a drop-down list may have in the file format
_SAID = ("state", "wrong", "mend", "file", "row")
_WIDTHS = (10, 40, 40, 20, 8)
_HEAD, _CODES = 2, 1  # rows of labels and of field codes (hidden)

_BASE = {"font_name": "Microsoft YaHei", "font_size": 10.5, "valign": "top", "text_wrap": True, "num_format": "@"}
_FORMATS: dict[str, dict[str, Any]] = {
    "body": {},
    "title": {"bold": True, "font_size": 16, "text_wrap": False},
    "head": {"bold": True, "bg_color": "#E8EDF3", "border": 1, "border_color": "#C5CED8"},
    "cell": {"border": 1, "border_color": "#D9DFE5", "font_color": "#5B6875"},
    "said": {"border": 1, "border_color": "#D9DFE5"},
    "lead": {"bold": True, "bg_color": "#EAF2FB"},
    "warn": {"bg_color": "#FFF4DC"},
    "open": {"border": 1, "border_color": "#C9A227", "bg_color": "#FFFBE6", "locked": False},
    "wrong": {"border": 2, "border_color": "#B3261E", "bg_color": "#FFF3B0", "locked": False, "bold": True},
}


@dataclass(frozen=True)
class CorrectionRow:
    """A failing row; ``cells`` by field as shown, ``wrong`` cells are marked, ``open`` ones may be overwritten."""

    token: str
    state: str
    wrong: str
    mend: str
    file: str
    row: int
    cells: Mapping[str, str]
    marked: Collection[str]
    open: Collection[str]
    confirmable: bool


@dataclass(frozen=True)
class CorrectionColumn:
    """A field: its name, its label, for closed sets the words to choose from, what a mapped source calls it."""

    field: str
    label: str
    choices: tuple[str, ...] = ()
    called: tuple[str, ...] = ()


@dataclass(frozen=True)
class CorrectionTable:
    """The failing rows of one table, one sheet."""

    table: str
    label: str
    columns: tuple[CorrectionColumn, ...]
    rows: tuple[CorrectionRow, ...]


@dataclass(frozen=True)
class CorrectionBook:
    """A whole workbook. ``summary``: table, what is wrong, rows, how to mend; ``unreadable``: file, row, sentence;
    ``total``: all failing rows of the dealer, of which ``listed`` are in the sheets; ``meta``: the signed identity."""

    locale: str
    dealer: str
    cycle: str
    as_of: datetime
    meta: str
    personal: bool
    summary: tuple[tuple[str, str, int, str], ...]
    unreadable: tuple[tuple[str, str, str], ...]
    reasons: tuple[tuple[str, str], ...]
    listed: int
    total: int
    tables: tuple[CorrectionTable, ...]


class _Writer:
    def __init__(self, book: CorrectionBook) -> None:
        self.book, self.buffer = book, io.BytesIO()
        self.file = xlsxwriter.Workbook(self.buffer, SAFE)
        # A fixed creation time: the same rows give the same file.
        self.file.set_properties({"title": self.t("title", dealer=book.dealer), "created": book.as_of})
        self.formats = {name: self.file.add_format(_BASE | extra) for name, extra in _FORMATS.items()}
        self.quoted = {
            name: self.file.add_format(_BASE | extra | {"quote_prefix": True}) for name, extra in _FORMATS.items()
        }

    def t(self, key: str, **params: object) -> str:
        return text(f"corrections.{key}", self.book.locale, **params)

    def put(self, sheet: Any, row: int, column: int, words: str, style: str) -> None:
        """Text stays text: nothing is read as a formula, neither now nor when the cell is edited."""
        formats = self.quoted if words.startswith(RISKY) else self.formats
        sheet.write_string(row, column, words, formats[style])

    def overview(self) -> None:
        book = self.book
        sheet = self.file.add_worksheet(self.t("sheet.overview"))
        for column, width in enumerate((34, 52, 10, 60)):
            sheet.set_column(column, column, width, self.formats["body"])
        sheet.hide_gridlines(2)
        sheet.set_paper(9)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        self.put(sheet, 0, 0, self.t("title", dealer=book.dealer), "title")
        lines = [self.t("about", rows=book.listed, cycle=book.cycle)]
        lines += [self.t(f"how.{step}") for step in ("fill", "clear", "keep", "send")]
        row = 2
        for line in lines:
            sheet.merge_range(row, 0, row, 3, line, self.formats["body"])
            sheet.set_row(row, 30)
            row += 1
        warnings = [self.t("private" if book.personal else "masked")]
        if book.total > book.listed:
            warnings.append(self.t("capped", listed=f"{book.listed:,}", total=f"{book.total:,}"))
        for line in warnings:
            sheet.merge_range(row, 0, row, 3, line, self.formats["warn"])
            sheet.set_row(row, 30)
            row += 1
        row = self.block(sheet, row + 1, "summary", [(a, b, f"{n:,}", d) for a, b, n, d in book.summary])
        if book.unreadable:
            row = self.block(sheet, row + 1, "unreadable", [(file, "", at, said) for file, at, said in book.unreadable])
        if book.reasons:
            self.block(sheet, row + 1, "reasons", [(code, label, "", "") for code, label in book.reasons])
        sheet.protect("", {"format_columns": True, "format_rows": True})

    def block(self, sheet: Any, row: int, name: str, lines: list[tuple[str, str, str, str]]) -> int:
        sheet.merge_range(row, 0, row, 3, self.t(f"{name}.title"), self.formats["lead"])
        for column in range(4):
            self.put(sheet, row + 1, column, self.t(f"{name}.head{column}"), "head")
        for at, line in enumerate(lines, row + 2):
            for column, words in enumerate(line):
                self.put(sheet, at, column, words, "said")
            if max(len(line[1]), len(line[3])) > 34:
                sheet.set_row(at, 32)
        return row + 2 + len(lines)

    def sheet(self, table: CorrectionTable) -> None:
        sheet = self.file.add_worksheet(table.label)
        keep = any(row.confirmable for row in table.rows)
        codes = [TOKEN, *_SAID, *([KEEP] if keep else []), *(column.field for column in table.columns)]
        labels = ["", *(self.t(f"head.{name}") for name in _SAID), *([self.t("head.keep")] if keep else [])]
        labels += [self.label(column) for column in table.columns]
        sheet.set_column(0, 0, None, None, {"hidden": True})
        for at, width in enumerate(_WIDTHS, 1):
            sheet.set_column(at, at, width)
        sheet.set_column(len(_SAID) + 1, len(codes) - 1, 17)
        sheet.merge_range(0, 1, 0, len(_SAID), self.t("hint"), self.formats["lead"])
        sheet.set_row(0, 32)
        for at, (code, label) in enumerate(zip(codes, labels, strict=True)):
            self.put(sheet, _CODES, at, code, "cell")
            self.put(sheet, _HEAD, at, label, "head")
        sheet.set_row(_CODES, None, None, {"hidden": True})
        sheet.set_row(_HEAD, 16 * max(sum(1 + len(part) // 15 for part in label.split("\n")) for label in labels))
        sheet.freeze_panes(_HEAD + 1, 3)
        sheet.set_paper(8)  # A3
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        for at, row in enumerate(table.rows, _HEAD + 1):
            self.line(sheet, at, row, table, keep)
        last = _HEAD + len(table.rows)
        sheet.autofilter(_HEAD, 1, last, len(codes) - 1)
        self.choices(sheet, table, codes, keep, last)
        sheet.protect("", {"format_columns": True, "format_rows": True, "autofilter": True, "sort": True})

    def label(self, column: CorrectionColumn) -> str:
        """A field's label, with the source's own names where they are others."""
        names = [name for name in column.called if name != column.label]
        return f"{column.label}\n{self.t('called', names=' / '.join(names))}" if names else column.label

    def line(self, sheet: Any, at: int, row: CorrectionRow, table: CorrectionTable, keep: bool) -> None:
        self.put(sheet, at, 0, row.token, "cell")
        for column, words in enumerate((row.state, row.wrong, row.mend, row.file, str(row.row)), 1):
            self.put(sheet, at, column, words, "said")
        first = len(_SAID) + 1
        if keep:
            self.put(sheet, at, first, "", "open" if row.confirmable else "cell")
            first += 1
        for column, field in enumerate(table.columns, first):
            style = "cell" if field.field not in row.open else "wrong" if field.field in row.marked else "open"
            self.put(sheet, at, column, row.cells.get(field.field, ""), style)
        sheet.set_row(at, 16 * max(2, *(1 + len(part) // 24 for part in (row.wrong, row.mend))))

    def choices(self, sheet: Any, table: CorrectionTable, codes: list[str], keep: bool, last: int) -> None:
        offered = {column.field: column.choices for column in table.columns if column.choices}
        if keep:
            offered[KEEP] = (YES[self.book.locale],)
        for field, words in offered.items():
            if len(",".join(words)) <= _LONGEST_LIST:
                at = codes.index(field)
                rule = {"validate": "list", "source": list(words), "error_type": "warning"}
                sheet.data_validation(_HEAD + 1, at, last, at, rule)

    def twin(self, table: CorrectionTable) -> None:
        """The values as they were made, by token."""
        sheet = self.file.add_worksheet(f"{TWIN_PREFIX}{table.table}")
        sheet.very_hidden()
        codes = [TOKEN, *(column.field for column in table.columns)]
        for at, code in enumerate(codes):
            self.put(sheet, 0, at, code, "body")
        for at, row in enumerate(table.rows, 1):
            for column, words in enumerate([row.token, *(row.cells.get(code, "") for code in codes[1:])]):
                self.put(sheet, at, column, words, "body")


def correction_workbook(book: CorrectionBook) -> bytes:
    """The workbook as xlsx: an overview, a sheet per table, and very hidden what is needed to take it back."""
    writer = _Writer(book)
    writer.overview()
    for table in book.tables:
        writer.sheet(table)
    for table in book.tables:
        writer.twin(table)
    meta = writer.file.add_worksheet(META_SHEET)
    meta.very_hidden()
    for row, words in enumerate((VERSION, book.meta)):
        writer.put(meta, row, 0, words, "body")
    writer.file.close()
    return writer.buffer.getvalue()
