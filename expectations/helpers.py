"""Helper columns: what a native expectation needs beside the columns of its own table, prepared once per run.

A helper column has a plain name that the suites use like any other column:

- ``<time>_until``: the last moment a time may mean. A date without time of day may be any moment of that day, so an
  order of two times is only broken when it cannot have been kept.
- ``dealer_known``, ``lead_known``, ``lead_accepted``: whether the row's dealer or lead is there (missing ids: missing).
- ``status_times``: the status with the closing times that are set, for example ``won+order``.
- ``lead_created_at``, ``lead_filed_at``: times of the row's lead (missing when the lead itself was set apart).
- ``same_customer_days``: days since the same phone became a lead of the same dealer before.
- ``filed_days``, ``reviewed_days``, ``revisited_days``: how long a step took. ``price_ratio``: quoted by list price.
- ``unseen_days``: by how much an earlier load of the dealer's filings reached beyond this one without having it.
- ``reason_codes_known``: whether every code of the list is one of the reason standard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from expectations.view import View, nanoseconds, positions
from models.enums import LeadStatus

DAY = np.timedelta64(1, "D")
_TICK = np.timedelta64(1, "us")
_YES, _NO = 1.0, 0.0
CLOSINGS = {"order": "ordered_at", "delivery": "delivered_at", "defeat": "defeated_at"}
UNTIL = "_until"
_NAT = np.datetime64("NaT", "us")

Helper = Callable[[View], np.ndarray | pd.Categorical]


def until(times: np.ndarray) -> np.ndarray:
    """The last moment each time may mean: a bare date may be any moment of its day."""
    midnight = times == times.astype("datetime64[D]")
    return np.where(midnight, times + DAY - _TICK, times)


def split_reasons(cell: str) -> list[str]:
    """The codes of a ``;``-joined list."""
    return [code for part in cell.split(";") if (code := part.strip())]


def _flag(known: np.ndarray, missing: np.ndarray) -> np.ndarray:
    return np.where(missing, np.nan, np.where(known, _YES, _NO))


def _missing(view: View, column: str) -> np.ndarray:
    return view.frame[column].isna().to_numpy() if column in view.frame else np.ones(len(view.frame), bool)


def _days(later: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    return (later - earlier) / DAY


def _dealer_known(view: View) -> np.ndarray:
    return _flag(view.dealer < len(view.links.dealers) - 1, _missing(view, "dealer_id"))


def _lead_known(view: View) -> np.ndarray:
    return _flag((view.lead >= 0) | (view.lead_waiting >= 0), _missing(view, "lead_id"))


def _lead_accepted(view: View) -> np.ndarray:
    """Missing where the lead is unknown altogether: that is another rule."""
    leads = view.links.leads
    if leads is None or not leads.accepted.size:
        accepted = np.zeros(len(view.frame), bool)
    else:
        accepted = (view.lead >= 0) & leads.accepted[view.lead]
    return _flag(accepted, (view.lead < 0) & (view.lead_waiting < 0))


def _status_times(view: View) -> pd.Categorical:
    """Missing for a status that is none of the three: that is another rule."""
    status = tuple(LeadStatus)
    words, found = pd.factorize(view.frame["status"])
    place = [status.index(LeadStatus(word)) if word in status else -1 for word in found]
    words = np.array([*place, -1])[words]
    code = words.astype("int64")
    for bit, column in enumerate(CLOSINGS.values()):
        code = code + (~np.isnat(view.times(column))).astype("int64") * len(status) * 2**bit
    names = [
        "+".join([word.value, *(name for bit, name in enumerate(CLOSINGS) if mask >> bit & 1)])
        for mask in range(2 ** len(CLOSINGS))
        for word in status
    ]
    return pd.Categorical.from_codes(np.where(words < 0, -1, code), categories=names)


def _lead_created_at(view: View) -> np.ndarray:
    return nanoseconds(view.lead_time("created_at"))


def _lead_filed_at(view: View) -> np.ndarray:
    """The lead's first filing; missing without one."""
    filings = view.links.filings
    if filings.empty:
        return np.full(len(view.frame), _NAT).astype("datetime64[ns]")
    first = filings.groupby("lead_id", sort=False)["defeated_at"].min()
    found = positions(view.frame["lead_id"], pd.Series(first.index, dtype="str"))
    return nanoseconds(np.where(found >= 0, first.to_numpy("datetime64[us]")[found], _NAT))


def _same_customer_days(view: View) -> np.ndarray:
    """Infinite for a customer's first lead; missing without phone or time."""
    times, phones = view.times("created_at"), view.numbers("phone_key")
    days = np.where(np.isnan(phones) | np.isnat(times), np.nan, np.inf)
    # Only phones that occur more than once need sorting: few in most exports.
    usable = np.flatnonzero(~np.isnan(days))
    often = np.bincount(phones[usable].astype(np.int64)) > 1 if usable.size else np.zeros(0, bool)
    rows = usable[often[phones[usable].astype(np.int64)]]
    if not rows.size:
        return days
    phone, dealer = phones[rows], view.dealer[rows]
    order = np.lexsort((times[rows], dealer, phone))
    phone, dealer, rows = phone[order], dealer[order], rows[order]
    same = (phone[1:] == phone[:-1]) & (dealer[1:] == dealer[:-1])
    days[rows[1:][same]] = _days(times[rows[1:]], times[rows[:-1]])[same]
    return days


def _filed_days(view: View) -> np.ndarray:
    """From the lead's last contact before the filing to the filing; missing where no contact is recorded."""
    filed, contact = view.times("defeated_at"), view.lead_time("last_contact_at")
    return _days(filed, np.where(contact <= filed, contact, _NAT))


def _unseen_days(view: View) -> np.ndarray:
    """Negative when no earlier load reached that far; missing where nothing can be told.

    Nothing can be told of what the dealer's first load brought, of corrections, and of a month of which the earlier
    loads had no filing of the dealer: then the whole export came later, not the single filing.
    """
    days, seen = np.full(len(view.frame), np.nan), view.links.first_seen
    if seen.empty or seen["load"].max() < 2:
        return days
    known = view.frame[["lead_id", "defeated_at"]].merge(seen, how="left", on=["lead_id", "defeated_at"])
    rows = pd.DataFrame({"dealer": view.dealer, "load": known["load"].fillna(0).astype("int64")})
    filed = view.times("defeated_at")
    rows = rows.assign(filed=filed, month=filed.astype("datetime64[M]").astype("int64"))
    told = rows["load"].gt(0).to_numpy() & (view.dealer < len(view.links.dealers) - 1) & ~np.isnat(filed)
    had = rows[told & (filed <= known["reach"].to_numpy())]
    reach = had.groupby(["dealer", "load"])["filed"].max().groupby("dealer").cummax().rename("reach").reset_index()
    first = had.groupby(["dealer", "month"], as_index=False)["load"].min().rename(columns={"load": "first"})
    asked = rows[told & rows["load"].gt(1).to_numpy()].reset_index(names="row").sort_values("load")
    asked = pd.merge_asof(asked, reach.sort_values("load"), on="load", by="dealer", allow_exact_matches=False)
    asked = asked.merge(first, how="left", on=["dealer", "month"])
    beyond = asked["reach"].to_numpy() - until(asked["filed"].to_numpy())
    usable = (beyond < np.timedelta64(0)) | (asked["first"] < asked["load"]).to_numpy()
    days[asked["row"].to_numpy()[usable]] = beyond[usable] / DAY
    return days


def _reviewed_days(view: View) -> np.ndarray:
    return _days(view.times("reviewed_at"), view.times("defeated_at"))


def _revisited_days(view: View) -> np.ndarray:
    """Only first attempts: later ones are late by nature."""
    filed = _lead_filed_at(view).astype("datetime64[us]")
    days = _days(view.times("called_at"), filed)
    attempt = view.frame.get("attempt")
    return days if attempt is None else np.where(attempt.gt(1).fillna(False).to_numpy(bool), np.nan, days)


def _price_ratio(view: View) -> np.ndarray:
    quoted, listed = (view.frame[name].to_numpy("float64", na_value=np.nan) for name in ("quoted_price", "list_price"))
    usable = (quoted > 0) & (listed > 0)
    return np.divide(quoted, listed, out=np.full(len(view.frame), np.nan), where=usable)


def _reason_codes_known(view: View) -> np.ndarray:
    reasons = set(view.links.standard.reasons)
    encoded = pc.dictionary_encode(pa.array(view.frame["reason_codes"], from_pandas=True))
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    known = [_YES if set(split_reasons(cell)) <= reasons else _NO for cell in encoded.dictionary.to_pylist()]
    codes = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
    return np.array([*known, np.nan])[codes]


HELPERS: Mapping[str, tuple[tuple[str, ...], Helper]] = {
    # name -> columns of the table it is made of, how
    "dealer_known": (("dealer_id",), _dealer_known),
    "lead_known": (("lead_id",), _lead_known),
    "lead_accepted": (("lead_id",), _lead_accepted),
    "lead_created_at": (("lead_id",), _lead_created_at),
    "lead_filed_at": (("lead_id",), _lead_filed_at),
    "status_times": (("status", "ordered_at", "defeated_at"), _status_times),
    "same_customer_days": (("phone_key", "dealer_id", "created_at"), _same_customer_days),
    "filed_days": (("lead_id", "defeated_at"), _filed_days),
    "unseen_days": (("lead_id", "defeated_at"), _unseen_days),
    "reviewed_days": (("defeated_at", "reviewed_at"), _reviewed_days),
    "revisited_days": (("lead_id", "called_at"), _revisited_days),
    "price_ratio": (("quoted_price", "list_price"), _price_ratio),
    "reason_codes_known": (("reason_codes",), _reason_codes_known),
}

#: Why a helper column can be empty though the columns it is made of are not: the note ``quality.note.<why>``.
UNKNOWN: Mapping[str, str] = {"unseen_days": "first_load"}


def helper(view: View, name: str) -> pd.Series | None:
    """The helper column ``name`` of a table; None when it is no helper or the columns it is made of are not there."""
    if name.endswith(UNTIL) and (column := name.removesuffix(UNTIL)) in view.frame:
        if view.frame[column].dtype.kind != "M":
            return None
        return pd.Series(nanoseconds(until(view.times(column))), index=view.frame.index)
    sources, make = HELPERS.get(name, ((), None))
    if make is None or not set(sources) <= set(view.frame.columns):
        return None
    return pd.Series(make(view), index=view.frame.index)


def sources(column: str) -> tuple[str, ...]:
    """The columns of the table that ``column`` is made of; itself for a column that is no helper."""
    if column in HELPERS:
        return HELPERS[column][0]
    return (column.removesuffix(UNTIL),)
