"""Counts as arrays, the network's expectation, and each dealer's deviation from it (verification.md step 1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import SourceError

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

COUNT_COLUMNS = ("dealer_id", "region_id", "month", "cell", "n", "x")

# Prior sd, in log-odds, of month and cell effects around their mean. Wide enough to leave well filled months and cells
# alone; it keeps a month without any event, or a cell with three leads, from running off to infinity.
LOOSE_SD = 2.0
TINY = 1e-12
MOST_MONTHS = 600  # a month written like 202401 would ask for a matrix of 16,000 years


def sums(group: Ints, values: Floats, groups: int) -> Floats:
    """Sum of ``values`` in each of the groups 0..groups-1."""
    return np.bincount(group, values, groups).astype(np.float64)


@dataclass(frozen=True)
class Panel:
    """Counts in long form with integer codes; every array ``d, t, c, n, x`` has one entry per row.

    ``x`` counts the good events: an indicator where lower is better is ``turned`` into its complement.
    """

    dealers: NDArray[np.object_]
    regions: NDArray[np.object_]
    cells: NDArray[np.object_]
    region: Ints  # of each dealer: the region of its last month
    months: int
    d: Ints
    t: Ints  # month - 1
    c: Ints
    n: Floats
    x: Floats
    turned: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Dealers, months."""
        return len(self.dealers), self.months

    def by_dealer_month(self, values: Floats) -> Floats:
        """Sums of a per-row value as a dealers x months matrix."""
        size = len(self.dealers) * self.months
        return sums(self.d * self.months + self.t, values, size).reshape(self.shape)

    def by_dealer(self, values: Floats) -> Floats:
        """Sums of a per-row value per dealer."""
        return sums(self.d, values, len(self.dealers))

    def between(self, first: int, last: int) -> Panel:
        """The rows of months first..last (numbers from 1), renumbered so that ``first`` becomes month 1."""
        keep = (self.t >= first - 1) & (self.t <= last - 1)
        return replace(
            self,
            months=max(last - first + 1, 0),
            d=self.d[keep],
            t=self.t[keep] - (first - 1),
            c=self.c[keep],
            n=self.n[keep],
            x=self.x[keep],
        )


def panel(counts: pd.DataFrame, *, higher_is_better: bool = True, months: int | None = None) -> Panel:
    """The counts as arrays; rows of one dealer, month and cell may be split and are added up.

    Columns: dealer_id, region_id (text), month (whole number from 1), cell (text, series x source), n cases, x events.
    ``months`` extends the calendar beyond the last month seen. Raises SourceError for a missing column, a negative or
    fractional count, more events than cases, or a month that is no number from 1; it names row and column.
    """
    missing = [column for column in COUNT_COLUMNS if column not in counts.columns]
    if missing:
        raise SourceError("judge.frame.missing_column", column=missing[0], columns=", ".join(COUNT_COLUMNS))
    n = _whole(counts, "n", 0)
    x = events(counts, "x", n)
    month = _whole(counts, "month", 1)
    for row in np.flatnonzero(month > MOST_MONTHS):
        raise SourceError("judge.frame.month_too_large", row=int(row) + 1, month=int(month[row]), most=MOST_MONTHS)
    d, dealers = pd.factorize(counts["dealer_id"], sort=True)
    g, regions = pd.factorize(counts["region_id"].fillna(""), sort=True)
    c, cells = pd.factorize(counts["cell"].fillna(""), sort=True)
    t = month.astype(np.intp) - 1
    region = np.zeros(len(dealers), np.intp)
    in_order = np.argsort(t, kind="stable")
    region[d[in_order]] = g[in_order]  # the last assignment, that of the latest month, stays
    last = max(int(month.max()) if len(month) else 0, months or 0)
    return Panel(
        dealers.to_numpy(object),
        regions.to_numpy(object),
        cells.to_numpy(object),
        region,
        last,
        d.astype(np.intp),
        t,
        c.astype(np.intp),
        n,
        x if higher_is_better else n - x,
        turned=not higher_is_better,
    )


def events(counts: pd.DataFrame, column: str, n: Floats) -> Floats:
    """The event counts of one column; raises SourceError when one is no whole number or exceeds its cases ``n``."""
    x = _whole(counts, column, 0)
    more = np.flatnonzero(x > n)
    if more.size:
        row = int(more[0])
        raise SourceError("judge.frame.more_events", row=row + 1, column=column, n=int(n[row]), x=int(x[row]))
    return x


def _whole(counts: pd.DataFrame, column: str, least: int) -> Floats:
    values = pd.to_numeric(counts[column], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        wrong = ~((values >= least) & (values == np.floor(values)) & np.isfinite(values))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise SourceError(
            "judge.frame.not_whole", row=row + 1, column=column, value=counts[column].iloc[row], least=least
        )
    return values


def expit(value: Floats) -> Floats:
    """The logistic function; arguments here are bounded by priors, so plain exp is safe."""
    return np.asarray(1.0 / (1.0 + np.exp(-value)))


@dataclass(frozen=True)
class NetworkModel:
    """Network rate per month and cell: logit pi_tc = month_t + cell_c."""

    month: Floats
    cell: Floats

    def logit(self, p: Panel) -> Floats:
        """The network's log-odds for every row of a panel with the same months and cells."""
        return self.month[p.t] + self.cell[p.c]


def network(p: Panel) -> NetworkModel:
    """Binomial GLM of the totals per month and cell, by Newton's method, with a loose prior on the effects.

    The counts must hold both events and non-events.
    """
    size = p.months * len(p.cells)
    key = p.t * len(p.cells) + p.c
    n, x = sums(key, p.n, size), sums(key, p.x, size)
    filled = np.flatnonzero(n)
    return _newton(filled // len(p.cells), filled % len(p.cells), n[filled], x[filled], p.months, len(p.cells))


def _newton(t: Ints, c: Ints, n: Floats, x: Floats, months: int, cells: int) -> NetworkModel:
    total = x.sum() / n.sum()
    mean = float(np.log(total / (1 - total)))
    size = 1 + months + cells
    b = np.zeros(size)
    b[0] = mean
    penalty = np.full(size, LOOSE_SD**-2)
    penalty[0] = 0.0
    for _ in range(50):
        rate = expit(b[0] + b[1 + t] + b[1 + months + c])
        w = n * rate * (1 - rate)
        score = _stack(t, c, x - n * rate, months, cells) - penalty * b
        hessian = _information(t, c, w, months, cells) + np.diag(penalty)
        step = np.linalg.solve(hessian, score)
        b += step * min(1.0, 2.0 / max(np.abs(step).max(), TINY))
        if np.abs(step).max() < 1e-9:
            break
    return NetworkModel(b[0] + b[1 : 1 + months], b[1 + months :])


def _stack(t: Ints, c: Ints, values: Floats, months: int, cells: int) -> Floats:
    by_month, by_cell = np.bincount(t, values, months), np.bincount(c, values, cells)
    return np.concatenate([[values.sum()], by_month, by_cell])


def _information(t: Ints, c: Ints, w: Floats, months: int, cells: int) -> Floats:
    by_month, by_cell = np.bincount(t, w, months), np.bincount(c, w, cells)
    both = np.bincount(t * cells + c, w, months * cells).reshape(months, cells)
    first = np.concatenate([[w.sum()], by_month, by_cell])
    middle = np.hstack([by_month[:, None], np.diag(by_month), both])
    lower = np.hstack([by_cell[:, None], both.T, np.diag(by_cell)])
    return np.asarray(np.vstack([first, middle, lower]))


@dataclass(frozen=True)
class Residuals:
    """Observed minus expected per dealer and month: ``gap`` = O - E, ``info`` = I = sum n pi (1 - pi)."""

    gap: Floats
    info: Floats

    @property
    def variance(self) -> Floats:
        """v = 1/I, infinite where there is no case."""
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / self.info)

    @property
    def logit(self) -> Floats:
        """u = (O - E)/I, 0 where there is no case."""
        return np.asarray(np.divide(self.gap, self.info, out=np.zeros_like(self.gap), where=self.info > 0))


def residuals(p: Panel, logit: Floats) -> Residuals:
    """Observed minus expected per dealer and month, the rows' expected log-odds given."""
    rate = expit(logit)
    expected = p.n * rate
    return Residuals(p.by_dealer_month(p.x - expected), p.by_dealer_month(expected * (1 - rate)))


def as_text(values: NDArray[Any]) -> pd.Series[str]:
    """Ids as a text column."""
    return pd.Series(values, dtype="str")
