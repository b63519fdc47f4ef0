"""Corrected rows: which cells of a failing row its dealer may mend, how a typed row reads as text, what replaces what.

A correction is a row of a later file, typed and checked like any other. It must outlast the next reading of the
source, which still holds the wrong row: so each correction remembers a digest of the row it replaced, and a row of
that very content gives way to it whenever it comes again. A row the source has changed since is newer and wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from models.catalogue.contract import FILE_COLUMN, PROVENANCE, Table

FOLDER = "corrections/"  # the files of corrected rows are named corrections/<dealer>/<n>

#: ``file, row``: the correction; ``first_key``: first key column of the row it replaced ("" when missing);
#: ``digest``: keyed digest of that row's content; ``same_key``: whether the correction kept the row's key.
REPLACEMENT_DTYPES: Mapping[str, str] = MappingProxyType(
    {"file": "str", "row": "int64", "first_key": "str", "digest": "str", "same_key": "bool"}
)

# Rules whose remedy may lie in another cell than the one they name.
_OPENED_WITH: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "status_against_times": ("status", "ordered_at", "delivered_at", "defeated_at"),
        "defeated_before_created": ("defeated_at", "created_at"),
        "ordered_before_created": ("ordered_at", "created_at"),
        "delivered_before_ordered": ("delivered_at", "ordered_at"),
        "test_drive_before_visit": ("test_drive_at", "visited_at"),
        "reviewed_before_filed": ("reviewed_at", "defeated_at"),
    }
)
_CONFIRMED = frozenset({"ambiguous_id", "duplicate_id"})


def confirmable(rule: str) -> bool:
    """Whether a row of ``rule`` may be mended by saying that it is the right one of several."""
    return rule in _CONFIRMED


def open_cells(table: Table, rule: str, column: str) -> tuple[str, ...]:
    """The cells of a failing row that may be corrected; the dealer itself never, another id only where it is wrong."""
    if confirmable(rule):
        return tuple(name for name in table.key if name in table.fields and name != "dealer_id")
    asked = (column, *_OPENED_WITH.get(rule, ()))
    return tuple(dict.fromkeys(name for name in asked if name in table.fields and name != "dealer_id"))


def cell_texts(table: Table, rows: pd.DataFrame) -> pd.DataFrame:
    """Typed lake rows as texts that typing reads back to the same values; missing cells stay missing."""
    return pd.DataFrame(
        {name: pd.Series([_text(cell) for cell in rows[name]], index=rows.index, dtype="str") for name in table.fields}
    )


def _text(cell: Any) -> str | None:
    if pd.isna(cell):
        return None
    if isinstance(cell, datetime):
        return cell.strftime(_time_form(cell))
    if isinstance(cell, bool | np.bool_):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(float(cell))
    return str(cell)


def _time_form(moment: datetime) -> str:
    if not (moment.hour or moment.minute or moment.second or moment.microsecond):
        return "%Y-%m-%d"
    return "%Y-%m-%d %H:%M:%S" + (".%f" if moment.microsecond else "")


def contents(table: Table, rows: pd.DataFrame) -> list[bytes]:
    """What each row says, as bytes that depend on nothing but its values (personal ones among them: keyed use only)."""
    texts = cell_texts(table, rows)
    names = list(texts.columns)
    return [
        "\x1f".join(f"{name}={cell}" for name, cell in zip(names, row, strict=True) if isinstance(cell, str)).encode()
        for row in texts.itertuples(index=False, name=None)
    ]


def near(table: Table, frame: pd.DataFrame, first_keys: pd.Series[Any]) -> pd.Series[Any]:
    """Which rows of ``frame`` share the first column of their key with one of ``first_keys`` ("": missing)."""
    first = frame[table.key[0]]
    alike = first.isin(first_keys[first_keys != ""])
    return alike | first.isna() if (first_keys == "").any() else alike


def active(frame: pd.DataFrame, replacements: pd.DataFrame) -> pd.DataFrame:
    """The replacements whose correction is among the rows of ``frame``; the others have been overtaken."""
    there = pd.MultiIndex.from_frame(frame.loc[frame[FILE_COLUMN].isin(replacements["file"].unique()), [*PROVENANCE]])
    held = pd.MultiIndex.from_arrays([replacements["file"], replacements["row"]]).isin(there)
    return replacements[held].drop_duplicates().reset_index(drop=True)


def superseded(
    table: Table,
    frame: pd.DataFrame,
    files: Sequence[str],
    replacements: pd.DataFrame,
    digests: Callable[[pd.DataFrame], pd.Series[Any]],
) -> pd.Series[Any]:
    """Which rows of ``frame`` give way to a correction that is among them (boolean, index of ``frame``).

    That is every row whose content a correction replaced, and the versions of its key that were older than it
    (``files``: from oldest to newest) or, when the correction kept the key, stood beside it in the same file.
    """
    gone = pd.Series(False, index=frame.index)
    held = active(frame, replacements)
    if held.empty:
        return gone
    rows = frame[near(table, frame, held["first_key"])]
    place = pd.MultiIndex.from_frame(rows[[*PROVENANCE]])
    rank = rows[FILE_COLUMN].map({file: at for at, file in enumerate(files)})
    found = pd.DataFrame({"at": rows.index, "digest": digests(rows), "rank": rank, "place": list(place)})
    pairs = found.merge(held, on="digest")
    own = zip(pairs["place"], pairs["file"], pairs["row"], strict=True)  # a row confirmed as it is replaces not itself
    pairs = pairs[[place != (file, row) for place, file, row in own]]
    gone[pairs["at"]] = True
    key = list(table.key)
    if any(part not in table.fields for part in key):  # events may share a key: only the very row gives way
        return gone
    bound = frame.loc[pairs["at"], key].assign(bound=(pairs["rank"] + pairs["same_key"].astype("int64")).to_numpy())
    bounds = bound.groupby(key)["bound"].max()
    if bounds.empty:
        return gone
    correction = place.isin(pd.MultiIndex.from_arrays([held["file"], held["row"]]))
    others = rows.loc[~correction & rows[key].notna().all(axis=1), key].join(bounds, on=key)
    older = others["bound"].notna() & (rank[others.index] < others["bound"])
    gone[others.index[older]] = True
    return gone
