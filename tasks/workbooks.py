"""Reading Excel workbooks (xlsx, xlsm, xlsb, xls, ods): every cell as text, dates as ISO, numbers without a tail."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pandas as pd
from openpyxl.utils import get_column_letter
from python_calamine import (
    CalamineError,
    CalamineWorkbook,
    PasswordError,
    SheetVisibleEnum,
    WorksheetNotFound,
)

from models.errors import SourceError
from models.mapping import FileSpec
from tasks.compute.frames import Notice
from tasks.contents import NO_VALUES, Chooser, Content, clean_header, numbered
from tasks.layout import LOOKED_AT, data_rows, found_lower, header_at

Area = tuple[tuple[int, int], tuple[int, int]]  # (row, column) of the first and the last cell, from 0

_NAMED_CELLS = 5  # formulas without value a notice names


def read_workbook(path: Path, file: str, spec: FileSpec, choose: Chooser = None) -> Content:
    """The rows of one sheet: ``spec.sheet``, else the first visible one with a table, told when there are more.

    Formulas count by the value stored with them; one stored without is told in a notice. Rows merged into one cell all
    have its value. Cells right of the header are left out. Raises SourceError for a truncated, encrypted or empty
    workbook and for a sheet it does not have.
    """
    try:
        # by content: a path would be judged by its ending
        with path.open("rb") as content, CalamineWorkbook.from_filelike(content) as workbook:
            sheets = list(workbook.sheet_names)
            name = spec.sheet or _first_table(workbook)
            sheet = workbook.get_sheet_by_name(name)
            rows, merged = sheet.to_python(skip_empty_area=False), sheet.merged_cell_ranges or []
    except PasswordError as error:
        raise SourceError("ingest.encrypted_workbook", file=file) from error
    except WorksheetNotFound as error:
        raise SourceError("ingest.no_sheet", file=file, sheet=name, sheets=", ".join(sheets)) from error
    except (CalamineError, OSError, ValueError) as error:
        raise SourceError("ingest.broken_workbook", file=file) from error
    notices = []
    if len(sheets) > 1 and not spec.sheet:
        others = ", ".join(other for other in sheets if other != name)
        notices.append(Notice("ingest.first_sheet", {"file": file, "sheet": name, "others": others}))
    notices += _formulas_without_value(path, file, name, rows)
    return grid_content(rows, file, spec, choose, merged, notices)


def grid_content(
    rows: list[list[object]],
    file: str,
    spec: FileSpec,
    choose: Chooser,
    merged: Sequence[Area] = (),
    notices: Sequence[Notice] = (),
) -> Content:
    """The table in a grid of cells; ``merged`` are the areas shown as one cell (top left, bottom right, from 0).

    Raises SourceError when no cell has a value, or none from the header row on.
    """
    if not any(cell not in ("", None) for row in rows for cell in row):
        raise SourceError("ingest.empty_file", file=file)
    head = [[cell_text(cell) for cell in row] for row in rows[: (spec.header_row or 1) + LOOKED_AT]]
    header_row = header_at(head, spec.header_row)
    if header_row is None:
        raise SourceError("ingest.no_header", file=file, row=spec.header_row or 1)
    header = head[header_row]
    while header and not header[-1].strip():
        header.pop()
    names, repeated = clean_header(header, file)
    title = found_lower(header_row, head, spec.header_row, file)
    filled = _fill_merged(rows, merged, header_row, file)
    chosen = set(names if choose is None else choose(names))
    body = rows[header_row + 1 :]
    columns = {
        column: pd.Series(_column(body, at, spec.na), dtype="str")
        for at, column in enumerate(names)
        if column in chosen
    }
    frame, left_out = data_rows(numbered(pd.DataFrame(columns, index=range(len(body)))), file)
    return Content(frame, tuple(names), (), (*notices, *title, *repeated, *filled, *left_out))


def _first_table(workbook: CalamineWorkbook) -> str:
    """The first visible sheet with two columns and two rows; without any the first sheet there is."""
    visible = [sheet.name for sheet in workbook.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible]
    names = visible or list(workbook.sheet_names)
    for name in names:
        sheet = workbook.get_sheet_by_name(name)
        if sheet.height > 1 and sheet.width > 1:
            return name
    return names[0] if names else ""


def _fill_merged(rows: list[list[object]], merged: Sequence[Area], header_row: int, file: str) -> list[Notice]:
    """Give every data row under a cell merged over several rows the value that is seen there."""
    down = [(top, left, bottom) for (top, left), (bottom, _) in merged if top > header_row and bottom > top]
    for top, left, bottom in down:
        for row in rows[top + 1 : bottom + 1]:
            row[left] = rows[top][left]
    return [Notice("ingest.merged_cells", {"file": file, "count": len(down)})] if down else []


def _column(rows: Sequence[Sequence[object]], at: int, no_values: Sequence[str]) -> list[str | None]:
    nothing = {"", *NO_VALUES, *no_values}
    texts = (cell_text(row[at]) for row in rows)
    return [None if text in nothing else text for text in texts]


def cell_text(cell: object) -> str:
    """A cell as text: dates as ISO, whole numbers without a tail, nothing as an empty text."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e16 else repr(cell)
    return str(cell)  # dates and times of the standard library print as ISO


def _formulas_without_value(path: Path, file: str, sheet: str, rows: Sequence[Sequence[object]]) -> list[Notice]:
    """Formulas a program wrote without computing them: their cells read as empty."""
    if not zipfile.is_zipfile(path) or not _has_formulas(path):
        return []
    with path.open("rb") as content:  # a name that does not end in .xlsx must not matter
        workbook = openpyxl.load_workbook(content, read_only=True)
        cells = [
            f"{get_column_letter(cell.column)}{cell.row}"
            for line in workbook[sheet].iter_rows()
            for cell in line
            if cell.data_type == "f" and not cell_text(rows[cell.row - 1][cell.column - 1])
        ]
    if not cells:
        return []
    named = ", ".join(cells[:_NAMED_CELLS])
    return [Notice("ingest.formula_without_value", {"file": file, "count": len(cells), "cells": named})]


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/") and name.endswith(".xml")]
        return any(b"<f>" in content or b"<f " in content for content in map(archive.read, sheets))
