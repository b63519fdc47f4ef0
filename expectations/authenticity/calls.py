"""Signs in the revisit calls: answered in seconds, full marks throughout, reached improbably often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from expectations.authenticity.parts import Part, clustered, per_dealer
from expectations.authenticity.records import NotCheckedError, Records, Rows, seconds_of_day

Limits = Mapping[str, float]
MARKS = tuple(f"satisfaction_{stage}" for stage in ("reception", "presentation", "test_drive", "price", "follow_up"))
_ANSWERS = (*MARKS, "purchased", "destination", "reason_codes", "intent_remaining")


def _reached(calls: Rows) -> np.ndarray:
    return (calls.numbers("reached") == 1) & (calls.dealer >= 0)


def _answered(calls: Rows) -> np.ndarray:
    """Calls with an answer to any question."""
    asked = [name for name in _ANSWERS if calls.has(name)]
    return calls.frame[asked].notna().any(axis=1).to_numpy()


def revisit_seconds(records: Records, limits: Limits) -> Iterator[Part]:
    """Answered questionnaires whose call lasted a few seconds; a call without any answer may well be short."""
    calls = records.calls
    answered = _answered(calls) if any(calls.has(name) for name in _ANSWERS) else np.ones(len(calls), bool)
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
    """Calls said to have reached the customer: too many of all, too many of one caller, or without what a talk leaves.

    A talk leaves answers; whoever was reached is not called again; a caller talks to one customer at a time.
    """
    calls = records.calls
    looked = ~np.isnan(calls.numbers("reached")) & (calls.dealer >= 0)
    reached = looked & _reached(calls)
    dealers = len(records.dealers)
    share = per_dealer(calls, reached, dealers) / np.maximum(per_dealer(calls, looked, dealers), 1)
    yield Part(calls, looked, reached, allowed=share >= reached.sum() / max(looked.sum(), 1) + limits["gap"])
    few = limits["cell_rows"]
    caller, _ = calls.codes("agent_id")
    if calls.has("agent_id"):
        outcome = np.where(looked, reached.astype(np.int64), -1)
        crowd = clustered(calls.dealer, caller, outcome, limits, limits["caller_chance"])
        yield Part(calls, looked, crowd & reached, least_evidence=few)
    if any(calls.has(name) for name in _ANSWERS):
        yield Part(calls, reached, reached & ~_answered(calls), least_evidence=few)
    yield Part(calls, reached, reached & _called_again(calls), least_evidence=few)
    yield Part(calls, reached, _at_once(calls, reached, caller), least_evidence=few)


def _called_again(calls: Rows) -> np.ndarray:
    """Whether the same lead was called again later; calls of the same moment are none."""
    at = calls.times("called_at").astype("datetime64[s]").astype(np.int64)
    last = np.full(int(calls.lead.max()) + 1, np.iinfo(np.int64).min)
    np.maximum.at(last, calls.lead, at)
    return np.asarray(at < last[calls.lead])


def _at_once(calls: Rows, reached: np.ndarray, caller: np.ndarray) -> np.ndarray:
    """Calls that begin while the same caller of the dealer still talks to another customer, and those talks.

    Bare dates and calls of unknown length or caller are not looked at.
    """
    at, seconds = calls.times("called_at"), calls.numbers("duration_s")
    some = np.flatnonzero(reached & (caller >= 0) & (seconds > 0) & (seconds_of_day(at) > 0))
    begins = at[some].astype("datetime64[s]").astype(np.int64)
    who = calls.dealer[some] * (int(caller.max(initial=0)) + 1) + caller[some]
    order = np.lexsort((begins, who))
    ends = begins[order] + seconds[some][order]
    overlap = (np.diff(who[order]) == 0) & (begins[order][1:] < ends[:-1])
    found = np.zeros(len(calls), bool)
    found[some[order[1:][overlap]]] = True
    found[some[order[:-1][overlap]]] = True
    return found
