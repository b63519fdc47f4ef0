"""Signs in the reasons filed: one for everything, or another mix all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from expectations.authenticity.parts import Part, clustered, concentrated
from expectations.authenticity.records import NotCheckedError, Records, Rows

Limits = Mapping[str, float]


def one_reason(records: Records, limits: Limits) -> Iterator[Part]:
    """Filings with one reason that crowd: at the whole dealer, with one consultant, in one day.

    Of the whole dealer they must be far more than at others. A consultant's and a day's are held against the dealer's
    own filings, so that a dealer which truly loses many deals for one reason is not named for that.
    """
    filings = records.filings
    reason, _ = _reasons(filings)
    looked = (reason >= 0) & (filings.dealer >= 0)
    least = records.standard["one_reason"].rows
    parts = list(concentrated(filings, reason, len(records.dealers), least, limits["gap"], limits["share"]))
    crowds = [(_day(filings), limits["day_chance"])]
    if records.leads.has("consultant_id"):
        consultant, _ = records.leads.codes("consultant_id")
        crowds.append((consultant[filings.lead], limits["consultant_chance"]))
    ways = len(crowds) + 1
    for part in parts:
        yield replace(part, tests=part.tests * ways)
    for cell, chance in crowds:
        crowd = clustered(filings.dealer, cell, np.where(looked, reason, -1), limits, chance)
        yield Part(filings, looked, crowd, tests=ways, least_evidence=limits["cell_rows"])


def _reasons(filings: Rows) -> tuple[np.ndarray, int]:
    """The reason of each filing as a number (-1 missing), the same for the same data in any order, and how many."""
    reason, words = filings.codes("reason_code")
    place = np.argsort(np.argsort(words.to_numpy(zero_copy_only=False).astype(str)))
    return np.append(place, -1)[reason], len(words)


def _day(filings: Rows) -> np.ndarray:
    """The day of each filing, counted from the first one."""
    day = filings.times("defeated_at").astype("datetime64[D]").astype(np.int64)
    return np.asarray(day - day.min())


def reason_shift(records: Records, limits: Limits) -> Iterator[Part]:
    """Filings of a reason that rose from the first to the second part of the months looked at.

    The parts meet where the dealer's plan was issued, where the caller knows it, else in the middle. How many of the
    dealer's filings with the reason fall into the second part is compared with how its filings in all and the
    network's with that reason divide. Besides, filings of consultants with whom a reason rose beyond chance.
    """
    filings = records.filings
    reason, many = _reasons(filings)
    dealers = len(records.dealers)
    looked = (reason >= 0) & (filings.dealer >= 0)
    late = looked & (filings.times("defeated_at") >= _change(records)[filings.dealer])
    cell = filings.dealer * many + reason
    after = np.bincount(cell[late], minlength=dealers * many).reshape(dealers, many).astype(float)
    both = np.bincount(cell[looked], minlength=dealers * many).reshape(dealers, many).astype(float)
    rows_after, rows_before = after.sum(axis=1), (both - after).sum(axis=1)
    if not (np.minimum(rows_after, rows_before) >= limits["part_rows"]).any():
        raise NotCheckedError("no_rows")
    rise = after / np.maximum(rows_after, 1)[:, None] - (both - after) / np.maximum(rows_before, 1)[:, None]
    enough = (rows_after >= limits["part_rows"]) & (rows_before >= limits["part_rows"])
    striking = (rise >= limits["rise"]) & enough[:, None] & (both >= limits["reason_rows"])
    usual = _log_ratio(after.sum(axis=0), (both - after).sum(axis=0)) - _log_ratio(after.sum(), (both - after).sum())
    own = _log_ratio(rows_after, rows_before)
    consultant, _ = records.leads.codes("consultant_id")
    by_consultant = records.leads.has("consultant_id")
    ways = 2 if by_consultant else 1
    tests = ways * looked.sum() / np.maximum(both.sum(axis=0), 1)  # Bonferroni, weighted by how common reasons are
    for code in np.flatnonzero(striking.any(axis=0)) if striking.any() else [int(both.sum(axis=0).argmax())]:
        of_reason = looked & (reason == code)
        yield Part(
            filings,
            of_reason,
            of_reason & late,
            own + usual[code],
            striking[:, code],
            tests[code],
            limits["reason_rows"],
        )
    if by_consultant:
        level, least = np.where(looked, reason, -1), limits["cell_rows"]
        rose = clustered(consultant[filings.lead], late.astype(np.int64), level, limits, limits["consultant_chance"])
        yield Part(filings, late, rose & late, tests=ways, least_rows=limits["part_rows"], least_evidence=least)


def _change(records: Records) -> np.ndarray:
    """Per dealer, when the second part begins."""
    middle = records.start + (records.until - records.start) // 2
    given = (records.changes.get(dealer, middle) for dealer in records.dealers)
    return np.fromiter(given, "datetime64[us]", len(records.dealers))


def _log_ratio(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.log((first + 0.5) / (second + 0.5))
