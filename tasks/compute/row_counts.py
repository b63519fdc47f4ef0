"""The count of every row a file brought, and its one fate: received, repeated, replaced or unreadable."""

from __future__ import annotations

import pandas as pd

from models.catalogue.contract import FILE_COLUMN, Table
from tasks.compute.folding import RECEIVED, REPEATED, REPLACED, UNASSIGNED
from tasks.compute.frames import empty_frame

FATES = (RECEIVED, REPEATED, REPLACED, "unreadable")
#: ``rows`` of a file and dealer: the sum of its ``FATES``.
COUNT_DTYPES = {
    "table": "str",
    "source_file": "str",
    "dealer_id": "str",
    "rows": "int64",
    **dict.fromkeys(FATES, "int64"),
}


class RowsLostError(Exception):
    """Rows in and rows accounted for differ: a defect of ours, nothing may be concluded."""


def row_counts(table: Table, old: pd.DataFrame, folded: pd.DataFrame, ragged: pd.DataFrame) -> pd.DataFrame:
    """All rows ever delivered per file and dealer, and their fates now; what was dropped before stays dropped."""
    key = ["source_file", "dealer_id"]
    now = folded.rename(columns={FILE_COLUMN: "source_file"}).assign(unreadable=0)
    unread = ragged.groupby("source_file").size().rename("unreadable").reset_index()
    unread = unread.assign(dealer_id=UNASSIGNED, rows=unread["unreadable"], **dict.fromkeys(FATES[:3], 0))
    before = old.assign(rows=old["rows"] - old[RECEIVED], **{RECEIVED: 0})  # what was received then is folded again now
    parts = [part[[*key, "rows", *FATES]] for part in (before, now, unread) if len(part)]
    if not parts:
        return empty_frame(COUNT_DTYPES)
    summed = pd.concat(parts, ignore_index=True).groupby(key, as_index=False).sum()
    return summed.assign(table=table.name)[list(COUNT_DTYPES)].astype(COUNT_DTYPES)


def assert_none_lost(table: Table, counts: pd.DataFrame, rows_read: pd.Series, ragged: pd.DataFrame) -> None:
    """Every row read is counted under its file, and has exactly one fate; else RowsLostError."""
    per_file = counts.groupby("source_file")[["rows", *FATES]].sum()
    unread = ragged.groupby("source_file").size()
    for file in rows_read.index.union(unread.index):
        came = int(rows_read.get(file, 0)) + int(unread.get(file, 0))
        if came != per_file["rows"].get(file, 0):
            raise RowsLostError(f"{table.name}: {file} has {came} rows, {per_file['rows'].get(file, 0)} are counted")
    wrong = per_file[per_file["rows"] != per_file[[*FATES]].sum(axis=1)]
    if len(wrong):
        raise RowsLostError(f"{table.name}: the fates of the rows of {', '.join(wrong.index)} do not add up")
