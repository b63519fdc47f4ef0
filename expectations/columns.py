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

from expectations.view import View


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

    def since_first(self) -> Months:
        """Without the months before the first that has rows; the last one stays."""
        first = int(np.flatnonzero(self.rows[:-1])[0]) if self.rows[:-1].any() else len(self.rows) - 1
        return Months(self.order, self.bounds[first:])

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

    ``cells``: figures (NaN where empty), codes of ``words`` (-1 where empty), or only whether there is one.
    """

    months: Months
    cells: np.ndarray
    words: pa.Array | None = None

    @classmethod
    def of(cls, view: View, column: str, months: Months) -> ByMonth:
        """The column of a table by ``months``."""
        values = view.frame[column]
        kind = values.dtype
        if isinstance(kind, pd.StringDtype):
            codes, words = view.codes(column)
            return cls(months, codes[months.order], words)
        if isinstance(kind, pd.Int64Dtype) or kind.kind == "f":
            return cls(months, values.to_numpy("float64", na_value=np.nan)[months.order])
        return cls(months, values.notna().to_numpy()[months.order])

    @property
    def numeric(self) -> bool:
        """Whether the cells are figures."""
        return self.cells.dtype.kind == "f"

    @cached_property
    def there(self) -> np.ndarray:
        """Which cells are filled."""
        if self.words is not None:
            return self.cells >= 0
        return ~np.isnan(self.cells) if self.numeric else self.cells

    @cached_property
    def filled(self) -> np.ndarray:
        """How many cells of each month are filled."""
        spans = zip(self.months.bounds[:-1], self.months.bounds[1:], strict=True)
        return np.array([np.count_nonzero(self.there[start:end]) for start, end in spans])

    def of_month(self, at: int) -> np.ndarray:
        """The filled cells of the month at this place (-1: the last one)."""
        span = slice(self.months.bounds[:-1][at], self.months.bounds[1:][at])
        cells = self.cells[span]
        return cells if self.filled[at] == cells.size else cells[self.there[span]]

    def enough(self, least: int) -> Iterator[np.ndarray]:
        """The filled cells of each month but the last that has at least so many."""
        for at in np.flatnonzero(self.filled[:-1] >= least):
            yield self.of_month(int(at))

    def counts(self, start: int, end: int) -> np.ndarray:
        """How often each of ``words`` occurs between two places in ``months.order``."""
        return np.bincount(self.cells[start:end] + 1, minlength=len(self.words) + 1)[1:]
