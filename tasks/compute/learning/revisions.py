"""Did a later export change months that had been judged? Counts as judged are kept and compared each cycle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from models.catalogue.doubts import doubts

KEYS = ["indicator", "dealer_id", "month"]
JUDGED_COLUMNS = [*KEYS, "n", "x"]
REVISION_COLUMNS = [
    "indicator",
    "dealer_id",
    "judged_in",
    "months",
    "months_changed",
    "cases_then",
    "cases_now",
    "cases_changed",
    "events_then",
    "events_now",
    "noted",
]
NOTE = "judge.note.revised"


def judged_counts(
    counts: Mapping[str, pd.DataFrame], dealers: Mapping[str, Iterable[str]], months: list[str]
) -> pd.DataFrame:
    """What the judgements of a cycle rest on, JUDGED_COLUMNS: cases (n) and events (x) by dealer and month (YYYY-MM).

    ``counts``: per indicator as ``verify`` takes them, with months as places in ``months`` from 1; ``dealers``: per
    indicator those that were judged by it. A month without cases is a row of zeros: cases that come later are changes.
    """
    frames = []
    for indicator, its in dealers.items():
        part = counts[indicator]
        part = part[part["dealer_id"].isin(list(its))]
        rows = pd.MultiIndex.from_product([sorted(set(its)), range(1, len(months) + 1)], names=["dealer_id", "place"])
        keys = [part["dealer_id"].astype("str"), part["month"].rename("place")]
        added = part[["n", "x"]].groupby(keys).sum().reindex(rows, fill_value=0).reset_index()
        frames.append(added.assign(indicator=indicator, month=[months[place - 1] for place in added["place"]]))
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=JUDGED_COLUMNS)
    return table[JUDGED_COLUMNS].astype({"indicator": "str", "dealer_id": "str", "month": "str"})


def revisions(judged: Mapping[str, pd.DataFrame], now: Mapping[str, pd.DataFrame], months: list[str]) -> pd.DataFrame:
    """Judged counts that are others now, REVISION_COLUMNS: a row per indicator, dealer and cycle that judged them.

    ``judged``: cycle -> its ``judged_counts``; ``now``: this cycle's counts as for ``judged_counts``; an indicator that
    is not among them is not compared. ``months``: how many months were judged, of them months_changed; cases_changed
    adds up the differences of each month without their sign (events where the cases are the same); noted: they pass
    the limits of ``doubts.toml``.
    """
    limit = doubts().revised
    frames = [pd.DataFrame(columns=REVISION_COLUMNS)]
    for cycle, then in judged.items():
        known = then[then["indicator"].isin(list(now)) & then["month"].isin(months)]
        if known.empty:
            continue
        dealers = {str(name): list(part["dealer_id"].unique()) for name, part in known.groupby("indicator")}
        both = known.merge(judged_counts(now, dealers, months), on=KEYS, suffixes=("_then", "_now"))
        cases = (both["n_now"] - both["n_then"]).abs()
        differ = cases.where(cases > 0, (both["x_now"] - both["x_then"]).abs())
        base = both[["n_then", "n_now"]].max(axis=1).where(differ > 0, 0)
        both = both.assign(months=1, months_changed=(differ > 0).astype(int), cases_changed=differ, base=base)
        names = {"n_then": "cases_then", "n_now": "cases_now", "x_then": "events_then", "x_now": "events_now"}
        table = both.rename(columns=names).groupby(KEYS[:2], as_index=False).sum(numeric_only=True)
        table = table[table["months_changed"] > 0]
        noted = table["cases_changed"] >= np.maximum(limit.cases, limit.share * table["base"])
        frames.append(table.assign(judged_in=cycle, noted=noted)[REVISION_COLUMNS])
    found = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    return found.sort_values(["judged_in", "indicator", "dealer_id"], ignore_index=True)


def told(looks: pd.DataFrame, revised: pd.DataFrame, share: str) -> pd.DataFrame:
    """The looks, judged by ``share``, with the note and its figures where months judged before were changed since.

    Adds revised_months and revised_cases (missing where nothing is to be told). Of several earlier cycles the last
    that was changed counts.
    """
    own = revised[revised["noted"].astype(bool) & revised["indicator"].eq(share)]
    last = own.drop_duplicates("dealer_id", keep="last").set_index("dealer_id")
    figures = last[["months_changed", "cases_changed"]].astype("Int64").reindex(looks["dealer_id"])
    rows = figures["months_changed"].notna().to_numpy()
    notes = [
        ";".join(filter(None, (known, NOTE))) if row else known for known, row in zip(looks["notes"], rows, strict=True)
    ]
    return looks.assign(
        notes=notes,
        revised_months=figures["months_changed"].to_numpy(),
        revised_cases=figures["cases_changed"].to_numpy(),
    )
