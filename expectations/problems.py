"""Failing rows as a Problems frame (docs/architecture.md): which row of which file breaks which rule, and why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from expectations.rules import Action
from models.catalogue.contract import FILE_COLUMN, PERSONAL_KINDS, ROW_COLUMN, contract

if TYPE_CHECKING:
    from expectations.results import Judged

PROBLEM_DTYPES = {
    **dict.fromkeys(("table", "source_file"), "str"),
    "row_number": "Int64",
    **dict.fromkeys(("row_key", "dealer_id", "rule", "column", "severity", "params"), "str"),
}
# A value is repeated in a message only if it looks like a code or a figure, and not like a phone.
_SHOWABLE = re.compile(r"(?!.*\d{7})[\w .:/+-]{1,40}")
_HIDDEN = "…"
_SHOWS_VALUE = frozenset({"ExpectColumnValuesToBeBetween", "ExpectColumnValuesToBeInSet"})


def shown(value: str) -> str:
    """A cell's value as messages may repeat it."""
    return value if _SHOWABLE.fullmatch(value) else _HIDDEN


def no_problems() -> pd.DataFrame:
    """A Problems frame without rows."""
    return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in PROBLEM_DTYPES.items()})


def join(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Several Problems frames as one."""
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else no_problems()


def problems_of(table: str, frame: pd.DataFrame, judged: Judged, dealers: pd.Index) -> pd.DataFrame:
    """The failing rows of one expectation; ``dealers`` names the dealer of each of them."""
    index = range(len(dealers))
    identity = contract().tables[table].key[0]
    cells = {
        "table": table,
        "source_file": _taken(frame, FILE_COLUMN, judged),
        "row_number": _taken(frame, ROW_COLUMN, judged),
        "row_key": _taken(frame, identity if identity in contract().tables[table].fields else "", judged),
        "dealer_id": dealers,
        **{name: judged.meta[name] for name in ("rule", "column", "severity")},
        "params": _params(table, judged, frame),
    }
    return pd.DataFrame(
        {name: pd.Series(cells[name], index=index, dtype=kind) for name, kind in PROBLEM_DTYPES.items()}
    )


def _taken(frame: pd.DataFrame, column: str, judged: Judged) -> object:
    return frame[column].array[judged.rows] if column in frame else None


def _params(table: str, judged: Judged, frame: pd.DataFrame) -> object:
    """The parameters of each row's message as JSON; a cell's value only where it helps a person to find the error."""
    column = judged.meta["column"]
    said = {"column": column, **judged.params}
    kind = contract().tables[table].fields[column].kind
    hidden = kind in PERSONAL_KINDS or kind == "free_text" or column not in frame
    if judged.meta["action"] == Action.KEEP or judged.kind not in _SHOWS_VALUE or hidden:
        return json.dumps(said, ensure_ascii=False)
    cells = frame[column].iloc[judged.rows]
    values = (cells.dt.strftime("%Y-%m-%d %H:%M") if cells.dtype.kind == "M" else cells.astype("str")).fillna("")

    def words(value: str) -> str:
        value = value.removesuffix(".0") if cells.dtype.kind == "f" else value
        return json.dumps({**said, "value": shown(value)}, ensure_ascii=False)

    return values.map({value: words(value) for value in values.unique()}).array
