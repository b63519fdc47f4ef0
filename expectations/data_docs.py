"""The Data Docs as frames: every expectation and authenticity signal with its history, for the nation and each region.

Great Expectations' own Data Docs speak English only and draw on outside hosts, so the pages are ours; the answers are
those of the native suites (docs/corrections.md says why and what it costs). Pure: frames in, frames out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from expectations.rules import CheckOutcome, telling
from models.catalogue.contract import contract

NATION = "nation"
DOC_COLUMNS = (
    *("scope", "id", "table", "rule", "column", "severity", "outcome", "note", "checked", "failed"),
    *("share", "share_before", "first_seen"),
)
SIGN_COLUMNS = (*("scope", "signal", "tested", "dealers", "rows", "dealers_before", "still", "first_seen"),)
_SAID = ["table", "rule", "column", "severity"]
_PLACE = ["table", "source_file", "row_number"]
_ANSWER = ["scope", "id", *_SAID, "outcome", "note", "checked", "failed"]


def current(
    expectations: pd.DataFrame, results: pd.DataFrame, problems: pd.DataFrame, regions: Mapping[str, str]
) -> pd.DataFrame:
    """One row per scope (``nation`` or a region id) and check of this cycle: ``scope, id, table, rule, column,
    severity, outcome, note, checked, failed``.

    ``expectations``: the nation's verdicts of the native suites. ``results``: ``dealer_id, expectation, checked,
    failed``. ``problems``: all failing rows; those of rules no suite has were found when the files were read, and
    their denominator is the rows that reached the checks plus the failing ones. ``regions``: region by dealer.
    """
    nation = expectations.assign(scope=NATION)[_ANSWER]
    said = expectations.set_index("id")[[*_SAID, "note"]]
    by_region = results.assign(scope=results["dealer_id"].map(regions)).dropna(subset=["scope"])
    summed = by_region.groupby(["scope", "expectation"], as_index=False)[["checked", "failed"]].sum()
    local = summed.rename(columns={"expectation": "id"}).join(said, on="id", how="inner").assign(note="")
    local["outcome"] = [_outcome(*counts) for counts in zip(local["checked"], local["failed"], strict=True)]
    tables = by_region["expectation"].map(said["table"])
    # What is said of a whole month counts dealers, not rows.
    of_months = by_region["expectation"].map(said["rule"]).isin(telling())
    of_rows = by_region.assign(table=tables)[~of_months]
    reached = of_rows.groupby(["dealer_id", "table"])["checked"].max()
    rows = expectations.groupby("table")["rows"].max()
    read = _at_reading(expectations, problems, regions, rows, reached)
    whole = pd.concat([part for part in (nation, local[_ANSWER], read) if len(part)], ignore_index=True)
    return whole.astype({"checked": "int64", "failed": "int64"})


def _outcome(checked: int, failed: int) -> str:
    if failed:
        return CheckOutcome.FAILED.value
    return (CheckOutcome.PASSED if checked else CheckOutcome.NOT_CHECKED).value


def _at_reading(
    expectations: pd.DataFrame, problems: pd.DataFrame, regions: Mapping[str, str], rows: pd.Series, reached: pd.Series
) -> pd.DataFrame:
    of_suites = pd.MultiIndex.from_frame(expectations[["table", "rule"]])
    known = problems["table"].isin(contract().tables)
    found = problems[known & ~pd.MultiIndex.from_frame(problems[["table", "rule"]]).isin(of_suites)]
    if found.empty:
        return pd.DataFrame(columns=_ANSWER)
    found = found.fillna({"column": ""}).drop_duplicates([*_PLACE, "rule", "column"])
    local = found.assign(scope=found["dealer_id"].map(regions)).dropna(subset=["scope"])
    here = reached.reset_index()
    here = here.assign(scope=here["dealer_id"].map(regions)).groupby(["scope", "table"])["checked"].sum()
    counts = pd.concat(
        [part.groupby(["scope", *_SAID], as_index=False).size() for part in (found.assign(scope=NATION), local)],
        ignore_index=True,
    ).rename(columns={"size": "failed"})
    base = [
        rows.get(line.table, 0) if line.scope == NATION else here.get((line.scope, line.table), 0)
        for line in counts.itertuples()
    ]
    counts["checked"] = counts["failed"] + pd.Series(base, index=counts.index, dtype="int64")
    ids = counts["table"] + "." + counts["rule"] + "." + counts["column"]
    return counts.assign(id=ids.str.rstrip("."), outcome=CheckOutcome.FAILED.value, note="reading")[_ANSWER]


def with_history(now: pd.DataFrame, earlier: Sequence[tuple[str, pd.DataFrame]], cycle: str) -> pd.DataFrame:
    """``now`` (see ``current``) with ``share``, ``share_before`` (last cycle) and ``first_seen``: ``DOC_COLUMNS``.

    ``earlier``: cycle and frame of ``DOC_COLUMNS``, oldest first. ``first_seen`` is the earliest cycle in which the
    check failed in this scope, empty when it never did; ``share`` is missing without a denominator.
    """
    key = ["scope", "id"]
    told = now.assign(share=now["failed"] / now["checked"].where(now["checked"] > 0))
    before = earlier[-1][1] if earlier else told.iloc[:0]
    last = before.drop_duplicates(key).set_index(key)["share"].rename("share_before")
    told = told.join(last, on=key)
    failing = [part.loc[_failing(part), key].assign(first_seen=name) for name, part in earlier]
    failing.append(told.loc[_failing(told), key].assign(first_seen=cycle))
    first = pd.concat(failing, ignore_index=True).drop_duplicates(key).set_index(key)["first_seen"]
    told = told.join(first, on=key)
    return told.assign(first_seen=told["first_seen"].fillna("").astype("str"))[list(DOC_COLUMNS)]


def signs(
    found: pd.DataFrame, earlier: Sequence[tuple[str, pd.DataFrame]], regions: Mapping[str, str], cycle: str
) -> pd.DataFrame:
    """One row per scope and authenticity signal of ``found``: ``SIGN_COLUMNS``.

    ``found``: dealer_id, signal, evidence_rows, flagged (empty: not tested). ``earlier``: cycle and frame of the same
    columns, oldest first. Counted are dealers ``tested``, ``dealers`` flagged now with their evidence ``rows``,
    flagged in the last cycle (missing without one), flagged in both (``still``); ``first_seen``: the earliest cycle
    with a flag in this scope, empty without any. Dealers are counted where they are now (``regions``).
    """
    now, past = _scoped(found, regions), [(name, _scoped(frame, regions)) for name, frame in earlier]
    key = ["scope", "signal"]
    flagged = now[now["flagged"]]
    told = now.groupby(key)["tested"].sum().to_frame("tested")
    told["dealers"] = flagged.groupby(key).size()
    told["rows"] = flagged.groupby(key)["evidence_rows"].sum()
    told = told.fillna(0).astype("int64")
    told["dealers_before"], told["still"] = pd.NA, 0
    if past:
        before = past[-1][1]
        before = before.loc[before["flagged"], [*key, "dealer_id"]]
        both = flagged.merge(before, on=[*key, "dealer_id"])
        told["dealers_before"] = before.groupby(key).size().reindex(told.index, fill_value=0)
        told["still"] = both.groupby(key).size().reindex(told.index, fill_value=0)
    seen = [frame.loc[frame["flagged"], key].assign(first_seen=name) for name, frame in [*past, (cycle, now)]]
    first = pd.concat(seen, ignore_index=True).drop_duplicates(key).set_index(key)["first_seen"]
    told["first_seen"] = first.reindex(told.index).fillna("").astype("str")
    return told.astype({"dealers_before": "Int64"}).reset_index()[list(SIGN_COLUMNS)]


def _scoped(found: pd.DataFrame, regions: Mapping[str, str]) -> pd.DataFrame:
    """``found`` once for the nation and once for the region of each dealer, ``flagged`` and ``tested`` as booleans."""
    told = found[["dealer_id", "signal", "evidence_rows"]].assign(
        flagged=found["flagged"].fillna(False).astype(bool), tested=found["flagged"].notna()
    )
    local = told.assign(scope=told["dealer_id"].map(regions)).dropna(subset=["scope"])
    return pd.concat([told.assign(scope=NATION), local], ignore_index=True)


def _failing(checks: pd.DataFrame) -> pd.Series:
    """Which checks have failing rows, or failed without any because they are about a whole month."""
    of_month = checks["rule"].isin(telling()) & (checks["outcome"] == CheckOutcome.FAILED.value)
    return (checks["failed"] > 0) | of_month
