"""Signs in the digits of counts, prices and minutes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from expectations.authenticity.parts import Part, concentrated
from expectations.authenticity.records import NotCheckedError, Records, Rows, seconds_of_day

Limits = Mapping[str, float]
_MOST_CONTACTS = 15


def digit_anomaly(records: Records, limits: Limits) -> Iterator[Part]:
    """Rows with a digit that is far more frequent at the dealer than in the network, of each figure by itself.

    All digits of all figures count as tests.
    """
    figures = list(_figures(records))
    if not any((levels >= 0).any() for _, levels in figures):
        raise NotCheckedError("no_rows")
    least = records.standard["digit_anomaly"].rows
    for rows, levels in figures:
        for part in concentrated(rows, levels, len(records.dealers), least, limits["gap"]):
            yield Part(part.rows, part.looked, part.evidence, allowed=part.allowed, tests=part.tests * len(figures))


def _figures(records: Records) -> Iterator[tuple[Rows, np.ndarray]]:
    leads = records.leads
    contacts = leads.numbers("contact_count")
    closed = records.created & (~np.isnat(leads.times("defeated_at")) | ~np.isnat(leads.times("ordered_at")))
    yield leads, _levels(np.minimum(contacts, _MOST_CONTACTS), closed & (contacts > 0))
    price = np.rint(leads.numbers("quoted_price"))
    yield leads, _levels(price % 100, records.created & (price > 0))
    yield leads, _levels(price // 100 % 10, records.created & (price > 0))
    for rows, column in _timed(records):
        second = seconds_of_day(rows.times(column))
        yield rows, _levels(second // 60 % 10, second > 0)


def _timed(records: Records) -> Iterator[tuple[Rows, str]]:
    for name, column in (("filings", "defeated_at"), ("calls", "called_at")):
        try:
            yield getattr(records, name), column
        except NotCheckedError:
            continue


def _levels(values: np.ndarray, looked: np.ndarray) -> np.ndarray:
    return np.where(looked & ~np.isnan(values), np.nan_to_num(values), -1).astype(np.int64)
