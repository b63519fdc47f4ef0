"""The frames that pass between reading, mapping and typing (docs/architecture.md, "How data moves")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from models.messages import DEFAULT_LOCALE, text

PROBLEM_COLUMNS = (
    "table",
    "source_file",
    "row_number",
    "row_key",
    "dealer_id",
    "rule",
    "column",
    "severity",
    "params",
)


def empty_problems() -> pd.DataFrame:
    """A Problems frame without rows: ``PROBLEM_COLUMNS``, ``row_number`` Int64, the others ``str``."""
    return pd.DataFrame({name: pd.Series(dtype="Int64" if name == "row_number" else "str") for name in PROBLEM_COLUMNS})


@dataclass(frozen=True)
class RawTable:
    """What reading gives of one input: every column ``str`` under its header, ``_file`` and ``_row`` (from 1)."""

    name: str
    frame: pd.DataFrame
    problems: pd.DataFrame = field(default_factory=empty_problems)


@dataclass(frozen=True)
class Notice:
    """Something the report must say about a source as a whole: the message ``key`` with its parameters."""

    key: str
    params: Mapping[str, object]

    def text(self, locale: str = DEFAULT_LOCALE) -> str:
        """The notice in words; a parameter named ``<x>_key`` is itself a message key and fills ``<x>``."""
        filled = {
            name.removesuffix("_key"): text(str(value), locale) if name.endswith("_key") else value
            for name, value in self.params.items()
        }
        return text(self.key, locale, **filled)


@dataclass(frozen=True)
class InputAccount:
    """What became of the rows of one input: rows = filtered + duplicates + quarantined + used."""

    input: str
    rows: int
    filtered: int
    duplicates: int
    quarantined: int
    used: int


@dataclass(frozen=True)
class MappedSource:
    """A source in canonical names, still text.

    ``tables[name]``: ``str`` columns named as in the contract (only fields the mapping fills) plus ``_file`` and
    ``_row`` of the base row. ``formats[name][field]``: strptime formats of a time, empty for ISO.
    ``absent[name]``: fields declared absent, not to be held against a row. ``problems``: the Problems frame; rows
    with severity ``quarantine`` are still in ``tables`` and are to be set apart by who loads them (by ``table``,
    ``source_file``, ``row_number``). A problem of a row that feeds no table by itself (events, look-ups) has the
    input's name as ``table``.
    """

    tables: Mapping[str, pd.DataFrame]
    formats: Mapping[str, Mapping[str, tuple[str, ...]]]
    absent: Mapping[str, frozenset[str]]
    problems: pd.DataFrame
    notices: tuple[Notice, ...]
    inputs: tuple[InputAccount, ...]
