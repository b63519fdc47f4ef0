"""Signs in the reasons filed: one for everything, or another mix all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from expectations.authenticity.parts import Part, concentrated
from expectations.authenticity.records import NotCheckedError, Records

Limits = Mapping[str, float]


def one_reason(records: Records, limits: Limits) -> Iterator[Part]:
    """Filings with the reason a dealer files for nearly everything."""
    filings = records.filings
    reason, _ = filings.codes("reason_code")
    least = records.standard["one_reason"].rows
    yield from concentrated(filings, reason, len(records.dealers), least, limits["gap"], limits["share"])


def reason_shift(records: Records, limits: Limits) -> Iterator[Part]:
    """Filings of a reason that rose from the first to the second part of the months looked at.

    The parts meet where the dealer's plan was issued, where the caller knows it, else in the middle. How many of the
    dealer's filings with the reason fall into the second part is compared with how its filings in all and the
    network's with that reason divide.
    """
    filings = records.filings
    reason, words = filings.codes("reason_code")
    dealers, many = len(records.dealers), len(words)
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
    tests = looked.sum() / np.maximum(both.sum(axis=0), 1)  # Bonferroni, weighted by how common the reasons are
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


def _change(records: Records) -> np.ndarray:
    """Per dealer, when the second part begins."""
    middle = records.start + (records.until - records.start) // 2
    given = (records.changes.get(dealer, middle) for dealer in records.dealers)
    return np.fromiter(given, "datetime64[us]", len(records.dealers))


def _log_ratio(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.log((first + 0.5) / (second + 0.5))
