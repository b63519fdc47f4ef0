"""Which rows fail: one mask function per expectation type, driven by the very object Great Expectations judged.

Computed only for expectations that failed; the number of rows must agree with Great Expectations' count
(``expectations.runner`` compares them). Missing cells never fail, except where presence is what is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

Mask = Callable[[Any, pd.DataFrame], pd.Series]


class NoMaskError(Exception):
    """An expectation no mask is written for: its rows cannot be told (a defect of the suite, not of the data)."""


def _not_null(expectation: Any, frame: pd.DataFrame) -> pd.Series:
    return frame[expectation.column].isna()


def _null(expectation: Any, frame: pd.DataFrame) -> pd.Series:
    return frame[expectation.column].notna()


def _unique(expectation: Any, frame: pd.DataFrame) -> pd.Series:
    values = frame[expectation.column]
    return values.duplicated(keep=False) & values.notna()


def _rows_unique(expectation: Any, frame: pd.DataFrame) -> pd.Series:
    cells = frame[list(expectation.column_list)]
    return cells.duplicated(keep=False) & ~_ignored(cells, expectation.ignore_row_if)


def _between(expectation: Any, frame: pd.DataFrame) -> pd.Series:
    values = frame[expectation.column]
    failing = pd.Series(False, index=frame.index)
    if expectation.min_value is not None:
        failing |= values <= expectation.min_value if expectation.strict_min else values < expectation.min_value
    if expectation.max_value is not None:
        failing |= values >= expectation.max_value if expectation.strict_max else values > expectation.max_value
    return failing


def _in_set(expectation: Any, frame: pd.DataFrame) -> pd.Series:
    values = frame[expectation.column]
    return ~values.isin(expectation.value_set) & values.notna()


def _not_in_set(expectation: Any, frame: pd.DataFrame) -> pd.Series:
    values = frame[expectation.column]
    return values.isin(expectation.value_set) & values.notna()


def _found(expectation: Any, values: pd.Series) -> pd.Series:
    """Where the pattern is found; every different text is searched once."""
    pattern = re.compile(expectation.regex)
    codes, texts = pd.factorize(values)
    hits = np.array([*(pattern.search(str(each)) is not None for each in texts), False])
    return pd.Series(hits[codes], index=values.index)


def _matches(expectation: Any, frame: pd.DataFrame) -> pd.Series:
    values = frame[expectation.column]
    return ~_found(expectation, values) & values.notna()


def _matches_not(expectation: Any, frame: pd.DataFrame) -> pd.Series:
    return _found(expectation, frame[expectation.column])


def _pair_greater(expectation: Any, frame: pd.DataFrame) -> pd.Series:
    cells = frame[[expectation.column_A, expectation.column_B]]
    later, earlier = cells.iloc[:, 0], cells.iloc[:, 1]
    kept = later >= earlier if expectation.or_equal else later > earlier
    return ~kept & ~_ignored(cells, expectation.ignore_row_if)


def _ignored(cells: pd.DataFrame, when: str) -> pd.Series:
    """Rows an expectation over several columns leaves out: any (either) or all (both) missing, or never."""
    missing = cells.isna()
    if str(when).endswith(("any_value_is_missing", "either_value_is_missing")):
        return missing.any(axis=1)
    if str(when).endswith(("all_values_are_missing", "both_values_are_missing")):
        return missing.all(axis=1)
    return pd.Series(False, index=cells.index)


#: Class of the native expectation -> its mask.
MASKS: Mapping[str, Mask] = {
    "ExpectColumnValuesToNotBeNull": _not_null,
    "ExpectColumnValuesToBeNull": _null,
    "ExpectColumnValuesToBeUnique": _unique,
    "ExpectCompoundColumnsToBeUnique": _rows_unique,
    "ExpectColumnValuesToBeBetween": _between,
    "ExpectColumnValuesToBeInSet": _in_set,
    "ExpectColumnValuesToNotBeInSet": _not_in_set,
    "ExpectColumnValuesToMatchRegex": _matches,
    "ExpectColumnValuesToNotMatchRegex": _matches_not,
    "ExpectColumnPairValuesAToBeGreaterThanB": _pair_greater,
}
ROW_COUNT = "ExpectTableRowCountToBeBetween"


def _filled_share(expectation: Any, frame: pd.DataFrame) -> object:
    return float(frame[expectation.column].notna().mean())


def _median(expectation: Any, frame: pd.DataFrame) -> object:
    return float(frame[expectation.column].median())


def _different(expectation: Any, frame: pd.DataFrame) -> object:
    return int(frame[expectation.column].nunique())


def _strange(expectation: Any, frame: pd.DataFrame) -> object:
    """The words that are not in the set, the most frequent first."""
    counts = frame[expectation.column].value_counts()
    return tuple(counts.index[(counts > 0) & ~counts.index.isin(expectation.value_set)])


#: Expectations about a table or column as a whole, which have no failing rows -> what they are about.
OBSERVED: Mapping[str, Callable[[Any, pd.DataFrame], object]] = {
    ROW_COUNT: lambda _, frame: len(frame),
    "ExpectColumnProportionOfNonNullValuesToBeBetween": _filled_share,
    "ExpectColumnMedianToBeBetween": _median,
    "ExpectColumnUniqueValueCountToBeBetween": _different,
    "ExpectColumnDistinctValuesToBeInSet": _strange,
}
WHOLE_TABLE = frozenset(OBSERVED)

#: Expectations that look at every row, empty cells included.
PRESENCE = frozenset({"ExpectColumnValuesToNotBeNull", "ExpectColumnValuesToBeNull"})


def failing(expectation: Any, frame: pd.DataFrame) -> np.ndarray:
    """One bool per row of ``frame``: True where the row fails ``expectation``. Raises NoMaskError."""
    kind = type(expectation).__name__
    if kind not in MASKS or getattr(expectation, "row_condition", None) is not None:
        raise NoMaskError(f"no mask is written for {kind} with these options")
    return MASKS[kind](expectation, frame).to_numpy(dtype=bool)


def observed(expectation: Any, frame: pd.DataFrame) -> object:
    """What an expectation about the whole table or column looks at: a figure, or the words it does not know."""
    return OBSERVED[type(expectation).__name__](expectation, frame)


def keeps(expectation: Any, value: Any) -> bool:
    """Whether ``value`` (of ``observed``) is what the expectation asks for: our answer beside Great Expectations'."""
    if isinstance(value, tuple):
        return not value
    low, high = expectation.min_value, expectation.max_value
    if low is not None and (value <= low if getattr(expectation, "strict_min", False) else value < low):
        return False
    return high is None or bool(value <= high)


def columns_used(expectation: Any) -> tuple[str, ...]:
    """The columns ``expectation`` looks at; empty for one about the table as a whole."""
    if (column := getattr(expectation, "column", None)) is not None:
        return (column,)
    if hasattr(expectation, "column_A"):
        return (expectation.column_A, expectation.column_B)
    return tuple(getattr(expectation, "column_list", ()))
