"""Indicators of the closed loop itself: were plans filed, answered, carried out, did they work (domain.md section 6).

They count plans and measures, not leads: each row of counts belongs to the month its duty fell due, or its verdict was
given, so that a month's figure never changes by what happens later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from models.enums import Scope
from tasks.compute.indicators import NATION, TABLE_COLUMNS, earlier_months

COUNT_COLUMNS = ["indicator", "month", "dealer_id", "region_id", "numerator", "denominator"]
_SCOPES: Mapping[Scope, str | None] = {Scope.NATION: None, Scope.REGION: "region_id", Scope.DEALER: "dealer_id"}


def answered(history: pd.DataFrame, asked: str, answers: Sequence[str], days: int) -> pd.DataFrame:
    """Who answered in time: one row per plan that reached the state ``asked`` and had ``days`` days to leave it.

    ``history``: events of plans in order (plan_id, at, to_state). Columns: ``plan_id, due, kept`` (whether the plan
    came into one of the ``answers`` by the end of the day ``due``). A plan that left the state otherwise by then
    (withdrawn, carried out in the dealer's own system) had no such duty and no row.
    """
    events = history[history["to_state"].notna()]
    following = events.groupby("plan_id")[["at", "to_state"]].shift(-1)
    rows = events.assign(next_at=following["at"], next_state=following["to_state"])[events["to_state"] == asked]
    due = rows["at"].dt.normalize() + pd.Timedelta(days=days)
    by_then = (rows["next_at"].dt.normalize() <= due).to_numpy(bool)
    answer = rows["next_state"].isin(list(answers)).to_numpy(bool)
    found = pd.DataFrame({"plan_id": rows["plan_id"], "due": due, "kept": by_then & answer})
    had: pd.DataFrame = found[answer | ~by_then].reset_index(drop=True)
    return had


def duty_counts(indicator: str, duties: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Counts of duties (due, kept, dealer_id, region_id) in the month they fell due; those not yet due are left out."""
    past = duties[duties["due"] < as_of]
    return pd.DataFrame(
        {
            "indicator": indicator,
            "month": past["due"].dt.strftime("%Y-%m"),
            "dealer_id": past["dealer_id"],
            "region_id": past["region_id"],
            "numerator": past["kept"].astype("float64"),
            "denominator": 1.0,
        }
    )


def loop_table(counts: pd.DataFrame, cycle: str, codes: Sequence[str]) -> pd.DataFrame:
    """Rows of the ``indicators`` of exports.md for nation, regions and dealers; ``counts`` has COUNT_COLUMNS.

    The nation has a row of every code, empty where nothing fell due; a region or dealer once anything did in the month.
    """
    months = (cycle, *earlier_months(cycle))
    tables = []
    for scope, key in _SCOPES.items():
        named = counts.assign(scope_id=NATION if key is None else counts[key])
        named = named[named["month"].isin(months) & (named["scope_id"] != "")]
        total = named.groupby(["scope_id", "indicator", "month"])[["numerator", "denominator"]].sum()
        there = [NATION] if key is None else sorted(set(named.loc[named["month"] == cycle, "scope_id"]))
        places = [(name, code) for name in there for code in codes]
        now, *before = (
            total.reindex(pd.MultiIndex.from_tuples([(*place, month) for place in places], names=total.index.names))
            for month in months
        ) if places else (total.head(0),) * 3  # fmt: skip
        values = [_value(part) for part in (now, *before)]
        tables.append(
            pd.DataFrame(
                {
                    "scope": scope.value,
                    "scope_id": [name for name, _ in places],
                    "indicator": [code for _, code in places],
                    "numerator": now["numerator"].fillna(0).to_numpy(),
                    "denominator": now["denominator"].fillna(0).to_numpy(),
                    "value": values[0],
                    "previous": values[1],
                    "same_month_last_year": values[2],
                }
            )
        )
    whole = pd.concat(tables, ignore_index=True).assign(cycle=cycle, flagged=pd.array([pd.NA], dtype="boolean")[0])
    for name in ("expected", "gap_points", "lo90", "hi90"):
        whole[name] = np.nan
    text = dict.fromkeys(("cycle", "scope", "scope_id", "indicator"), "str")
    return whole[TABLE_COLUMNS].astype(text | {"flagged": "boolean"})


def _value(total: pd.DataFrame) -> np.ndarray:
    denominator = total["denominator"].where(total["denominator"] > 0)
    return (total["numerator"] / denominator).to_numpy(dtype="float64")
