"""Days between two times, full times and bare dates alike, and the month of a time."""

from __future__ import annotations

import numpy as np
import pandas as pd

_DAY_US = 86_400_000_000


def days_between(start: pd.Series, end: pd.Series) -> pd.Series:
    """Days from ``start`` to ``end`` as float, negative when ``end`` is earlier, NaN where either is missing.

    Two full times give elapsed 24-hour days. A time at exactly midnight is taken for a bare date: then calendar days
    are counted, since the hour is not known.
    """
    first, last = start.dt.normalize(), end.dt.normalize()
    calendar, elapsed = _days(last - first), _days(end - start)
    return elapsed.where((start != first) & (end != last), calendar)


def _days(spans: pd.Series) -> pd.Series:
    whole = spans.to_numpy().astype("timedelta64[us]").astype("int64").astype("float64") / _DAY_US
    return pd.Series(whole, index=spans.index).where(spans.notna())


def month_of(times: pd.Series) -> pd.Series:
    """The month of each time as ``YYYY-MM`` text, missing where the time is."""
    months = times.to_numpy().astype("datetime64[M]")
    codes, distinct = pd.factorize(months)
    names = np.array([*(str(month) for month in distinct), None], dtype=object)
    return pd.Series(names[codes], index=times.index, dtype="str")
