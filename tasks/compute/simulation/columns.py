"""Making frame columns of the contract's dtypes from index arrays, fast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.compute.simulation.draws import Array, Flags, Ints
from tasks.compute.simulation.timeline import NEVER


def texts(values: pa.Array) -> pd.Series:
    """A ``str`` column from an Arrow string array."""
    return pd.Series(pd.array(values.cast(pa.large_string()), dtype="str"))


def coded(vocabulary: Sequence[str] | Array, index: Ints, missing: Flags | None = None) -> pd.Series:
    """``vocabulary[index]``; negative indices and ``missing`` give missing values."""
    gone = index < 0 if missing is None else missing | (index < 0)
    positions = pa.array(np.where(gone, 0, index), mask=gone)
    return texts(pa.array(list(vocabulary), pa.string()).take(positions))


def ids(prefix: str, numbers: Ints, width: int, missing: Flags | None = None) -> pd.Series:
    """``prefix`` and the zero-padded number."""
    padded = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")
    joined = pc.binary_join_element_wise(pa.scalar(prefix), padded, "")
    return texts(joined if missing is None else pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), joined))


def times(seconds: Ints, before: int | None = None) -> pd.Series:
    """Times to the second; ``NEVER`` and, with ``before``, what lies later are missing."""
    unknown = seconds >= (NEVER // 2 if before is None else before)
    values = np.where(unknown, 0, seconds).astype("datetime64[s]")
    values[unknown] = np.datetime64("NaT")
    return pd.Series(values.astype("datetime64[us]"))


def days(seconds: Ints, missing: Flags) -> pd.Series:
    """Dates; missing where told."""
    values = np.where(missing, 0, seconds).astype("datetime64[s]").astype("datetime64[D]")
    values[missing] = np.datetime64("NaT")
    return pd.Series(values.astype("datetime64[us]"))


def whole(values: Array, missing: Flags | None = None) -> pd.Series:
    """Nullable integers."""
    mask = np.zeros(len(values), bool) if missing is None else missing
    return pd.Series(pd.arrays.IntegerArray(values.astype(np.int64), mask.copy()))


def money(values: Array, missing: Flags | None = None) -> pd.Series:
    """Amounts in CNY."""
    amounts = values.astype(np.float64)
    return pd.Series(amounts if missing is None else np.where(missing, np.nan, amounts))


def flags(values: Flags, missing: Flags | None = None) -> pd.Series:
    """Nullable booleans."""
    mask = np.zeros(len(values), bool) if missing is None else missing
    return pd.Series(pd.arrays.BooleanArray(values.copy(), mask.copy()))
