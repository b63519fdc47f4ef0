"""Wide sums of the facts of leads: one row per month and cell, one column per fact (design.md section 1).

Many indicators share their denominator, so facts are summed once and stored once; an indicator is two columns of the
sums of its base. Adding up rows of the same keys is merging: months, shards and machines can be computed apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.catalogue.indicators import Base, Indicator
from tasks.compute.lead_facts import CELLS

KEYS = ("month", *CELLS)
#: Per base the column of the month a lead belongs to, and the flag of leads that count.
MONTH_COLUMN = {
    Base.CLOSING: ("closed_month", "counted"),
    Base.CREATED: ("created_month", "counted"),
    Base.FILED: ("filed_month", "filed_counted"),
    Base.MONTH_END: ("month", "counted"),
}

Codes = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


def facts_of(base: Base, declarations: Iterable[Indicator]) -> list[str]:
    """The facts that the indicators of ``base`` divide, each once, in the order of their declaration."""
    mine = [one for one in declarations if one.base is base]
    return list(dict.fromkeys(name for one in mine for name in (one.denominator, one.numerator)))


def fact_sums(rows: pd.DataFrame, base: Base, names: Sequence[str]) -> pd.DataFrame:
    """The facts ``names`` of ``rows`` added up per month and cell: KEYS as categories, then one column per fact.

    ``rows``: lead facts (tasks.compute.lead_facts; open facts for the base at month end), of any months. Leads that do
    not count, or have no month in this base, are in no sum. Counts are ``int32``, hours, days and contacts ``float64``;
    missing keys are the empty text; rows come in the order of their keys.
    """
    month, counted = MONTH_COLUMN[base]
    needed = list(dict.fromkeys((*CELLS, month, *names)))
    mine = rows.loc[(rows[month].notna() & rows[counted]).to_numpy(dtype=bool), needed]
    keys = {name: _sorted(mine[month if name == "month" else name]) for name in KEYS}
    return _added(pd.DataFrame(keys), {name: mine[name] for name in names}, KEYS)


def by_month(
    rows: pd.DataFrame, base: Base, columns: Sequence[str] | None = None
) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each month of ``base``, oldest month first, so that sums can be made and stored a month at a time.

    ``columns``: those wanted beside the cells, the month and whether the lead counts; by default all.
    """
    month, counted = MONTH_COLUMN[base]
    months = rows[month].astype("category")
    rows = rows if columns is None else rows[list(dict.fromkeys((*CELLS, month, counted, *columns)))]
    codes = months.cat.codes.to_numpy()
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(months.cat.categories) + 1))
    for number, name in enumerate(months.cat.categories):
        yield str(name), rows.take(order[bounds[number] : bounds[number + 1]])


def stacked(frames: Sequence[pd.DataFrame], keys: Sequence[str]) -> pd.DataFrame:
    """Frames one below the other, their ``keys`` as categories of the union in alphabetical order.

    The other columns are the first frame's; of no frames, an empty frame with the keys.
    """
    columns: dict[str, object] = {}
    for name in keys:
        parts = [frame[name].astype("category").cat for frame in frames]
        words = pd.Index(sorted(set().union(*(part.categories for part in parts))), dtype="str")
        codes = [words.get_indexer(pd.Index(part.categories))[part.codes.to_numpy()] for part in parts]
        columns[name] = pd.Categorical.from_codes(np.concatenate([np.empty(0, "int64"), *codes]), categories=words)
    for name in [name for name in frames[0].columns if name not in keys] if frames else []:
        columns[name] = np.concatenate([frame[name].to_numpy() for frame in frames])
    return pd.DataFrame(columns)


def merge_sums(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Several sums of one base as one, the rows of the same month and cell added up, in the order of their keys."""
    return added_up(stacked(parts, KEYS), KEYS)


def added_up(sums: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The rows of the same ``keys`` (categories) added up, in the order of their keys; other keys are left out."""
    return _added(sums[list(keys)], {name: sums[name] for name in sums.columns if sums[name].dtype.kind in "iuf"}, keys)


def counts_of(sums: pd.DataFrame, indicator: Indicator, keys: Sequence[str]) -> pd.DataFrame:
    """``keys``, ``numerator`` and ``denominator`` of one indicator, without the rows where both are 0."""
    numerator, denominator = sums[indicator.numerator].to_numpy(), sums[indicator.denominator].to_numpy()
    rows = np.flatnonzero((numerator != 0) | (denominator != 0))
    found = sums[list(keys)].take(rows).reset_index(drop=True)
    return found.assign(numerator=numerator[rows].astype("float64"), denominator=denominator[rows].astype("float64"))


def _sorted(values: pd.Series) -> pd.Series:
    """A key as category, the categories that occur in alphabetical order."""
    coded = values.astype("category").cat
    used = np.unique(coded.codes.to_numpy())
    words = pd.Index(coded.categories[used].astype("str"), dtype="str")
    place = np.zeros(len(coded.categories), dtype="int64")
    order = words.argsort()
    place[used[order]] = np.arange(len(used))
    coded_anew = pd.Categorical.from_codes(place[coded.codes.to_numpy()], categories=words[order])
    return pd.Series(coded_anew, index=values.index)


def _added(keys: pd.DataFrame, facts: dict[str, pd.Series], names: Sequence[str]) -> pd.DataFrame:
    place, first = _cells([keys[name].cat.codes.to_numpy() for name in names])
    columns: dict[str, object] = {name: keys[name].array.take(first) for name in names}
    for name, values in facts.items():
        total = np.bincount(place, weights=values.to_numpy(dtype="float64"), minlength=len(first))
        columns[name] = total.astype("int32") if values.dtype.kind in "iub" else total.astype("float64")
    return pd.DataFrame(columns)


def _cells(codes: Sequence[npt.NDArray[np.integer]]) -> tuple[Codes, Codes]:
    """The number of the cell each row is in, and a row of each cell, cells in the order of their codes."""
    combined = np.zeros(len(codes[0]), dtype="int64")
    for part in codes:
        combined = combined * (int(part.max(initial=0)) + 1) + part
    _, first, place = np.unique(combined, return_index=True, return_inverse=True)
    return place.astype("int64"), first.astype("int64")
