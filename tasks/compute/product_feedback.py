"""What dealers cannot fix, for the OEM's product, pricing and supply teams: per series and reason (domain.md 2, 5, 8).

Reasons whose leading owner is at the OEM. A series stands beside all others: the shares are of closed leads, so that
they add up to the defeat rate; they are not adjusted for who the customers are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy import stats

from models.catalogue.reasons import Reason, excluded_codes
from models.enums import Destination
from tasks.compute.difference import Z90, difference, wilson
from tasks.compute.reason_table import ALL_LEADS

#: Rates 0-1; gap and its interval (90 %) in percentage points against all other series.
FEEDBACK_DTYPES = {
    "cycle": "str",
    "series": "str",
    "reason": "str",
    "owner": "str",
    "defeats": "int64",
    "leads": "int64",
    "share": "float64",
    "lo90": "float64",
    "hi90": "float64",
    "other_defeats": "int64",
    "other_leads": "int64",
    "gap_points": "float64",
    "gap_lo90": "float64",
    "gap_hi90": "float64",
    "q_value": "float64",
    "dealers": "int64",
    "to_competitors": "int64",
    "competitors": "str",
    "price_defeats": "int64",
    "positioned_high": "int64",
}
#: The reason beside which the price split stands: what of "price too high" the figures lay to the list price.
SPLIT_REASON = "price_positioned_high"
MOST_COMPETITORS = 3


def product_feedback(
    reasons: pd.DataFrame,
    defeats: pd.DataFrame,
    cases: pd.DataFrame,
    months: Sequence[str],
    cycle: str,
    known: Mapping[str, Reason],
) -> pd.DataFrame:
    """One row per series and reason the OEM owns that cost a deal in ``months``; columns FEEDBACK_DTYPES.

    ``reasons``: ``reason_sums`` of docs/architecture.md; ``defeats`` of tasks.compute.defeat_filter; ``cases`` of
    tasks.compute.price. ``competitors``: ``brand:defeats`` joined by ``;``, at most three, the most frequent first, of
    the ``to_competitors`` defeats whose customers went to one. ``price_defeats`` and ``positioned_high`` are given with
    SPLIT_REASON only: the price defeats of the series, and those the split lays to the list price. A gap needs leads of
    other series and is missing without; q values are Benjamini and Hochberg's over the table.
    """
    owned = {code: str(entry.owners[0].value) for code, entry in known.items() if _of_oem(entry)}
    mine = reasons[reasons["month"].astype("str").isin(list(months)) & (reasons["series"].astype("str") != "")]
    mine = mine.astype({"series": "str", "reason": "str", "dealer_id": "str"})
    leads = mine[mine["reason"] == ALL_LEADS].groupby("series")["leads"].sum()
    used = mine[mine["reason"].isin(owned) & (mine["used"] > 0)].groupby(["series", "reason"])
    counts = pd.DataFrame({"defeats": used["used"].sum(), "dealers": used["dealer_id"].nunique()})
    counts = counts.join(_split(cases, months), how="outer").fillna(0).astype("int64").reset_index()
    table = counts.assign(
        cycle=cycle,
        owner=counts["reason"].map(owned),
        leads=counts["series"].map(leads).fillna(0).astype("int64"),
    )
    table = table[(table["leads"] > 0) & ((table["defeats"] > 0) | (table["positioned_high"] > 0))]
    table = table.assign(
        other_leads=int(leads.sum()) - table["leads"],
        other_defeats=table.groupby("reason")["defeats"].transform("sum") - table["defeats"],
        share=table["defeats"] / table["leads"],
    )
    table = _with_intervals(table.reset_index(drop=True))
    table = table.merge(_competitors(defeats, months, owned), on=["series", "reason"], how="left")
    table["to_competitors"] = table["to_competitors"].fillna(0)
    ordered = table.sort_values(["defeats", "series", "reason"], ascending=[False, True, True], kind="stable")
    return ordered[list(FEEDBACK_DTYPES)].astype(FEEDBACK_DTYPES).reset_index(drop=True)


def _of_oem(entry: Reason) -> bool:
    return entry.level == 2 and not entry.dealer_fixable and entry.owners[0].value.startswith("oem_")


def _split(cases: pd.DataFrame, months: Sequence[str]) -> pd.DataFrame:
    """Price defeats per series and those positioned high, under SPLIT_REASON."""
    mine = cases[cases["cycle"].isin(list(months)) & cases["series"].notna()]
    high = (mine["price_class"] == "positioned_high").groupby(mine["series"].astype("str"))
    split = pd.DataFrame({"price_defeats": high.size(), "positioned_high": high.sum()})
    return split.set_index(pd.MultiIndex.from_product([split.index, [SPLIT_REASON]], names=["series", "reason"]))


def _with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    rows, p_values = [], []
    counts = table[["defeats", "leads", "other_defeats", "other_leads"]].to_numpy(dtype="int64")
    for cases, of, other_cases, other_of in counts.tolist():
        own, other = (cases, of), (other_cases, other_of)
        gap = difference((1, *own), (-1, *other)) or (np.nan, np.nan, np.nan)
        rows.append((*(wilson(*own) or (np.nan, np.nan)), *gap))
        error = (gap[2] - gap[1]) / (2 * Z90)
        p_values.append(2 * NormalDist().cdf(-abs(gap[1] + gap[2]) / 2 / error) if error > 0 else np.nan)
    names = ["lo90", "hi90", "gap_points", "gap_lo90", "gap_hi90"]
    found = table.join(pd.DataFrame(rows, columns=names, index=table.index, dtype="float64"))
    p = np.array(p_values, dtype="float64")
    q = np.full(len(p), np.nan)
    tested = ~np.isnan(p)
    if tested.any():
        q[tested] = stats.false_discovery_control(p[tested])
    return found.assign(q_value=q)


def _competitors(defeats: pd.DataFrame, months: Sequence[str], owned: Mapping[str, str]) -> pd.DataFrame:
    """Defeats to competitors per series and reason, and the brands that got most of them."""
    lost = defeats[
        defeats["filed_month"].isin(list(months))
        & defeats["last_filing"].astype(bool)
        & ~defeats["reason"].isin(excluded_codes())
        & (defeats["destination"] == Destination.COMPETITOR.value)
        & defeats["reason"].isin(owned)
        & defeats["series"].notna()
    ].astype({"series": "str", "reason": "str"})
    keys = ["series", "reason"]
    brand = lost["competitor_brand"].fillna("").str.strip()
    named = lost.assign(brand=brand)[brand != ""].groupby([*keys, "brand"]).size().rename("rows").reset_index()
    ranked = named.sort_values([*keys, "rows", "brand"], ascending=[True, True, False, True], kind="stable")
    top = ranked.groupby(keys).head(MOST_COMPETITORS)
    texts = top.assign(competitors=top["brand"] + ":" + top["rows"].astype("str")).groupby(keys)["competitors"]
    return pd.DataFrame({"to_competitors": lost.groupby(keys).size(), "competitors": texts.agg(";".join)}).reset_index(
        names=keys
    )
