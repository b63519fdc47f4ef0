"""Signs in the contacts: defeats without any, and open leads that nobody touches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from expectations.authenticity.parts import Part
from expectations.authenticity.records import DAY, NotCheckedError, Records, Rows
from models.enums import LeadStatus

Limits = Mapping[str, float]
_STAGES = ("visited_at", "test_drive_at", "quoted_at")
_CONTACTS = ("first_contact_at", "last_contact_at")


def no_contact(records: Records, _limits: Limits) -> Iterator[Part]:
    """Leads defeated in the months looked at with no contact: by the count of contacts, else by their times."""
    leads = records.leads
    at = leads.times("defeated_at")
    looked = (at >= records.start) & (at < records.until) & (leads.dealer >= 0)
    count = leads.numbers("contact_count")
    if leads.has("contact_count"):
        looked &= ~np.isnan(count)
        yield Part(leads, looked, looked & (count == 0))
        return
    if not any(leads.has(name) for name in _CONTACTS):
        raise NotCheckedError("no_column", table="leads", column="contact_count")
    yield Part(leads, looked, looked & _never(leads, _CONTACTS))


def never_moves(records: Records, limits: Limits) -> Iterator[Part]:
    """Leads old enough to have moved that are open without a touch for long, or never had any contact or stage."""
    leads = records.leads
    days = np.timedelta64(int(limits["days"]), "D")
    created = leads.times("created_at")
    looked = (created >= records.start - days) & (created < records.until - days) & (leads.dealer >= 0)
    is_open = (leads.frame["status"] == LeadStatus.OPEN.value).to_numpy(bool)
    last = created.copy()
    for name in (*_STAGES, *_CONTACTS):
        last = np.fmax(last, leads.times(name))
    yield Part(leads, looked, looked & is_open & (records.until - last > days + DAY))
    if any(leads.has(name) for name in _CONTACTS):
        untouched = _never(leads, (*_STAGES, *_CONTACTS)) & ~(leads.numbers("contact_count") > 0)
        yield Part(leads, looked, looked & is_open & untouched)


def _never(leads: Rows, columns: tuple[str, ...]) -> np.ndarray:
    return np.logical_and.reduce([np.isnat(leads.times(name)) for name in columns])
