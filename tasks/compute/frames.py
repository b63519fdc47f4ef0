"""The frames that steps hand to each other: raw tables as read, canonical tables as typed, problems of rows.

Columns and dtypes are those of docs/architecture.md, "Frames in the lake" and "Problems".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from models.catalogue.contract import FILE_COLUMN, PROVENANCE, ROW_COLUMN, ContractField, Table
from models.enums import Severity
from models.errors import UserError
from models.messages import DEFAULT_LOCALE, text

PROBLEM_DTYPES = {
    "table": "str",
    "source_file": "str",
    "row_number": "Int64",
    "row_key": "str",
    "dealer_id": "str",
    "rule": "str",
    "column": "str",
    "severity": "str",
    "params": "str",
}

_KIND_DTYPES = {
    "datetime": "datetime64[us]",
    "date": "datetime64[us]",
    "int": "Int64",
    "bool": "boolean",
    "money": "float64",
    "score": "float64",
}


@dataclass(frozen=True)
class Notice:
    """Something the user should know that stops nothing: a message key and what fills it."""

    key: str
    params: Mapping[str, object] = field(default_factory=dict)

    def text(self, locale: str = DEFAULT_LOCALE) -> str:
        """The notice in ``locale``."""
        return text(self.key, locale, **self.params)


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file (or query): its rows, or the error that made it unreadable.

    ``rows`` counts all data rows, the ``unreadable`` ones (listed as problems) included; ``digest`` is the SHA-256 of
    the content, empty when the file could not be read.
    """

    file: str
    digest: str = ""
    rows: int = 0
    unreadable: int = 0
    error: UserError | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class RawTable:
    """One input as read: all source columns as ``str`` plus ``_file`` and ``_row``; problems of rows not readable."""

    name: str
    frame: pd.DataFrame
    problems: pd.DataFrame
    files: tuple[FileOutcome, ...] = ()


def dtype_of(contract_field: ContractField) -> str:
    """The pandas dtype a typed column of this field has."""
    return _KIND_DTYPES.get(contract_field.kind, "str")


def lake_dtypes(table: Table) -> dict[str, str]:
    """Columns of a lake frame of ``table`` in their order, with dtypes; a phone brings its key column along."""
    dtypes: dict[str, str] = {}
    for name, contract_field in table.fields.items():
        dtypes[name] = dtype_of(contract_field)
        if contract_field.key_column:
            dtypes[contract_field.key_column] = "str"
    return dtypes | {FILE_COLUMN: "str", ROW_COLUMN: "int64"}


def personal_columns(table: Table) -> tuple[str, ...]:
    """The columns that are encrypted at rest and left out of ordinary reads."""
    return tuple(name for name, contract_field in table.fields.items() if contract_field.personal)


def empty_frame(dtypes: Mapping[str, str]) -> pd.DataFrame:
    """A frame without rows that has these columns and dtypes."""
    return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in dtypes.items()})


def no_problems() -> pd.DataFrame:
    """The problems frame without rows."""
    return empty_frame(PROBLEM_DTYPES)


def join_problems(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Several problems frames as one; empty input gives the empty problems frame."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else no_problems()


def problems_at(
    table: Table,
    rows: pd.DataFrame,
    rule: str,
    severity: Severity,
    *,
    column: str = "",
    params: Mapping[str, object] | Sequence[str] | None = None,
) -> pd.DataFrame:
    """One problem of ``rule`` per row of ``rows`` (a frame of ``table`` with provenance).

    ``params`` fills the rule's message: a mapping holds for all rows, a sequence has one JSON text per row.
    ``row_key`` is the first column of the table's key unless that one is a personal hash.
    """
    count = len(rows)
    identity = table.key[0] if table.key[0] in table.fields else ""
    same = json.dumps(dict(params), ensure_ascii=False) if isinstance(params, Mapping) else "{}"
    values: dict[str, object] = {
        "table": [table.name] * count,
        "source_file": rows[FILE_COLUMN].to_numpy(),
        "row_number": rows[ROW_COLUMN].to_numpy(),
        "row_key": rows[identity].to_numpy() if identity in rows else [None] * count,
        "dealer_id": rows["dealer_id"].to_numpy() if "dealer_id" in rows else [None] * count,
        "rule": [rule] * count,
        "column": [column] * count,
        "severity": [severity.value] * count,
        "params": [same] * count if params is None or isinstance(params, Mapping) else list(params),
    }
    return pd.DataFrame({name: pd.Series(values[name], dtype=dtype) for name, dtype in PROBLEM_DTYPES.items()})


def in_contract_order(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` with exactly the table's lake columns in their order; what it lacks is missing throughout."""
    dtypes = lake_dtypes(table)
    lacking = {
        name: pd.Series(None, index=frame.index, dtype=dtype)
        for name, dtype in dtypes.items()
        if name not in frame and name not in PROVENANCE
    }
    return frame.assign(**lacking)[list(dtypes)] if lacking else frame[list(dtypes)]
