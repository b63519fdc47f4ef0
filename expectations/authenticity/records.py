"""The tables as the detectors see them: rows of the months looked at, with their dealer, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from models.catalogue.contract import contract
from models.catalogue.signals import PERSONAL_COLUMNS, SignalStandard

DAY = np.timedelta64(1, "D")


class NotCheckedError(Exception):
    """A signal cannot be tested: the message ``signals.note.<reason>`` with its parameters. Never a pass."""

    def __init__(self, reason: str, **params: object) -> None:
        super().__init__(reason)
        self.reason, self.params = reason, params


@dataclass(frozen=True)
class Rows:
    """The rows of one table; ``dealer`` is the position of each row's dealer, ``lead`` that of its lead; -1 unknown."""

    table: str
    frame: pd.DataFrame
    dealer: np.ndarray
    lead: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    def times(self, column: str) -> np.ndarray:
        """A time column as datetime64[us]; NaT throughout where the table has none."""
        if column not in self.frame:
            return np.full(len(self), np.datetime64("NaT"), "datetime64[us]")
        return self.frame[column].to_numpy("datetime64[us]")

    def numbers(self, column: str) -> np.ndarray:
        """A figure or truth value as float64; NaN where missing, and throughout where the table has none."""
        if column not in self.frame:
            return np.full(len(self), np.nan)
        return self.frame[column].to_numpy("float64", na_value=np.nan)

    def codes(self, column: str) -> tuple[np.ndarray, pa.Array]:
        """Numbers equal where the words are equal (-1 missing), and the words."""
        if column not in self.frame:
            return np.full(len(self), -1), pa.array([], pa.string())
        encoded = _arrow(self.frame[column]).dictionary_encode()
        return encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False), encoded.dictionary

    def has(self, column: str) -> bool:
        """Whether the table has any value of ``column``."""
        return column in self.frame and bool(self.frame[column].notna().any())


@dataclass(frozen=True)
class Records:
    """Everything the detectors work on; ``start`` (included) to ``until`` (not) are the months looked at."""

    tables: Mapping[str, pd.DataFrame]
    start: np.datetime64
    until: np.datetime64
    standard: SignalStandard
    changes: Mapping[str, np.datetime64] = field(default_factory=dict)  # dealer -> when a plan was issued
    earlier_phones: pd.DataFrame | None = None

    @cached_property
    def dealers(self) -> pd.Index:
        """All dealers, of the dealer list or, without one, of the leads."""
        for table in ("dealers", "leads"):
            frame = self.tables.get(table)
            if frame is not None and len(frame):
                return pd.Index(sorted(frame["dealer_id"].dropna().unique()))
        return pd.Index([])

    @cached_property
    def leads(self) -> Rows:
        """All leads created before ``until``; raises NotCheckedError when there are none."""
        frame = self._frame("leads")
        frame = frame[frame["created_at"].to_numpy("datetime64[us]") < self.until]
        if not len(frame):
            raise NotCheckedError("no_rows")
        return Rows("leads", frame, self._dealer(frame["dealer_id"]), np.arange(len(frame)))

    @cached_property
    def created(self) -> np.ndarray:
        """Which leads were created in the months looked at."""
        return self.leads.times("created_at") >= self.start

    @cached_property
    def filings(self) -> Rows:
        """The filings of the months looked at."""
        return self._by_lead("defeats")

    @cached_property
    def calls(self) -> Rows:
        """The revisit calls of the months looked at."""
        return self._by_lead("revisits")

    @cached_property
    def sales(self) -> Rows:
        """The sales of the months looked at that name a lead we know."""
        return self._by_lead("sales")

    def need(self, column: str) -> None:
        """Raises NotCheckedError when there are no values of ``column`` (``table.column``)."""
        table, _, name = column.partition(".")
        views = {"leads": "leads", "defeats": "filings", "revisits": "calls", "sales": "sales"}
        if not getattr(self, views[table]).has(name):
            if name in PERSONAL_COLUMNS:
                raise NotCheckedError("no_numbers")
            raise NotCheckedError("no_column", table=table, column=name)

    def _frame(self, table: str) -> pd.DataFrame:
        frame = self.tables.get(table)
        if frame is None or not len(frame):
            raise NotCheckedError("no_table", table=table)
        return frame

    def _by_lead(self, table: str) -> Rows:
        frame = self._frame(table)
        at = frame[contract().tables[table].month_of].to_numpy("datetime64[us]")
        frame = frame[(at >= self.start) & (at < self.until) & frame["lead_id"].notna().to_numpy()]
        lead = positions(frame["lead_id"], self.leads.frame["lead_id"])
        frame, lead = frame[lead >= 0], lead[lead >= 0]
        if not len(frame):
            raise NotCheckedError("no_rows")
        return Rows(table, frame, self.leads.dealer[lead], lead)

    def _dealer(self, ids: pd.Series) -> np.ndarray:
        codes, names = pd.factorize(ids)
        return np.append(self.dealers.get_indexer(pd.Index(names)), -1)[codes]


def positions(values: pd.Series, among: pd.Series) -> np.ndarray:
    """Where each of ``values`` stands first in ``among`` (int64), -1 when missing or not there."""
    found = pc.index_in(_arrow(values), value_set=_arrow(among), skip_nulls=True)
    return found.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)


def _arrow(values: pd.Series) -> pa.Array:
    array = pa.array(values, from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def seconds_of_day(times: np.ndarray) -> np.ndarray:
    """Seconds since midnight; 0 for a bare date, -1 for a missing time."""
    seconds = (times - times.astype("datetime64[D]")).astype("timedelta64[s]").astype(np.int64)
    return np.where(np.isnat(times), -1, seconds)
