"""Why customers were lost: reasons per scope, declared, confirmed and used (domain.md sections 5, 6 and 8).

A reason is counted for the lead's last filing, in the month the lead closed. ``per_lead`` divides by all leads closed,
so that the reasons of a dealer add up to its defeat rate as filed (verification.md: shares would not).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models.catalogue.reasons import catalogue, excluded_codes
from models.enums import Scope
from tasks.compute.fact_sums import added_up, stacked
from tasks.compute.indicators import NATION

KEYS = ("month", "dealer_id", "region_id", "series", "source", "reason")
COUNTS = ("declared", "confirmed", "used", "leads")
#: The reason under which ``leads`` are kept: closed leads that count in rates.
ALL_LEADS = ""
TABLE_COLUMNS = [
    "cycle",
    "scope",
    "scope_id",
    "reason",
    "level",
    "declared",
    "confirmed",
    "defeats",
    "per_lead",
    "gap_points",
    "lo90",
    "hi90",
    "driver_rank",
]
_SCOPE_KEYS = {
    Scope.NATION: None,
    Scope.REGION: "region_id",
    Scope.DEALER: "dealer_id",
    Scope.SERIES: "series",
    Scope.SOURCE: "source",
}
_FACTS = {"declared": "declared_reason", "confirmed": "confirmed_reason", "used": "reason"}


def reason_sums(facts: pd.DataFrame) -> pd.DataFrame:
    """Counts per month, cell and reason (frame ``reason_sums`` of docs/architecture.md), additive.

    ``facts`` of tasks.compute.lead_facts. One row per KEYS with ``declared, confirmed, used`` (filings by each of the
    three, also of leads that leave the rates by their used reason) and ``leads``: closed leads that count, under the
    reason ALL_LEADS only. Keys are categories; a filing without a reason is in no row.
    """
    closed = facts[facts["closed_month"].notna()].rename(columns={"closed_month": "month"})
    cells = list(KEYS[:-1])
    parts = []
    for count, fact in _FACTS.items():
        filed = closed[(closed["defeated"] == 1) & closed[fact].notna()]
        parts.append(_counted(filed[cells].assign(reason=filed[fact]), count))
    parts.append(_counted(closed.loc[closed["counted"], cells].assign(reason=ALL_LEADS), "leads"))
    return merge_reason_sums(parts)


def _counted(rows: pd.DataFrame, count: str) -> pd.DataFrame:
    """The rows with a 1 under ``count`` and 0 under the other counts."""
    return rows.assign(**{name: np.int32(name == count) for name in COUNTS})


def merge_reason_sums(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Several sums of reasons as one, added up per month, cell and reason, in the order of their keys."""
    return added_up(stacked(parts, KEYS), KEYS)


def reason_table(sums: pd.DataFrame, cycle: str) -> pd.DataFrame:
    """The ``reasons`` of exports.md for ``cycle``: level-1 and level-2 rows with any count, for every scope.

    ``declared, confirmed, defeats`` (by the used reason) are counts. A level-1 row adds up its level-2 rows and the
    filings that name no more than the level. ``per_lead``: defeats per closed lead; missing for the codes that leave
    all rates, which a level-1 row's ``per_lead`` leaves out too. ``gap_points, lo90, hi90, driver_rank`` stay empty:
    the comparison of dealers fills them.
    """
    month = sums[sums["month"] == cycle].astype(dict.fromkeys(KEYS, "str") | dict.fromkeys(COUNTS, "int64"))
    tables = [_scope_table(scope, key, month) for scope, key in _SCOPE_KEYS.items()]
    result = pd.concat(tables, ignore_index=True).assign(cycle=cycle)
    for name in ("gap_points", "lo90", "hi90"):
        result[name] = np.nan
    result["driver_rank"] = pd.Series(pd.NA, index=result.index, dtype="Int64")
    return result[TABLE_COLUMNS].astype(dict.fromkeys(("cycle", "scope", "scope_id", "reason"), "str"))


def _scope_table(scope: Scope, key: str | None, month: pd.DataFrame) -> pd.DataFrame:
    named = month.assign(scope_id=NATION if key is None else month[key])
    named = named[named["scope_id"] != ""]
    leads = named.groupby("scope_id")["leads"].sum()
    counts = named[named["reason"] != ALL_LEADS].groupby(["scope_id", "reason"], as_index=False)[list(_FACTS)].sum()
    known = catalogue()
    counts["rated"] = counts["used"].where(~counts["reason"].isin(excluded_codes()), 0)
    level2 = counts[counts["reason"].map(lambda code: known[code].level == 2)].assign(level=2)
    level1 = counts.assign(reason=counts["reason"].map({code: reason.level1 for code, reason in known.items()}))
    level1 = level1.groupby(["scope_id", "reason"], as_index=False)[[*_FACTS, "rated"]].sum().assign(level=1)
    rows = pd.concat([level1, level2], ignore_index=True).sort_values(
        ["scope_id", "level", "reason"], kind="stable", ignore_index=True
    )
    excluded = rows["reason"].isin(excluded_codes())
    base = rows["scope_id"].map(leads).astype("float64")
    return rows.assign(
        scope=scope.value, defeats=rows["used"], per_lead=(rows["rated"] / base.where(base > 0)).mask(excluded)
    )
