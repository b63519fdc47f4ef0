"""One column by months, as few passes over its cells as possible: filled cells, middle values, words.

The guards of ``expectations.months`` look at every column of every month; taking the cells of each month apart as
series costs many times what the figures themselves do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Months:
    """Which rows belong to which of a run of months: ``order`` lists their positions, month by month."""

    order: np.ndarray
    bounds: np.ndarray  # where each month begins in ``order``, and the end

    @classmethod
    def of(cls, number: np.ndarray, first: int, last: int) -> Months:
        """The rows whose month ``number`` lies between ``first`` and ``last``, in their own order within a month."""
        rows = np.flatnonzero((number >= first) & (number <= last))
        months = (number[rows] - first).astype(np.int16)
        counts = np.bincount(months, minlength=last - first + 1)
        return cls(rows[np.argsort(months, kind="stable")], np.concatenate([[0], np.cumsum(counts)]))

    @property
    def rows(self) -> np.ndarray:
        """How many rows each month has."""
        return np.diff(self.bounds)

    @property
    def last(self) -> np.ndarray:
        """The positions of the rows of the last month."""
        return self.order[self.bounds[-2] :]


@dataclass(frozen=True)
class ByMonth:
    """The cells of one column, month by month.

    ``cells``: figures, or codes of ``words``, as float with NaN where empty; only presence (1.0) for other columns.
    """

    months: Months
    cells: np.ndarray
    words: pd.Index | None = None
    numeric: bool = False

    @classmethod
    def of(cls, values: pd.Series, months: Months) -> ByMonth:
        """The column ``values`` by ``months``."""
        kind = values.dtype
        if isinstance(kind, pd.StringDtype):
            encoded = pc.dictionary_encode(_whole(values))
            codes = encoded.indices.cast(pa.float64()).to_numpy(zero_copy_only=False)
            return cls(months, codes[months.order], pd.Index(encoded.dictionary.to_pandas(), dtype="str"))
        if isinstance(kind, pd.Int64Dtype) or kind.kind == "f":
            return cls(months, values.to_numpy("float64", na_value=np.nan)[months.order], numeric=True)
        there = values.notna().to_numpy()[months.order]
        return cls(months, np.where(there, 1.0, np.nan))

    @cached_property
    def filled(self) -> np.ndarray:
        """How many cells of each month are filled."""
        until = np.concatenate([[0], np.cumsum(~np.isnan(self.cells))])
        return np.diff(until[self.months.bounds])

    def of_month(self, at: int) -> np.ndarray:
        """The filled cells of the month at this place (-1: the last one)."""
        start, end = self.months.bounds[:-1][at], self.months.bounds[1:][at]
        cells = self.cells[start:end]
        return cells if self.filled[at] == end - start else cells[~np.isnan(cells)]

    def counts(self, start: int, end: int) -> np.ndarray:
        """How often each of ``words`` occurs between two places in ``months.order``."""
        cells = self.cells[start:end]
        return np.bincount(
            cells[~np.isnan(cells)].astype(np.int64), minlength=0 if self.words is None else len(self.words)
        )

    def enough(self, least: int) -> Iterator[np.ndarray]:
        """The filled cells of each month but the last that has at least so many."""
        for at in np.flatnonzero(self.filled[:-1] >= least):
            yield self.of_month(int(at))


def _whole(values: pd.Series) -> pa.Array:
    array = pa.array(values, from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
