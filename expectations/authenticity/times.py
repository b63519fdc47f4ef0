"""Signs in the times of filings and calls: crowded before a deadline, or set back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy.stats import poisson

from expectations.authenticity.parts import Part
from expectations.authenticity.records import DAY, NotCheckedError, Records, Rows, seconds_of_day

Limits = Mapping[str, float]
_DAY_S, _HOUR_S = 86_400, 3_600
# minutes before and after, at up to four times the pace of the hour: people enter in spells, and more at a month's end
_BUSIER = 2 * 4
_SUNDAY = 3  # 1970-01-01 was a Thursday


def deadline_burst(records: Records, limits: Limits) -> Iterator[Part]:
    """Filings and calls in the last minutes before a deadline, each table by itself."""
    yield _burst(records, records.filings, "defeated_at", limits)
    try:
        calls = records.calls
    except NotCheckedError:
        return
    yield _burst(records, calls, "called_at", limits)


def _burst(records: Records, rows: Rows, column: str, limits: Limits) -> Part:
    """Bare dates are not looked at. A crowd is more records at once than the dealer's own pace explains."""
    at = rows.times(column)
    second = seconds_of_day(at)
    looked = (second > 0) & (rows.dealer >= 0)
    day = at.astype("datetime64[D]")
    month_end = (day + DAY).astype("datetime64[M]") != day.astype("datetime64[M]")
    week_end = day.astype(np.int64) % 7 == _SUNDAY
    last_minutes = second >= _DAY_S - 60 * limits["last_minutes"]
    crowd = np.zeros(len(rows), bool)
    some = np.flatnonzero(looked & month_end)
    usual = _usual(records, rows, looked & ~month_end, second)[rows.dealer[some], second[some] // _HOUR_S]
    least = poisson.isf(limits["chance"], usual * limits["crowd_minutes"] * _BUSIER) + 1
    together = _neighbours(rows.dealer[some], at[some], limits["crowd_minutes"])
    crowd[some] = together >= np.maximum(limits["crowd"], least)
    return Part(rows, looked, looked & ((last_minutes & (month_end | week_end)) | crowd))


def _usual(records: Records, rows: Rows, looked: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Records a minute on other days, dealer x hour: the dealer's own number, over the day as in the network."""
    many = np.bincount(rows.dealer[looked], minlength=len(records.dealers))
    over_the_day = np.bincount(second[looked] // _HOUR_S, minlength=24) / max(looked.sum(), 1)
    days = max(float((records.until - records.start) / DAY), 1.0)
    return many[:, None] / days * over_the_day / 60


def _neighbours(dealer: np.ndarray, at: np.ndarray, minutes: float) -> np.ndarray:
    """How many records of the same dealer lie within so many minutes of each one, itself included."""
    moment = dealer * 10**11 + at.astype("datetime64[s]").astype(np.int64)  # dealers far apart from each other
    ordered, width = np.sort(moment), int(60 * minutes)
    return np.searchsorted(ordered, moment + width, "right") - np.searchsorted(ordered, moment - width, "left")


def back_dated(records: Records, limits: Limits) -> Iterator[Part]:
    """Filings that look entered later than they say, four ways."""
    filings = records.filings
    at = filings.times("defeated_at")
    ours = filings.dealer >= 0
    reviewed = filings.times("reviewed_at")
    if filings.has("reviewed_at"):
        looked = ours & ~np.isnat(reviewed)
        yield Part(filings, looked, looked & (reviewed - at > _days(limits["review_days"])))
    closed = (
        records.leads.times("defeated_at")[filings.lead] == at
    )  # else it was taken up again, and contacts are right
    touched = records.leads.times("last_contact_at")[filings.lead]
    looked = ours & closed & ~np.isnat(touched)
    if looked.any():
        yield Part(filings, looked, looked & (touched - at > _days(limits["contact_days"])))
    second = seconds_of_day(at)
    timed = ours & (second > 0)
    if timed.any():
        yield Part(filings, timed, timed & (second % _HOUR_S == 0))
        yield Part(filings, timed, timed & (_same_moment(filings, at) >= limits["same_moment"]))


def _days(many: float) -> np.timedelta64:
    return np.timedelta64(int(many * _DAY_S), "s")


def _same_moment(filings: Rows, at: np.ndarray) -> np.ndarray:
    frame = pd.DataFrame({"dealer": filings.dealer, "at": at})
    return frame.groupby(["dealer", "at"], sort=False)["at"].transform("size").to_numpy()
