"""One table as the suites see it: only the columns they use, in dtypes that are quick to check, plus helper columns.

Great Expectations copies the frame for every expectation; two thirds of its time is saved by giving it few and thin
columns (design.md section 3). The same thin frame feeds the row masks, so both answers are about the same cells.

- times become ``datetime64[ns]`` (cut to what that can hold; such dates are out of range anyway);
- ``Int64`` and ``boolean`` become ``float64`` with NaN;
- words checked against a set become categories; other text, where only presence and identity count, becomes numbers
  that are equal where the texts are equal;
- a column of any other dtype is handed over as it is, so that a wrong type shows as an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from expectations.standard import Standard

UNASSIGNED = "_unassigned"
_FIRST_NS, _LAST_NS = np.datetime64("1678-01-01", "us"), np.datetime64("2262-01-01", "us")


def positions(values: pd.Series, among: pd.Series) -> np.ndarray:
    """Where each of ``values`` stands first in ``among`` (int64), -1 when missing or not there."""
    found = pc.index_in(pa.array(values, from_pandas=True), value_set=_one_chunk(among), skip_nulls=True)
    return found.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)


def _one_chunk(values: pd.Series) -> pa.Array:
    array = pa.array(values, from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


@dataclass(frozen=True)
class Leads:
    """What later tables need to know of the leads: ids, which were accepted, their dealers and times."""

    ids: pd.Series
    accepted: np.ndarray
    dealer: np.ndarray  # position in Links.dealers
    times: Mapping[str, np.ndarray]  # datetime64[us] by column
    waiting: pd.Series  # ids set apart at reading
    waiting_dealer: np.ndarray  # their dealers, as ``dealer``


@dataclass(frozen=True)
class Links:
    """What a table is checked against: the dealers (``_unassigned`` last), the leads, the filings, the standard."""

    standard: Standard
    dealers: pd.Index
    leads: Leads | None = None
    filings: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"lead_id": [], "defeated_at": []}))
    first_seen: pd.DataFrame = field(default_factory=pd.DataFrame)  # which load first brought each filing


@dataclass(frozen=True)
class View:
    """A table and what it is linked to."""

    table: str
    frame: pd.DataFrame
    links: Links
    _codes: dict[str, tuple[np.ndarray, pa.Array]] = field(default_factory=dict)
    _numbers: dict[str, np.ndarray] = field(default_factory=dict)

    def codes(self, column: str) -> tuple[np.ndarray, pa.Array]:
        """A text column as codes (int32, -1 where missing) and the texts they stand for; made once."""
        if column not in self._codes:
            encoded = pc.dictionary_encode(_one_chunk(self.frame[column]))
            codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            self._codes[column] = codes, encoded.dictionary
        return self._codes[column]

    def numbers(self, column: str) -> np.ndarray:
        """A text column as numbers that are equal where the texts are, NaN where missing; made once."""
        if column not in self._numbers:
            codes, _ = self.codes(column)
            self._numbers[column] = np.where(codes < 0, np.nan, codes)
        return self._numbers[column]

    def thin(self, column: str, as_words: bool) -> pd.Series:
        """A column in the dtype the checks work on (see the module)."""
        values = self.frame[column]
        kind = values.dtype
        if kind.kind == "M" and getattr(kind, "tz", None) is None:
            return pd.Series(nanoseconds(values.to_numpy()), index=values.index)
        if isinstance(kind, pd.Int64Dtype | pd.BooleanDtype):
            return pd.Series(values.to_numpy("float64", na_value=np.nan), index=values.index)
        if isinstance(kind, pd.StringDtype):
            return values.astype("category") if as_words else pd.Series(self.numbers(column), index=values.index)
        return values

    @cached_property
    def lead(self) -> np.ndarray:
        """Position of each row's lead among the received leads; -1 without one."""
        leads = self.links.leads
        if leads is None or "lead_id" not in self.frame:
            return np.full(len(self.frame), -1)
        return positions(self.frame["lead_id"], leads.ids)

    @cached_property
    def lead_waiting(self) -> np.ndarray:
        """Position of each row's lead among those set apart at reading (not among the received ones); else -1."""
        leads = self.links.leads
        if leads is None or leads.waiting.empty or "lead_id" not in self.frame:
            return np.full(len(self.frame), -1)
        return positions(self.frame["lead_id"], leads.waiting)

    @cached_property
    def dealer(self) -> np.ndarray:
        """Position of each row's dealer in ``links.dealers``; rows without a known one are ``_unassigned``."""
        unassigned = len(self.links.dealers) - 1
        if "dealer_id" in self.frame:
            return self.known_dealers(self.frame["dealer_id"])
        leads = self.links.leads
        if leads is None:
            return np.full(len(self.frame), unassigned)
        waiting = np.append(leads.waiting_dealer, unassigned)[self.lead_waiting]
        return np.where(self.lead >= 0, np.append(leads.dealer, unassigned)[self.lead], waiting)

    def known_dealers(self, ids: pd.Series) -> np.ndarray:
        """The positions of these dealers in ``links.dealers``; unknown and missing ones are ``_unassigned``."""
        dealers, unassigned = self.links.dealers, len(self.links.dealers) - 1
        codes, names = pd.factorize(ids)
        known = dealers.get_indexer(pd.Index(names))
        return np.append(np.where(known < 0, unassigned, known), unassigned)[codes]

    def lead_time(self, column: str) -> np.ndarray:
        """``column`` of each row's lead (datetime64[us]); NaT without a lead, or when the lead itself was set apart."""
        leads = self.links.leads
        if leads is None or column not in leads.times or not leads.accepted.size:
            return np.full(len(self.frame), np.datetime64("NaT"), "datetime64[us]")
        usable = (self.lead >= 0) & leads.accepted[self.lead]
        return np.where(usable, leads.times[column][self.lead], np.datetime64("NaT", "us"))

    def times(self, column: str) -> np.ndarray:
        """A time column as datetime64[us]; all missing when the frame has none of that type."""
        values = self.frame.get(column)
        if values is None or values.dtype.kind != "M":
            return np.full(len(self.frame), np.datetime64("NaT"), "datetime64[us]")
        return values.to_numpy("datetime64[us]")


def nanoseconds(values: np.ndarray) -> np.ndarray:
    """``datetime64[ns]`` of any times, cut to the years that it can hold."""
    micro = values.astype("datetime64[us]")
    return np.clip(micro, _FIRST_NS, _LAST_NS).astype("datetime64[ns]")
