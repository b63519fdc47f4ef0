"""Where the table stands in a file that people made: under a title, between sums, with column names repeated."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from models.catalogue.contract import ROW_COLUMN
from tasks.compute.frames import Notice
from tasks.contents import without_blank_rows

LOOKED_AT = 50  # rows at the head of a file that its layout is judged by
_TITLE_FILLED, _HEADER_FILLED = 1 / 3, 2 / 3  # of the widest row, at most for a title or column groups, at least
_VALUE = re.compile(r"[\d\s.,:/+%￥¥-]*\d[\d\s.,:/+%年月日时分秒-]*")  # numbers, dates, phones: no column names
_LABELS = 3  # leading columns in which a row of sums is named
_TOTAL = r"(?i)^\s*(?:[合总小共]\s*计|汇\s*总|总\s*和|(?:sub|grand\s?)?totals?|sum)\s*[:：]?\s*$"


def header_at(rows: Sequence[Sequence[str]], asked: int | None) -> int | None:
    """The position of the row with the column names; None when there is none.

    ``asked`` counts from 1: that row, or the next one that has a value. Without it the first row with values, unless it
    fills so few columns of the table below that it must be a title, and a full row of names follows.
    """
    filled = [sum(1 for cell in row if cell.strip()) for row in rows]
    first = next((at for at in range((asked or 1) - 1, len(rows)) if filled[at]), None)
    if asked or first is None:
        return first
    widest = max(filled)
    if filled[first] > widest * _TITLE_FILLED:
        return first
    full = next(at for at in range(first, len(rows)) if filled[at] >= widest * _HEADER_FILLED)
    return full if _names(rows[full]) and any(filled[full + 1 :]) else first


def _names(row: Sequence[str]) -> bool:
    """Whether the cells can be column names: no two alike, no values."""
    cells = [cell.strip() for cell in row if cell.strip()]
    return len(set(cells)) == len(cells) and not any(_VALUE.fullmatch(cell) for cell in cells)


def found_lower(header: int, rows: Sequence[Sequence[str]], asked: int | None, file: str) -> list[Notice]:
    """The notice that the column names were found below a title."""
    above = sum(any(cell.strip() for cell in row) for row in rows[:header])
    if asked or not above:
        return []
    return [Notice("ingest.title_rows", {"file": file, "row": header + 1, "count": above})]


def data_rows(frame: pd.DataFrame, file: str) -> tuple[pd.DataFrame, list[Notice]]:
    """``frame`` without rows that are no data: blank ones, sums, repeated column names; the last two are told."""
    frame = without_blank_rows(frame)
    columns = [name for name in frame.columns if name != ROW_COLUMN]
    if not columns or frame.empty:
        return frame, []
    again = frame[columns[0]] == columns[0]
    for name in columns[1:] if again.any() else ():
        again &= frame[name].isna() | (frame[name] == name)
    notices = []
    for key, rows in {"ingest.repeated_header": again, "ingest.total_rows": _totals(frame, columns)}.items():
        if rows.any():
            numbers = frame.loc[rows.reindex(frame.index, fill_value=False), ROW_COLUMN].head(LOOKED_AT)
            notices.append(Notice(key, {"file": file, "count": int(rows.sum()), "rows": ", ".join(map(str, numbers))}))
            frame = frame[~rows.reindex(frame.index, fill_value=False)]
    return frame.reset_index(drop=True) if notices else frame, notices


def _totals(frame: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Rows named as a sum in one of the first columns, with half of the cells empty at least."""
    found = pd.Series(False, index=frame.index)
    for name in columns[:_LABELS]:
        found |= pc.match_substring_regex(pa.array(frame[name]), _TOTAL).fill_null(False).to_numpy(zero_copy_only=False)
    suspects = frame.loc[found, columns]
    return found & (suspects.isna().mean(axis=1) >= 0.5).reindex(frame.index, fill_value=False)
