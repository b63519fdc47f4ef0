"""What the programme comes to: close rate with and without the loop, extra deals, and what they cost in work."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tasks.compute.learning.check import Check, gained, missing


def with_and_without(counts: pd.DataFrame, first: int, network: Check) -> list[Check]:
    """Close rate of the network with the loop and without it, percent, and the extra deals between them.

    ``counts``: close-rate counts; ``first``: month the first measure started; ``network``: programme_network, points
    over all leads since then, whose interval bounds the rate without the loop and the extra deals.
    """
    names = ("close_rate_with", "close_rate_without", "extra_deals")
    since = counts[counts["month"] >= first]
    leads, won = float(since["n"].sum()), float(since["x"].sum())
    if np.isnan(network.value) or leads == 0:
        return [missing(name, cases=int(leads)) for name in names]
    rate = 100 * won / leads
    word = gained(network.lo90, network.hi90)
    each = leads / 100  # deals per point
    return [
        Check(names[0], rate, np.nan, np.nan, np.nan, int(leads), "learning.verdict.for_information"),
        Check(names[1], rate - network.value, rate - network.hi90, rate - network.lo90, np.nan, int(leads), word),
        Check(names[2], each * network.value, each * network.lo90, each * network.hi90, 0.0, int(leads), word),
    ]


def costs(efforts: pd.DataFrame, deals: Check, cost_per_hour: float | None = None) -> list[Check]:
    """Dealers' hours per closed plan and per extra deal, and money per extra deal.

    ``efforts``: a row per measure carried out: plan_id, closed (the plan is), hours (missing = nobody stated them);
    ``deals``: extra_deals. Without the hours of every measure there is no figure, and the verdict says so: a sum over
    those that are known would be too small. Where the loop may have brought no deal at all, the cost has no upper end.
    """
    names = ("hours_per_closed_plan", "hours_per_extra_deal", "cost_per_extra_deal")
    if efforts.empty:
        return [missing(name) for name in names]
    if efforts["hours"].isna().any():
        return [missing(name, cases=int(efforts["hours"].notna().sum()), verdict="no_hours") for name in names]
    closed = efforts[efforts["closed"].astype(bool)]
    plans = closed["plan_id"].nunique()
    found = [missing(names[0])]
    if plans:
        each = float(closed["hours"].sum()) / plans
        found = [Check(names[0], each, np.nan, np.nan, np.nan, plans, "learning.verdict.for_information")]
    found.append(_per_deal(names[1], float(efforts["hours"].sum()), deals, len(efforts)))
    if cost_per_hour is None:
        return [*found, missing(names[2], cases=len(efforts), verdict="no_cost")]
    return [*found, _per_deal(names[2], cost_per_hour * float(efforts["hours"].sum()), deals, len(efforts))]


def _per_deal(name: str, total: float, deals: Check, cases: int) -> Check:
    if np.isnan(deals.value):
        return missing(name, cases=cases)
    if deals.hi90 <= 0:
        return missing(name, cases=cases, verdict="no_deals")
    value = total / deals.value if deals.value > 0 else np.nan
    bounded = deals.lo90 > 0
    word = "for_information" if bounded else "unbounded"
    high = total / deals.lo90 if bounded else np.nan
    return Check(name, value, total / deals.hi90, high, np.nan, cases, f"learning.verdict.{word}")
