"""Look-up inputs joined to rows, and event inputs folded to one row per key (docs/mapping.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from models.mapping import Fold, FoldColumn, Join
from tasks.compute.mapping.checks import Place, issues, nearest_of
from tasks.compute.mapping.rows import Rows, keys_of, numbers, times
from tasks.compute.mapping.values import holds, plain_number

_JOINT = "\x1f"


@dataclass(frozen=True)
class Linked:
    """What joining found: rows without a partner; issues of look-up rows nobody asked for or whose key stands twice."""

    unmatched: pd.Series  # bool per row
    issues: pd.DataFrame
    owner: pd.Series  # position of the only row that asked for a look-up row, by the latter's index


@dataclass(frozen=True)
class Folded:
    """What folding found: issues of events without a row, and which row owns the events of a key."""

    issues: pd.DataFrame
    owner: pd.Series  # position of the row, by key


def key_of(rows: Rows, columns: list[str], match: str) -> pd.Series:
    """The joint key of several columns, blank where one of them is."""
    key = keys_of(rows.column(columns[0]), match)
    for name in columns[1:]:
        key = key + _JOINT + keys_of(rows.column(name), match)
    return key


def join(rows: Rows, link: Join, other: Rows, there: Place) -> Linked:
    """Put the look-up ``other`` beside ``rows``: its columns become ``alias.column`` of ``rows``.

    The first row of a key that stands more than once counts; the others are issues of rule ``ambiguous_lookup``.
    """
    asked = key_of(rows, list(link.on), link.match)
    offered = key_of(other, list(link.on.values()), link.match)
    again = offered.notna() & offered.duplicated()
    first = offered[offered.notna() & ~again]
    position = pd.Index(first).get_indexer(pd.Index(asked))
    position = np.where(asked.notna() & (position >= 0), first.index.to_numpy()[position] if len(first) else -1, -1)
    rows.links[link.alias] = (other, position.astype(np.intp))

    keys = _shown_key(other, link.on.values())
    found = [issues(other, again, there, rule="ambiguous_lookup", severity="warn", values=keys)]
    if link.unused == "warn":
        unused = offered.notna() & ~again & ~offered.isin(asked.dropna().unique())
        found.append(issues(other, unused, there, rule="unused_lookup", severity="warn", values=keys))
    askers = pd.Series(np.arange(len(position)), index=position)[position >= 0]
    owner = askers[~askers.index.duplicated(keep=False)]
    return Linked(asked.notna() & (position < 0), pd.concat(found, ignore_index=True), owner)


def unmatched_issues(rows: Rows, link: Join, other: Rows, wrong: pd.Series, place: Place) -> pd.DataFrame:
    """One issue per row whose key the look-up lacks, naming the nearest keys it has."""
    candidates = nearest_of(sorted(_shown_key(other, link.on.values()).dropna().unique()))
    return issues(
        rows,
        wrong,
        place,
        rule="unmatched_lookup",
        severity=link.unmatched,
        values=_shown_key(rows, link.on),
        more=lambda value: {"input": link.input, **candidates(value)},
    )


def _shown_key(rows: Rows, columns: Iterable[str]) -> pd.Series:
    names = list(columns)
    key = rows.column(names[0])
    for name in names[1:]:
        key = key.fillna("") + " / " + rows.column(name).fillna("")
    return key


def fold(rows: Rows, spec: Fold, events: Rows, place: Place) -> Folded:
    """Fold ``events`` to one value per row and column: ``alias.column`` of ``rows``.

    first and last are by ``order_by`` (events without one come first), else by the order of the file; both skip
    blanks. A row without events has count 0, any false, and blanks. Numbers are written plainly, times as in the file.
    """
    kept = events.select(holds(events, spec.where)) if spec.where else events
    asked = key_of(rows, list(spec.on), spec.match)
    key = key_of(kept, list(spec.on.values()), spec.match)
    order = _order(kept, spec)
    for name, column in spec.columns.items():
        folded = asked.map(_folded(kept, spec, column, key, order)).astype("str")
        rows.extra[f"{spec.alias}.{name}"] = folded.fillna(_WITHOUT[column.take]) if column.take in _WITHOUT else folded

    first_asker = pd.Series(asked.index, index=asked)[~asked.duplicated().to_numpy() & asked.notna().to_numpy()]
    strangers = key.notna() & ~key.isin(first_asker.index) & (spec.unmatched == "warn")
    keys = _shown_key(kept, spec.on.values())
    found = issues(kept, strangers, place, rule="unmatched_event", severity="warn", values=keys)
    return Folded(found, first_asker)


# What a fold gives for a row that has no event at all.
_WITHOUT = {"count": "0", "distinct": "0", "any": "false"}


def _order(events: Rows, spec: Fold) -> pd.Index:
    """The events' index in the order ``order_by`` asks for."""
    if spec.order_by is None:
        return events.index
    column = events.column(spec.order_by)
    by = numbers(column)
    if spec.formats or bool((by.isna() & column.notna()).any()):
        by = times(column, spec.formats)
    return by.sort_values(kind="stable", na_position="first").index


def _folded(events: Rows, spec: Fold, column: FoldColumn, key: pd.Series, order: pd.Index) -> pd.Series:
    """The folded values as text, by key."""
    chosen = key.notna() & holds(events, column.where)
    if column.column is None:
        sizes = key[chosen].value_counts()
        return sizes.astype("str") if column.take == "count" else sizes.astype("str").mask(sizes > 0, "true")
    values = events.column(column.column)
    values = values.loc[order][(chosen & values.notna()).loc[order]]
    by = values.groupby(key[values.index])
    if column.take in ("first", "last"):
        return by.first() if column.take == "first" else by.last()
    if column.take in ("count", "distinct"):
        return (by.count() if column.take == "count" else by.nunique()).astype("str")
    if column.take == "any":
        return by.count().astype("str").mask(by.count() > 0, "true")
    if column.take in ("sum", "mean"):
        figures = numbers(values).dropna().groupby(key[values.index])
        total = figures.sum() if column.take == "sum" else figures.mean()
        return total.map(lambda figure: plain_number(Decimal(repr(float(figure))))).astype("str")
    measured = numbers(values)
    if bool(measured.isna().any()):
        measured = times(values, spec.formats)
    ranked = measured.dropna().groupby(key[values.index])
    at = ranked.idxmin() if column.take == "min" else ranked.idxmax()
    return pd.Series(values.reindex(at).to_numpy(), index=at.index, dtype="str")
