"""The same customer in several rows: leads and sales joined by the keyed hash of the phone (domain.md sections 7, 14).

Everything works on integer phone codes and on the few phones that occur more than once, so that a million leads take
seconds and a number carried by thousands of rows costs no more than others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.catalogue.filter_rules import FilterRules
from tasks.compute.days import days_between

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Phones:
    """A code per lead and per sale, the same for the same phone; -1 where the phone is missing or identifies nobody."""

    leads: Codes
    sales: Codes


def phones(leads: pd.DataFrame, sales: pd.DataFrame, max_leads: int) -> Phones:
    """Phone codes of ``leads`` and ``sales``; a phone on more than ``max_leads`` leads or sales identifies nobody."""
    both = pd.concat([leads["phone_key"], sales["phone_key"]], ignore_index=True)
    codes, distinct = pd.factorize(both)
    found = Phones(codes[: len(leads)].astype("int64"), codes[len(leads) :].astype("int64"))
    shared = np.zeros(len(distinct) + 1, dtype=bool)
    for part in (found.leads, found.sales):
        shared |= np.bincount(part[part >= 0], minlength=len(shared)) > max_leads
    return Phones(*(np.where((part >= 0) & ~shared[part], part, -1) for part in (found.leads, found.sales)))


def sales_evidence(
    filings: pd.DataFrame, sales: pd.DataFrame, sale_phones: Codes, rules: FilterRules
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sale that proves a purchase here, and the one that proves it elsewhere, per filing.

    ``filings``: number as index; ``phone, lead_id, dealer_id, created_at, filed_at``. Both results are indexed by
    filing with ``sale_id, dealer_id, days`` (from filing to sale): the sale nearest to the filing, then the smallest
    id. A sale counts when it is of a customer type of the rules (or of none), made after the lead's creation and within
    the window around the filing. Where either side lacks a usable phone, the sale's own ``lead_id`` joins them.
    """
    usable = sales["customer_type"].isna() | sales["customer_type"].isin(rules.sales.customer_types)
    sold = sales[["sale_id", "dealer_id", "sold_at", "lead_id"]].assign(phone=sale_phones)[
        usable & sales["sold_at"].notna()
    ]
    asked = filings[["lead_id", "dealer_id", "created_at", "filed_at", "phone"]].rename_axis("filing").reset_index()
    by_phone = _pairs(asked, sold)
    named = sold[sold["lead_id"].notna()]
    by_lead = pd.concat(
        [
            left.merge(right, on="lead_id", suffixes=("", "_other"))
            for left, right in (
                (asked[asked["phone"] < 0], named),
                (asked[asked["phone"] >= 0], named[named["phone"] < 0]),
            )
        ]
    )
    columns = ["filing", "dealer_id", "created_at", "filed_at", "sale_id", "dealer_id_other", "sold_at"]
    pairs = pd.concat([by_phone[columns], by_lead[columns]], ignore_index=True)
    days = days_between(pairs["filed_at"], pairs["sold_at"])
    after_creation = days_between(pairs["created_at"], pairs["sold_at"]) >= 0
    within = days.between(-rules.sales.days_before, rules.sales.days_after)
    evidence = pairs.assign(days=days, distance=days.abs())[within & after_creation]
    evidence = evidence.sort_values(["distance", "sale_id"], kind="stable").rename(columns={"dealer_id": "own"})
    evidence = evidence.rename(columns={"dealer_id_other": "dealer_id"})
    here = evidence["dealer_id"] == evidence["own"]
    result = ["sale_id", "dealer_id", "days"]
    return _first(evidence[here], result), _first(evidence[~here], result)


def lead_evidence(
    filings: pd.DataFrame, leads: pd.DataFrame, lead_phones: Codes, rules: FilterRules
) -> dict[str, pd.DataFrame]:
    """Other leads of the same phone that speak about a filing; keys are the rules of the filter they support.

    - ``later_lead_here``: created at this dealer after the filing, within the window, whatever became of it
    - ``sister_won``: at another dealer, won no earlier than late paperwork allows and after this lead's creation
    - ``sister_open``: at another dealer and still open

    Each frame is indexed by filing with ``lead_id, dealer_id, days`` (from the filing to the lead's creation, for
    ``sister_won`` to its order): the earliest of them, then the smallest id.
    """
    columns = ["lead_id", "dealer_id", "created_at", "ordered_at", "status"]
    other = leads[columns].assign(phone=lead_phones)
    asked = filings[["lead_id", "dealer_id", "created_at", "filed_at", "phone"]].rename_axis("filing").reset_index()
    pairs = _pairs(asked, other[other["phone"].duplicated(keep=False)])
    pairs = pairs[pairs["lead_id"] != pairs["lead_id_other"]].rename(
        columns={"dealer_id": "own", "lead_id": "own_lead"}
    )
    pairs = pairs.rename(columns={"lead_id_other": "lead_id", "dealer_id_other": "dealer_id"})
    here = pairs["own"] == pairs["dealer_id"]
    until_created = days_between(pairs["filed_at"], pairs["created_at_other"])
    until_ordered = days_between(pairs["filed_at"], pairs["ordered_at"])
    later = here & (pairs["created_at_other"] > pairs["created_at"])
    later &= until_created.between(0, rules.later_lead.days_after)
    won = ~here & (pairs["status"] == "won") & (until_ordered >= -rules.sales.days_before)
    won &= (until_created <= rules.sister_lead.days_after) & (
        days_between(pairs["created_at"], pairs["ordered_at"]) >= 0
    )
    still_open = ~here & (pairs["status"] == "open")
    found = {"later_lead_here": (later, until_created), "sister_won": (won, until_ordered)}
    found["sister_open"] = (still_open, until_created)
    result = ["lead_id", "dealer_id", "days"]
    return {
        rule: _first(pairs.assign(days=days)[holds].sort_values(["days", "lead_id"], kind="stable"), result)
        for rule, (holds, days) in found.items()
    }


def _pairs(asked: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Every asked row with every other row of the same phone; a missing phone joins nothing."""
    left = asked[(asked["phone"] >= 0) & asked["phone"].isin(other["phone"])]
    return left.merge(other[other["phone"].isin(left["phone"])], on="phone", suffixes=("", "_other"))


def _first(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return rows.drop_duplicates("filing").set_index("filing")[columns]
