"""A problem in words: the rule's text with what the problem knows filled in, columns by the labels of the contract."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from expectations.rules import Rule
from models.catalogue.contract import contract
from models.messages import DEFAULT_LOCALE, has, messages

_DASH = "—"


class _Filled(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return _DASH


def column_label(table: str, column: str, locale: str = DEFAULT_LOCALE) -> str:
    """The column as people call it; its own name where the contract has none (columns of a source)."""
    tables = contract().tables
    if table in tables and column in tables[table].fields:
        return tables[table].fields[column].label.text(locale)
    return column


def wrong(rule: str, table: str, column: str, params: Mapping[str, object], locale: str = DEFAULT_LOCALE) -> str:
    """What is wrong with the row; a parameter the problem does not know becomes a dash."""
    return _said(Rule.wrong(rule), table, column, params, locale)


def mend(rule: str, table: str, column: str, params: Mapping[str, object], locale: str = DEFAULT_LOCALE) -> str:
    """How to mend the row."""
    return _said(Rule.mend(rule), table, column, params, locale)


def _said(key: str, table: str, column: str, params: Mapping[str, object], locale: str) -> str:
    if not has(key):
        return key
    name = str(params.get("column") or column)
    known = _Filled({**params, "column": column_label(table, name, locale)})
    return messages()[key][locale].format_map(known)


def sentences(problems: pd.DataFrame, locale: str = DEFAULT_LOCALE) -> pd.Series:
    """What is wrong with each row of a Problems frame, as the column ``message`` of the export ``rejected``.

    Each different text is made once: a million late filings cost one.
    """
    said = ["rule", "table", "column", "params"]
    cells = problems[said].fillna("")
    different = cells.drop_duplicates()
    made = [
        wrong(row.rule, row.table, row.column, json.loads(row.params or "{}"), locale)
        for row in different.itertuples(index=False)
    ]
    words = different.assign(message=pd.Series(made, index=different.index, dtype="str"))
    merged = cells.merge(words, on=said, how="left")["message"]
    return pd.Series(merged.to_numpy(), index=problems.index, dtype="str")
