"""This month against the months before: rows of a table and of each dealer, and how each column moved.

The expectations are native ones whose bounds follow from the past months in the data (median, robust spread, the least
moves of ``limits.toml``). As with rows, Great Expectations gives the verdict and ``expectations.masks`` a second
answer from the same object; both must agree. A month is compared when it is over and enough months came before:
otherwise there is nothing to compare with, which is no pass. Tables without months (dealers) are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from expectations import masks
from expectations.columns import ByMonth, Months
from expectations.declare import Suite
from expectations.native import Verdict, judge
from expectations.problems import shown
from expectations.results import Judged
from expectations.rules import CheckOutcome
from expectations.standard import MonthLimits
from expectations.view import View
from models.catalogue.contract import contract

ROWS, DEALER_ROWS, FILLED, STILL_FILLED = "rows_as_before", "dealer_rows_as_before", "filled_as_before", "still_filled"
VARIED, MEDIAN, WORDS = "still_varied", "median_as_before", "no_new_words"
RULES = (ROWS, DEALER_ROWS, FILLED, STILL_FILLED, VARIED, MEDIAN, WORDS)
TIMES_USUAL = "times_usual"  # a dealer's rows by its usual month
REST_DAYS = 3  # a month whose last days are missing for at most this long counts as over: dealers rest on holidays
_NUMBERS = frozenset({"int", "money", "score"})
_WORDS_SHOWN = 5
_ROBUST = 1.4826  # the median deviation of a normal distribution times this is its standard deviation
_MEDIAN_ERROR = 1.2533  # a median's standard error against a mean's


class AnswersDifferError(Exception):
    """Great Expectations and our own answer differ: a defect of ours, nothing may be concluded."""


@dataclass(frozen=True)
class Past:
    """One table by months: ``now`` the month asked about, ``before`` the months it is compared with (0, 1, ...)."""

    view: View
    month: str
    limits: MonthLimits
    dealers: int

    @cached_property
    def number(self) -> np.ndarray:
        """Months since the month asked about, per row: 0 is it, -1 the one before; far ahead where there is none."""
        times = self.view.times(contract().tables[self.view.table].month_of)
        months = times.astype("datetime64[M]").astype(np.int64) - np.datetime64(self.month, "M").astype(np.int64)
        return np.where(np.isnat(times), np.iinfo(np.int64).max, months)

    @cached_property
    def parts(self) -> Months:
        """The rows of the months compared with (those since the data begin, at most ``at_most``) and of the month."""
        return Months.of(self.number, -self.limits.at_most, 0).since_first()

    @property
    def months(self) -> list[int]:
        """The months compared with, oldest first."""
        return list(range(-self.rows.size, 0))

    @property
    def rows(self) -> np.ndarray:
        """Rows of each past month; a month without any counts as none."""
        return self.parts.rows[:-1]

    @property
    def now(self) -> np.ndarray:
        """The positions of the rows of the month asked about."""
        return self.parts.last


def against_months(view: View, month: str, as_of: datetime, absent: frozenset[str], dealers: int) -> list[Judged]:
    """Every guard of a table for ``month`` (YYYY-MM) as judged, per dealer where it is about dealers.

    ``absent``: fields the source is declared not to have; ``dealers``: how many ``View.dealer`` counts. None for a
    table without months, or when no month is asked about.
    """
    table = contract().tables[view.table]
    if not month or not table.month_of:
        return []
    past = Past(view, month, view.links.standard.limits.months, dealers)
    note = _nothing_to_compare(past, as_of)
    if note:
        suite = Suite(view.table)
        suite.rows_between(ROWS, 0, 0)
        suite.between(DEALER_ROWS, TIMES_USUAL, shown="dealer_id", min_value=0)
        return [_judged(each, Verdict(CheckOutcome.NOT_CHECKED), note=note) for each in suite.expectations]
    return [*_table_and_columns(past, absent), *_dealers(past)]


def _nothing_to_compare(past: Past, as_of: datetime) -> str:
    year, number = divmod(int(past.month[:4]) * 12 + int(past.month[5:]), 12)
    if as_of.date() < date(year, number + 1, 1) - timedelta(days=REST_DAYS + 1):
        return "month_not_over"
    return "no_history" if len(past.months) < past.limits.at_least else ""


def _table_and_columns(past: Past, absent: frozenset[str]) -> Iterator[Judged]:
    suite = Suite(past.view.table)
    low, high = usual(past.rows, past.limits.spreads, _rows_least(past))
    suite.rows_between(ROWS, int(np.floor(low)), int(np.ceil(high)))
    for name, kind in _comparable(past, absent).items():
        _column(suite, past, name, kind, ByMonth.of(past.view, name, past.parts))
    frame = _thin(past, suite.expectations)
    for expectation, verdict in zip(suite.expectations, judge(past.view.table, frame, suite.expectations), strict=True):
        yield _answered(past, expectation, verdict, frame)


def _comparable(past: Past, absent: frozenset[str]) -> dict[str, str]:
    """The columns compared, with their kinds: not what makes a row or its month, not what fills with time."""
    table = contract().tables[past.view.table]
    left_out = {*table.key, table.month_of, *absent} | {
        name for name in table.fields if f"{table.name}.{name}" in past.limits.ripening
    }
    fields = table.fields.items() if past.now.size else ()
    return {
        name: field.kind
        for name, field in fields
        if name not in left_out and name in past.view.frame and not field.personal
    }


def _rows_least(past: Past) -> float:
    median = float(np.median(past.rows))
    return max(past.limits.rows_move * median, past.limits.spreads * float(np.sqrt(median)))


def usual(values: np.ndarray, spreads: float, least: float) -> tuple[float, float]:
    """Median of past ``values`` less and plus so many of their robust spreads, at least ``least``."""
    median = float(np.median(values))
    width = max(spreads * _ROBUST * float(np.median(np.abs(values - median))), least)
    return median - width, median + width


def _column(suite: Suite, past: Past, name: str, kind: str, column: ByMonth) -> None:
    """The expectations about one column: only those its past months have enough filled cells for."""
    limits, there = past.limits, past.rows > 0
    shares = column.filled[:-1][there] / past.rows[there]
    if shares.size < limits.at_least or not shares.any():
        return
    filled = int(column.filled[-1])
    if not filled and (shares > 0).all():
        suite.filled(STILL_FILLED, name, min_value=0.0, strict_min=True)
        return
    median = float(np.median(shares))
    chance = limits.spreads * float(np.sqrt(median * (1 - median) / past.now.size))
    low, high = usual(shares, limits.spreads, max(limits.filled_move, chance))
    suite.filled(FILLED, name, min_value=max(low, 0.0), max_value=min(high, 1.0))
    enough = list(column.enough(limits.column_rows))
    if filled < limits.column_rows or len(enough) < limits.at_least:
        return
    if kind in _NUMBERS and column.numeric:
        suite.median(MEDIAN, name, *_median_bounds(column.of_month(-1), enough, limits, step=float(kind != "money")))
    numbers_or_words = (kind in _NUMBERS and column.numeric) or column.words is not None
    if numbers_or_words and all(cells.min() != cells.max() for cells in enough):
        suite.varied(VARIED, name)
    if column.words is not None and not _identifies(name, kind):
        _words(suite, past, name, column)


def _identifies(name: str, kind: str) -> bool:
    return kind in ("free_text", "reason_list") or name.endswith("_id") or name in ("name", "reviewed_by")


def _median_bounds(now: np.ndarray, before: list[np.ndarray], limits: MonthLimits, step: float) -> tuple[float, float]:
    """``step``: how far the median of counts and marks jumps when a single row changes."""
    medians = np.array([float(np.median(cells)) for cells in before])
    within = _ROBUST * float(np.median(np.abs(now - np.median(now))))
    chance = limits.spreads * _MEDIAN_ERROR * within / float(np.sqrt(now.size))
    return usual(medians, limits.spreads, max(limits.median_move * abs(float(np.median(medians))), chance, step))


def _words(suite: Suite, past: Past, name: str, column: ByMonth) -> None:
    begins = past.parts.bounds[-2]
    known = column.counts(0, begins) > 0
    if int(known.sum()) <= past.limits.words_at_most:
        counts = column.counts(begins, past.parts.bounds[-1])
        rare = (counts > 0) & (counts < past.limits.word_rows)
        suite.known_words(WORDS, name, sorted(column.words.filter(pa.array(known | rare)).to_pylist()))


def _thin(past: Past, asked: list[Any]) -> pd.DataFrame:
    """The cells of the month: words as categories and nullable numbers as floats, as ``View.thin`` makes them."""
    cells = {}
    for column in dict.fromkeys(column for each in asked for column in masks.columns_used(each)):
        kind = past.view.frame[column].dtype
        if isinstance(kind, pd.StringDtype):
            cells[column] = _words_of(past, column)
            continue
        values = past.view.frame[column].take(past.now)
        cells[column] = values.astype("float64") if isinstance(kind, pd.Int64Dtype | pd.BooleanDtype) else values
    return pd.DataFrame(cells, index=past.view.frame.index.take(past.now))


def _words_of(past: Past, column: str) -> pd.Categorical:
    """The column's words in the month, out of the codes made already."""
    codes, words = past.view.codes(column)
    codes = codes[past.now]
    used = np.flatnonzero(np.bincount(codes + 1, minlength=len(words) + 1)[1:])
    place = np.full(len(words) + 1, -1)
    place[used] = np.arange(used.size)
    return pd.Categorical.from_codes(place[codes], pd.Index(words.take(pa.array(used)).to_pandas(), dtype="str"))


def _answered(past: Past, expectation: Any, verdict: Verdict, frame: pd.DataFrame) -> Judged:
    """The verdict beside our own answer, with what a person needs to understand it."""
    rows = int(past.now.size)
    if verdict.outcome is CheckOutcome.ERROR:
        return _judged(expectation, verdict)
    value = masks.observed(expectation, frame)
    if masks.keeps(expectation, value) is not (verdict.outcome is CheckOutcome.PASSED):
        raise AnswersDifferError(f"{expectation.meta['id']}: {verdict.outcome.value} by GX, not so by our own answer")
    params = {"month": past.month, "months": len(past.months), "rows": rows} | _said(expectation, value)
    return _judged(expectation, replace(verdict, checked=rows), params=params)


def _said(expectation: Any, value: Any) -> dict[str, object]:
    if isinstance(value, tuple):
        return {"value": ", ".join(shown(str(word)) for word in value[:_WORDS_SHOWN])}
    share = "Proportion" in type(expectation).__name__
    bounds = {"value": value, "low": expectation.min_value, "high": expectation.max_value}
    return {name: _figure(number, share) for name, number in bounds.items() if number is not None}


def _figure(number: float, share: bool) -> str:
    return f"{100 * number:.0f}%" if share else f"{number:,.10g}" if float(number).is_integer() else f"{number:,.2f}"


def _dealers(past: Past) -> Iterator[Judged]:
    """Each dealer's rows by its own usual month, from its first month on; one row per dealer that can be compared."""
    here = (past.number <= 0) & (past.number >= -past.limits.at_most)
    first = past.months[0]
    counts = np.zeros((past.dealers, 1 - first), np.int64)
    np.add.at(counts, (past.view.dealer[here], past.number[here] - first), 1)
    seen = np.cumsum(counts[:, :-1], axis=1) > 0
    medians = pd.DataFrame(np.where(seen, counts[:, :-1], np.nan)).median(axis=1).fillna(0.0).to_numpy()
    compared = (seen.sum(axis=1) >= past.limits.at_least) & (medians >= past.limits.dealer_rows)
    compared[-1] = False  # rows without a known dealer
    suite, times = Suite(past.view.table), past.limits.dealer_times
    suite.between(DEALER_ROWS, TIMES_USUAL, shown="dealer_id", min_value=1 / times, max_value=times)
    (expectation,) = suite.expectations
    if not compared.any():
        yield _judged(expectation, Verdict(CheckOutcome.NOT_CHECKED), note="no_history")
        return
    frame = pd.DataFrame({TIMES_USUAL: counts[compared, -1] / medians[compared]})
    (verdict,) = judge(past.view.table, frame, [expectation])
    failing = masks.failing(expectation, frame)
    if int(failing.sum()) != verdict.failed:
        raise AnswersDifferError(f"{expectation.meta['id']}: {verdict.failed} by GX, {int(failing.sum())} by the mask")
    failed = np.zeros(past.dealers, np.int64)
    failed[np.flatnonzero(compared)[failing]] = 1
    params: Mapping[str, object] = {"month": past.month, "failed": verdict.failed, "times": f"{times:g}"}
    yield replace(_judged(expectation, verdict, params=params), checked=compared.astype(np.int64), failed=failed)


def _judged(
    expectation: Any, verdict: Verdict, *, note: str = "", params: Mapping[str, object] | None = None
) -> Judged:
    return Judged(expectation.meta, type(expectation).__name__, verdict, note=note, params=params or {})
