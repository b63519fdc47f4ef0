"""What a reader of one file gives: its cells as text, the rows it could not read, what the user should know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from models.catalogue.contract import ROW_COLUMN
from tasks.compute.frames import Notice

# Chooses the columns worth reading out of a header; None reads all of them.
Chooser = Callable[[Sequence[str]], Collection[str]] | None

#: What programs write for "no value", and what a spreadsheet leaves of a formula that failed.
NO_VALUES = (
    *("NULL", "null", "(null)", "\\N", "NaN", "nan", "NaT", "<NA>", "None"),
    *("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"),
)
_BLANKS = " \t\r\n\0\u00a0\u200b\u3000\ufeff"


@dataclass(frozen=True)
class Unreadable:
    """A data row whose cells do not fit the header; ``row`` counts data rows from 1."""

    row: int
    expected: int
    found: int


@dataclass(frozen=True)
class Content:
    """``frame``: source columns as ``str`` plus ``_row``; ``header``: all column names, also those not read."""

    frame: pd.DataFrame
    header: tuple[str, ...]
    unreadable: tuple[Unreadable, ...] = ()
    notices: tuple[Notice, ...] = ()


def clean_header(cells: Sequence[str], file: str) -> tuple[list[str], list[Notice]]:
    """Unique column names out of header cells: trimmed, line breaks as blanks, nameless and repeated ones numbered.

    A second ``电话`` becomes ``电话.2``, a nameless third column ``column_3``; repeated and trimmed names are told in
    notices, because other programs will not find the column by the name seen on the screen.
    """
    names: list[str] = []
    repeated: list[str] = []
    seen: Counter[str] = Counter()
    taken = {" ".join(cell.strip(_BLANKS).split()) for cell in cells}
    for position, cell in enumerate(cells, start=1):
        name = " ".join(cell.strip(_BLANKS).split()) or f"column_{position}"
        seen[name] += 1
        if seen[name] > 1:
            repeated.append(name)
            while (numbered := f"{name}.{seen[name]}") in taken:
                seen[name] += 1
            name = numbered
            taken.add(name)
        names.append(name)
    trimmed = [cell.strip(_BLANKS) for cell in cells if cell.strip(_BLANKS) and cell != cell.strip(_BLANKS)]
    found = {"ingest.repeated_column": dict.fromkeys(repeated), "ingest.trimmed_column": dict.fromkeys(trimmed)}
    return names, [Notice(key, {"file": file, "columns": ", ".join(told)}) for key, told in found.items() if told]


def without_blank_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` without the rows that have no value at all; they are no data rows and keep no place in any count."""
    columns = [name for name in frame.columns if name != ROW_COLUMN]
    if not columns or not frame[columns[0]].isna().any():
        return frame
    suspects = frame.index[frame[columns[0]].isna()]
    blank = suspects[frame.loc[suspects, columns].isna().all(axis=1)]
    return frame.drop(index=blank).reset_index(drop=True) if len(blank) else frame


def numbered(frame: pd.DataFrame, first: int = 1) -> pd.DataFrame:
    """``frame`` with ``_row`` counting its rows from ``first``."""
    return frame.assign(**{ROW_COLUMN: range(first, first + len(frame))})
