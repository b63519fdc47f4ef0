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
    WorksheetNotFound,
)

from models.errors import SourceError
from models.mapping import FileSpec
from tasks.compute.frames import Notice
from tasks.contents import Chooser, Content, clean_header, numbered, without_blank_rows

_NAMED_CELLS = 5  # formulas without value a notice names


def read_workbook(path: Path, file: str, spec: FileSpec, choose: Chooser = None) -> Content:
    """The rows of one sheet (``spec.sheet``, else the first, told in a notice when there are more).

    Formulas count by the value stored with them; one stored without is told in a notice. Cells right of the header
    are left out. Raises SourceError for a truncated, encrypted or empty workbook and for a sheet it does not have.
    """
    try:
        # by content: a path would be judged by its ending
        with path.open("rb") as content, CalamineWorkbook.from_filelike(content) as workbook:
            sheets = list(workbook.sheet_names)
            name = spec.sheet or (sheets[0] if sheets else "")
            rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except PasswordError as error:
        raise SourceError("ingest.encrypted_workbook", file=file) from error
    except WorksheetNotFound as error:
        raise SourceError("ingest.no_sheet", file=file, sheet=name, sheets=", ".join(sheets)) from error
    except (CalamineError, OSError, ValueError) as error:
        raise SourceError("ingest.broken_workbook", file=file) from error
    notices = []
    if len(sheets) > 1 and not spec.sheet:
        notices.append(Notice("ingest.first_sheet", {"file": file, "sheet": name, "others": ", ".join(sheets[1:])}))
    if not any(cell not in ("", None) for row in rows for cell in row):
        raise SourceError("ingest.empty_file", file=file)
    header_row = next((at for at in range(spec.header_row - 1, len(rows)) if any(map(cell_text, rows[at]))), None)
    if header_row is None:
        raise SourceError("ingest.no_header", file=file, row=spec.header_row)
    header = [cell_text(cell) or "" for cell in rows[header_row]]
    while header and not header[-1].strip():
        header.pop()
    names, repeated = clean_header(header, file)
    notices += repeated + _formulas_without_value(path, file, name, rows)
    chosen = set(names if choose is None else choose(names))
    body = rows[header_row + 1 :]
    columns = {
        column: pd.Series(_column(body, at, spec.na), dtype="str")
        for at, column in enumerate(names)
        if column in chosen
    }
    frame = without_blank_rows(numbered(pd.DataFrame(columns, index=range(len(body)))))
    return Content(frame, tuple(names), (), tuple(notices))


def _column(rows: Sequence[Sequence[object]], at: int, no_values: Sequence[str]) -> list[str | None]:
    nothing = {"", *no_values}
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
