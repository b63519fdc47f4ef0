"""Signs in the revisit calls: answered in seconds, full marks throughout, reached improbably often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from expectations.authenticity.parts import Part, per_dealer
from expectations.authenticity.records import NotCheckedError, Records, Rows

Limits = Mapping[str, float]
MARKS = tuple(f"satisfaction_{stage}" for stage in ("reception", "presentation", "test_drive", "price", "follow_up"))
_ANSWERS = (*MARKS, "purchased", "destination", "reason_codes", "intent_remaining")


def _reached(calls: Rows) -> np.ndarray:
    return (calls.numbers("reached") == 1) & (calls.dealer >= 0)


def revisit_seconds(records: Records, limits: Limits) -> Iterator[Part]:
    """Answered questionnaires whose call lasted a few seconds; a call without any answer may well be short."""
    calls = records.calls
    asked = [name for name in _ANSWERS if calls.has(name)]
    answered = calls.frame[asked].notna().any(axis=1).to_numpy() if asked else np.ones(len(calls), bool)
    seconds = calls.numbers("duration_s")
    looked = _reached(calls) & answered & ~np.isnan(seconds)
    yield Part(calls, looked, looked & (seconds < limits["seconds"]))


def straight_top_marks(records: Records, limits: Limits) -> Iterator[Part]:
    """Questionnaires with the top mark on every question answered, and enough of them answered."""
    calls = records.calls
    asked = [name for name in MARKS if calls.has(name)]
    if not asked:
        raise NotCheckedError("no_column", table="revisits", column="satisfaction")
    marks = np.column_stack([calls.numbers(name) for name in asked])
    given = (~np.isnan(marks)).sum(axis=1)
    top = (marks >= limits["mark"]).sum(axis=1)
    looked = _reached(calls) & (given > 0)
    enough = given >= min(limits["answers"], len(asked))
    yield Part(calls, looked, looked & enough & (top == given))


def revisit_success_improbable(records: Records, limits: Limits) -> Iterator[Part]:
    """Calls that reached the customer, of all calls."""
    calls = records.calls
    looked = ~np.isnan(calls.numbers("reached")) & (calls.dealer >= 0)
    reached = looked & _reached(calls)
    dealers = len(records.dealers)
    share = per_dealer(calls, reached, dealers) / np.maximum(per_dealer(calls, looked, dealers), 1)
    yield Part(calls, looked, reached, allowed=share >= reached.sum() / max(looked.sum(), 1) + limits["gap"])
