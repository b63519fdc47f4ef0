"""Small raw tables and mappings for the tests of the mapping language."""

import tomllib

import pandas as pd

from models.mapping import SourceMapping
from tasks.compute.frames import RawTable, no_problems
from tasks.compute.mapping.apply import apply_mapping


def raw(name, rows, file=None, columns=None):
    """A raw table from a list of rows (dicts), numbered from 1."""
    frame = pd.DataFrame(rows, columns=columns, dtype="str")
    frame["_file"] = pd.Series(file or f"{name}.csv", index=frame.index, dtype="str")
    frame["_row"] = range(1, len(frame) + 1)
    return RawTable(name, frame, no_problems())


def mapping(text):
    """A mapping from TOML text."""
    return SourceMapping.model_validate(tomllib.loads(text))


def apply(text, **inputs):
    """The mapping in ``text`` applied to inputs given as lists of rows."""
    return apply_mapping({name: raw(name, rows) for name, rows in inputs.items()}, mapping(text))


def field(value, rows, *, name="series", table="leads"):
    """One field of one table over the rows, as a list with None for blanks; ``value`` is TOML."""
    text = f"""
        inputs.data.files = "data.csv"
        [[tables.{table}]]
        from = "data"
        [tables.{table}.fields]
        {name} = {value}
    """
    column = apply(text, data=rows).tables[table][name]
    return [None if pd.isna(cell) else cell for cell in column]
