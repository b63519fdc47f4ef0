"""What was known at a moment, and when the data ends (domain.md section 14, "Time")."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.errors import NotAvailableError

Tables = Mapping[str, pd.DataFrame]

# Events that make a row of the table exist; a row whose event lies after as_of was not known.
_EVENT = {
    "leads": "created_at",
    "defeats": "defeated_at",
    "revisits": "called_at",
    "sales": "sold_at",
    "service_visits": "visited_at",
    "interactions": "at",
}
# Times that may follow later than the row itself, with the cells that were learnt together with them.
_LATER: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "leads": {
        "first_contact_at": (),
        "visited_at": (),
        "test_drive_at": (),
        "quoted_at": ("quoted_price",),
        "ordered_at": (),
        "delivered_at": (),
        "defeated_at": (),
        "last_contact_at": ("contact_count", "next_contact_at"),
    },
    "defeats": {"reviewed_at": ("reviewed_by",)},
    "service_visits": {"finished_at": ()},
    "actions": {"executed_on": ("evidence",)},
}
# Signs that a lead is being worked on; after a filing they show that it was opened again.
_ACTIVITY = ("visited_at", "test_drive_at", "quoted_at", "last_contact_at")

# Times whose monthly counts show how far the data reaches: planned dates (next contact, delivery) do not.
_BODY = {
    "leads": ("created_at", "first_contact_at", "ordered_at", "defeated_at", "last_contact_at"),
    "defeats": ("defeated_at", "reviewed_at"),
    "revisits": ("called_at",),
    "sales": ("sold_at",),
    "service_visits": ("visited_at",),
    "interactions": ("at",),
}
_CORE = ("leads", "defeats")
_THIN = 0.05
_GAP = 3
_TAIL = pd.Timedelta(days=92)
_RUN_ON = np.timedelta64(8, "D")
_RUN_ON_GAP = np.timedelta64(3, "D")


def as_known(tables: Tables, as_of: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """The tables as they were known at ``as_of`` (events at that very time included).

    Rows whose event came later are dropped; times that came later are missing again, with what was learnt together with
    them (the price quoted, the count of contacts). A lead closed later is open again. Where an earlier filing of it is
    known and nothing was done on it since, it is still defeated by that filing. ``dealers`` stays as it is.
    """
    moment = pd.Timestamp(as_of)
    known: dict[str, pd.DataFrame] = {}
    for name, frame in tables.items():
        event = _EVENT.get(name)
        rows = frame if event is None else frame.loc[~(frame[event] > moment)]
        known[name] = _without_later(rows, _LATER.get(name, {}), moment)
    if "leads" in known:
        known["leads"] = _status_then(tables["leads"], known, moment)
    return known


def _without_later(rows: pd.DataFrame, later: Mapping[str, tuple[str, ...]], moment: pd.Timestamp) -> pd.DataFrame:
    changed: dict[str, pd.Series] = {}
    for time, together in later.items():
        unknown = rows[time] > moment
        if unknown.any():
            for column in (time, *together):
                changed[column] = changed.get(column, rows[column]).mask(unknown)
    return rows.assign(**changed)


def _status_then(before: pd.DataFrame, known: Mapping[str, pd.DataFrame], moment: pd.Timestamp) -> pd.DataFrame:
    """The leads with the status they had: a later close is undone, an earlier filing stands if nothing followed."""
    leads = known["leads"]
    final = before.loc[leads.index]
    ordered_later = (final["status"] == "won") & (final["ordered_at"] > moment)
    defeated_later = (final["status"] == "defeated") & (final["defeated_at"] > moment)
    cancelled_later = defeated_later & leads["ordered_at"].notna()
    status = final["status"].mask(ordered_later | defeated_later, "open").mask(cancelled_later, "won")
    later_events = np.column_stack([(final[time] > moment).to_numpy() for time in _LATER["leads"]]).any(axis=1)
    filings = known.get("defeats")
    if filings is None or not later_events.any():
        return leads.assign(status=status)
    by_lead = filings.groupby("lead_id")["defeated_at"].max()
    last_filing = by_lead.reindex(leads["lead_id"]).set_axis(leads.index)
    last_activity = leads[list(_ACTIVITY)].max(axis=1)
    idle = ~(last_activity > last_filing)
    still = pd.Series(later_events, index=leads.index) & (status == "open") & last_filing.notna() & idle
    return leads.assign(
        status=status.mask(still, "defeated"), defeated_at=leads["defeated_at"].mask(still, last_filing)
    )


def end_of_data(tables: Tables) -> pd.Timestamp:
    """The default ``as_of``: the last second of the day on which the body of the data ends; no clock is read.

    For every time column the rows per month are counted. Its body reaches from the month of its median row onwards
    over all months with at least 5 % of the rows a typical row's month has (and at least one), as long as no more than
    three thinner months lie between; the column ends with its last time in that body. The data ends with the latest of
    leads and defeats; other tables (sales and revisits follow filings by weeks) extend that by 92 days at most. A few
    rows dated 1900 or 2099 thus move nothing, while the first days of a month that has only begun, no more than two
    days apart and within a week, still count where they hold at least 5 % of a typical day's rows.
    Raises NotAvailableError when no time is usable.
    """
    ends = {name: [_body_end(tables[name][time]) for time in times] for name, times in _BODY.items() if name in tables}
    found = {name: [end for end in column_ends if end is not None] for name, column_ends in ends.items()}
    core = [end for name in _CORE for end in found.get(name, [])]
    if not core:
        raise NotAvailableError("filter.no_dates")
    limit = max(core) + _TAIL
    last = max(end for column_ends in found.values() for end in column_ends if end <= limit)
    return last.normalize() + pd.Timedelta(days=1) - pd.Timedelta(seconds=1)


def _body_end(times: pd.Series) -> pd.Timestamp | None:
    months = times.dropna().to_numpy().astype("datetime64[M]").astype("int64")
    if not len(months):
        return None
    middle = int(np.sort(months)[len(months) // 2])
    found, rows = np.unique(months, return_counts=True)
    count = dict(zip(found.tolist(), rows.tolist(), strict=True))
    least = max(1.0, _THIN * float(np.median(np.repeat(rows, rows))))
    last = middle
    while further := [month for month in range(last + 1, last + 2 + _GAP) if count.get(month, 0) >= least]:
        last = further[-1]
    inside = times[times < np.datetime64(last + 1, "M").astype("datetime64[us]")]
    return _run_on(times, pd.Timestamp(inside.max()))


def _run_on(times: pd.Series, end: pd.Timestamp) -> pd.Timestamp:
    """``end``, or the last of the rows that run on from it day by day into a month that has only begun.

    A day belongs to them with at least 5 % of the rows a typical day before ``end`` has: stray future dates do not.
    """
    days = times.dropna().to_numpy().astype("datetime64[D]")
    found, rows = np.unique(days, return_counts=True)
    last = np.datetime64(end, "D")
    least = max(1.0, _THIN * float(np.median(rows[found <= last])))
    for day, count in zip(found, rows, strict=True):
        if last < day < np.datetime64(end, "D") + _RUN_ON_GAP and day < last + _RUN_ON and count >= least:
            end = pd.Timestamp(times[times.to_numpy().astype("datetime64[D]") == day].max())
    return end
