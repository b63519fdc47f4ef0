"""What the suites compare with: limits as data, the codes of the reason standard, and how far the data reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from models.catalogue.contract import TIME_KINDS, contract
from models.catalogue.deadlines import deadlines
from models.catalogue.filter_rules import Limits as Deadlines
from models.catalogue.filter_rules import filter_rules
from models.catalogue.merging import laid_over
from models.catalogue.reasons import valid_codes
from models.in_force import standard

FILE = Path(__file__).parent / "limits.toml"

# How the end of the data is told from stray future dates: a day counts as busy when its last seven days hold at
# least this share of what an ordinary row's last seven days hold, and a longer silence than this ends the data.
BUSY_DAYS = 7
BUSY_SHARE = 0.1
LONGEST_SILENCE_DAYS = 92
_FIRST_DAY, _LAST_DAY = np.datetime64("1980-01-01"), np.datetime64("2120-01-01")
_PLANNED = frozenset({"next_contact_at", "delivered_at"})
_UNDATED = frozenset({"dealers", "actions"})  # opening days and plans say nothing about where the data ends


class MonthLimits(BaseModel):
    """When a month is unusual against the months before; see ``limits.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_least: int = Field(ge=2)
    at_most: int = Field(ge=2)
    spreads: float = Field(gt=0)
    rows_move: float = Field(gt=0)
    filled_move: float = Field(gt=0)
    median_move: float = Field(gt=0)
    column_rows: int = Field(ge=1)
    dealer_rows: int = Field(ge=1)
    dealer_times: float = Field(gt=1)
    word_rows: int = Field(ge=1)
    words_at_most: int = Field(ge=1)
    ripening: frozenset[str]


class Limits(BaseModel):
    """The figures of ``limits.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    earliest_date: date
    earliest_opening: date
    planning_days: int
    age_from: int
    age_to: int
    score_from: float
    score_to: float
    contacts_at_most: int
    mileage_at_most: int
    call_seconds_at_most: int
    purchase_plan_days_at_most: int
    price_ratio_from: float
    price_ratio_to: float
    same_customer_days: int
    months: MonthLimits


@standard
def limits(folder: Path | None = None) -> Limits:
    """The limits; ``folder`` may hold an OEM's own ``limits.toml``, merged over the shipped one.

    Raises CatalogueError naming file, key and remedy.
    """
    return laid_over(FILE, Limits, folder)[0]


@dataclass(frozen=True)
class Standard:
    """What good data is measured against in one run: ``horizon`` is the last moment a date may name."""

    limits: Limits
    horizon: datetime
    reasons: tuple[str, ...]
    deadlines: Deadlines  # what "in time" means, the same as for the indicators of execution
    filing_days: int  # how many days after a defeat it is filed at the latest

    @property
    def earliest(self) -> datetime:
        """The first moment a date may name."""
        return _midnight(self.limits.earliest_date)

    @property
    def earliest_opening(self) -> datetime:
        """The first day a dealer may have opened."""
        return _midnight(self.limits.earliest_opening)

    @property
    def planning_horizon(self) -> datetime:
        """The last moment a planned contact may name."""
        return self.horizon + timedelta(days=self.limits.planning_days)


def standard_until(horizon: datetime, folder: Path | None = None) -> Standard:
    """The standard up to ``horizon``; ``folder`` may hold an OEM's own standards. Raises CatalogueError."""
    in_time, filing = filter_rules(folder).limits, deadlines(folder).filing
    return Standard(limits(folder), horizon, tuple(sorted(valid_codes(folder))), in_time, filing.within_days)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def reach_of_data(frames: Mapping[str, pd.DataFrame]) -> datetime | None:
    """The last moment of the last day the loaded rows really reach; None without any dated row.

    More generous than the default ``as_of``: the few rows of a month just begun are data too, not dates of the future.

    Looks at every time of every table but planned ones and the dealers' opening days. Starting from the day the middle
    row names, it walks forward as long as days stay busy (see the constants above), so that one per cent of stray
    dates, in 2099 or spread over the year after the data, does not move the end. Stray dates within a week after the
    real end cannot be told from it and are harmless.
    """
    counts = np.zeros(int((_LAST_DAY - _FIRST_DAY).astype(int)) + 1, dtype=np.int64)
    for name, frame in frames.items():
        for column in _event_times(name, frame):
            days = frame[column].dropna().to_numpy("datetime64[D]")
            days = days[(days >= _FIRST_DAY) & (days <= _LAST_DAY)]
            counts += np.bincount((days - _FIRST_DAY).astype(np.int64), minlength=counts.size)
    if not counts.any():
        return None
    until = np.cumsum(counts)
    trailing = until - np.concatenate([np.zeros(BUSY_DAYS, np.int64), until[:-BUSY_DAYS]])
    middle = int(np.searchsorted(until, (until[-1] + 1) // 2))
    ordinary = _weighted_median(trailing, counts)
    busy = np.flatnonzero((counts > 0) & (trailing >= max(1.0, BUSY_SHARE * ordinary)))
    busy = np.concatenate([[middle], busy[busy > middle]])
    silent = np.flatnonzero(np.diff(busy) > LONGEST_SILENCE_DAYS)
    last = int(busy[silent[0]] if silent.size else busy[-1])
    return pd.Timestamp(_FIRST_DAY + np.timedelta64(last + 1, "D")).to_pydatetime() - timedelta(microseconds=1)


def _event_times(table: str, frame: pd.DataFrame) -> list[str]:
    if table in _UNDATED or table not in contract().tables:
        return []
    fields = contract().tables[table].fields
    return [
        name
        for name, field in fields.items()
        if field.kind in TIME_KINDS and name not in _PLANNED and name in frame and frame[name].dtype.kind == "M"
    ]


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, (reached[-1] + 1) // 2)])
