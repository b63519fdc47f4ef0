"""Apply a source mapping: inputs as read in, canonical tables as text out, with everything found on the way.

The language is explained in docs/mapping.md; its models are in ``models.mapping``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.catalogue.contract import FILE_COLUMN, PROVENANCE, ROW_COLUMN, Table, contract
from models.catalogue.reasons import find_code
from models.mapping import Feed, SourceMapping, Value
from tasks.compute.frames import PROBLEM_DTYPES, Notice, RawTable, empty_frame, no_problems
from tasks.compute.mapping.checks import issues
from tasks.compute.mapping.inputs import InputAccount, Inputs
from tasks.compute.mapping.links import fold, join, key_of, unmatched_issues
from tasks.compute.mapping.rows import Rows, per_unique
from tasks.compute.mapping.values import columns_of, evaluate, holds

_AT = ["input", "source_file", "row_number"]
_OF = ["table", "row_key", "dealer_id"]


@dataclass(frozen=True)
class MappedSource:
    """A source in canonical names, still text.

    ``tables[name]``: ``str`` columns named as in the contract (only fields the mapping fills) plus ``_file`` and
    ``_row`` of the base row. ``formats[name][field]``: strptime formats of a time. ``absent[name]``: fields declared
    absent, not to be held against a row. ``problems``: the Problems frame; rows with severity ``quarantine`` are
    still in ``tables`` and are to be set apart by who loads them (by ``table``, ``source_file``, ``row_number``).
    A problem of a row that feeds no table by itself (events, look-ups) has the input's name as ``table``, after
    ``input_`` where a canonical table is called the same.
    """

    tables: Mapping[str, pd.DataFrame]
    formats: Mapping[str, Mapping[str, tuple[str, ...]]]
    absent: Mapping[str, frozenset[str]]
    problems: pd.DataFrame
    notices: tuple[Notice, ...]
    inputs: tuple[InputAccount, ...]


def apply_mapping(raw: Mapping[str, RawTable], mapping: SourceMapping) -> MappedSource:
    """``raw`` (one table per input of ``mapping``) in canonical tables; see MappedSource.

    Raises MappingError when a column or input the mapping names is not there, naming the nearest candidates.
    """
    inputs = Inputs(raw, mapping)
    owners: list[pd.DataFrame] = []
    tables: dict[str, pd.DataFrame] = {}
    for name, table in contract().tables.items():
        if name in mapping.tables:
            fed = [_feed(inputs, table, feed, owners) for feed in mapping.tables[name]]
            tables[name] = fed[0] if len(fed) == 1 else pd.concat(fed, ignore_index=True)
    accounts = inputs.accounts()
    return MappedSource(
        tables=tables,
        formats={name: _formats(feeds) for name, feeds in mapping.tables.items()},
        absent={name: _absent(feeds) for name, feeds in mapping.tables.items()},
        problems=_problems(inputs.issues, owners),
        notices=tuple(inputs.notices),
        inputs=accounts,
    )


def _formats(feeds: list[Feed]) -> dict[str, tuple[str, ...]]:
    merged: dict[str, dict[str, None]] = {}
    for feed in feeds:
        for name, value in feed.fields.items():
            if value.formats:
                merged.setdefault(name, {}).update(dict.fromkeys(value.formats))
    return {name: tuple(formats) for name, formats in merged.items()}


def _absent(feeds: list[Feed]) -> frozenset[str]:
    """Fields every feed of the table declares absent."""
    declared = [frozenset(name for name, value in feed.fields.items() if value.absent) for feed in feeds]
    return frozenset.intersection(*declared)


def _feed(inputs: Inputs, table: Table, feed: Feed, owners: list[pd.DataFrame]) -> pd.DataFrame:
    """One feed's rows of ``table``; where its rows and events came from is added to ``owners``."""
    ready = inputs[feed.source]
    rows = ready.rows.beside()
    joins = []
    for link in feed.join:
        other = inputs.linked(link.input)
        linked = join(rows, link, other, inputs.place(link.input, link.on.values()))
        inputs.report(linked.issues)
        joins.append((link, other, linked))
    folds = []
    for spec in feed.fold:
        folded = fold(rows, spec, inputs.linked(spec.input), inputs.place(spec.input, spec.on.values()))
        inputs.report(folded.issues)
        folds.append((spec, folded.owner))
    inputs.compute(rows, feed.columns, feed.source)
    keep = holds(rows, feed.where)
    for link, other, linked in joins:
        if link.unmatched != "ignore":
            place = inputs.place(feed.source, link.on)
            inputs.report(unmatched_issues(rows, link, other, linked.unmatched & keep, place))
    if feed.distinct:
        keep &= ~ready.apart
    elif feed.where:
        inputs.say("mapping.rows_filtered", place=table.name, rows=int((~keep).sum()), total=len(keep))
    kept = rows.select(keep)
    frame = _fields(inputs, table, feed, kept)
    if feed.distinct:
        return _distinct(inputs, table, feed, kept, frame)
    identity = _identity(table, frame)
    owners.append(_owned(feed.source, table.name, frame, identity))
    identity.index = pd.Index(np.flatnonzero(keep))
    for link, other, linked in joins:
        theirs = identity.reindex(linked.owner)
        owners.append(_owned(link.input, "", other.provenance.loc[linked.owner.index], theirs))
    for spec, owner in folds:
        events = inputs[spec.input].rows
        position = key_of(events, list(spec.on.values()), spec.match).map(owner)
        theirs = identity.reindex(position)
        owners.append(_owned(spec.input, "", events.provenance, theirs))
    return frame


def _fields(inputs: Inputs, table: Table, feed: Feed, rows: Rows) -> pd.DataFrame:
    columns: dict[str, pd.Series] = {}
    for name in [name for name in table.fields if name in feed.fields]:
        value = feed.fields[name]
        result = evaluate(rows, value)
        columns[name] = _reason(result.values) if table.fields[name].kind == "reason" else result.values
        inputs.report_unknown(rows, result, value, feed.source)
        _notice(inputs, table, name, value, result.defaulted)
    return pd.DataFrame(columns | {name: rows.frame[name] for name in PROVENANCE}, index=rows.index)


def _reason(column: pd.Series) -> pd.Series:
    """Labels and aliases of the reason standard as codes; what it does not know stays for the checks to name."""
    return per_unique(column, lambda text: find_code(text) or text)


def _notice(inputs: Inputs, table: Table, name: str, value: Value, defaulted: int) -> None:
    """Say what the mapping supplies in place of the source: nothing is made up silently."""
    field = table.fields[name]
    if value.absent:
        key = "mapping.absent_phone" if field.kind == "phone" else "mapping.absent_field"
        inputs.say(key, table=table.name, field=name, because=value.because or "-")
    if value.constant is not None and (value.because or field.kind in ("date", "datetime")):
        inputs.say(
            "mapping.constant_used", table=table.name, field=name, value=value.constant, because=value.because or "-"
        )
    if defaulted and (value.because or field.required):
        inputs.say(
            "mapping.default_used",
            table=table.name,
            field=name,
            rows=defaulted,
            value=value.default,
            because=value.because or "-",
        )


def _distinct(inputs: Inputs, table: Table, feed: Feed, rows: Rows, frame: pd.DataFrame) -> pd.DataFrame:
    """One row per key of the table, the first; rows that contradict it in another field are reported."""
    key = [name for name in table.key if name in frame.columns]
    named = frame[key].notna().all(axis=1)
    first = frame[named].drop_duplicates(key)
    for name in [name for name in feed.fields if name not in key]:
        said = frame[key].merge(first[[*key, name]], on=key, how="left")[name]
        wrong = named & frame[name].notna() & (said.set_axis(frame.index) != frame[name])
        place = inputs.place(feed.source, columns_of(feed.fields[name]) or [name])
        inputs.report(
            issues(
                rows,
                wrong.astype(bool),
                place,
                rule="conflicting_values",
                severity="warn",
                values=frame[name],
                more=lambda _, name=name: {"field": name, "table": table.name},  # type: ignore[misc]
            )
        )
    return first.reset_index(drop=True)


def _identity(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """What a problem says of a row: its key and dealer."""
    missing = pd.Series(None, index=frame.index, dtype="str")
    return pd.DataFrame({"row_key": frame.get(table.key[0], missing), "dealer_id": frame.get("dealer_id", missing)})


def _owned(name: str, table: str, provenance: pd.DataFrame, identity: pd.DataFrame) -> pd.DataFrame:
    """Which table (none: the rows are events), key and dealer the rows of an input belong to."""
    return pd.DataFrame(
        {
            "input": name,
            "source_file": provenance[FILE_COLUMN].array,
            "row_number": provenance[ROW_COLUMN].to_numpy(),
            "table": table,
            "row_key": identity["row_key"].array,
            "dealer_id": identity["dealer_id"].array,
        }
    )


def _problems(found: list[pd.DataFrame], owners: list[pd.DataFrame]) -> pd.DataFrame:
    """Issues as Problems: a warning stands with the first table its row feeds, a quarantine with each."""
    if not found:
        return no_problems()
    every = pd.concat(found, ignore_index=True).drop_duplicates([*_AT, "rule", "column", "params"])
    wanted = pd.MultiIndex.from_frame(every[_AT])
    empty = empty_frame({"input": "str", "source_file": "str", "row_number": "int64"} | dict.fromkeys(_OF, "str"))
    known = [owner[pd.MultiIndex.from_frame(owner[_AT]).isin(wanted)] for owner in owners]
    owned = pd.concat([empty, *known], ignore_index=True).drop_duplicates([*_AT, "table"])
    feeds_itself = owned["input"].isin(owned.loc[owned["table"] != "", "input"])
    owned = owned[~feeds_itself | (owned["table"] != "")]
    apart = every["severity"] == "quarantine"
    placed = pd.concat(
        [
            every[~apart].merge(owned.drop_duplicates(_AT), on=_AT, how="left"),
            every[apart].merge(owned, on=_AT, how="left"),
        ]
    )
    apart_from_tables = {name: f"input_{name}" for name in contract().tables}  # an input may be named like a table
    placed["table"] = placed["table"].replace("", None).fillna(placed["input"].replace(apart_from_tables))
    placed = placed.sort_values(["table", "source_file", "row_number", "rule"], kind="stable", ignore_index=True)
    return placed[list(PROBLEM_DTYPES)].astype(PROBLEM_DTYPES)
