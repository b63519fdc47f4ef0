"""The leads that closed in some months, as analyses take them (closing-month base; domain.md section 3)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from tasks.compute.days import month_of
from tasks.compute.filings import UNASSIGNED, region_of
from tasks.compute.known import Tables
from tasks.compute.places import places

_OF_FILING = ("filed_at", "declared_reason", "confirmed_reason", "reason", "destination", "counted")


def closed_leads(tables: Tables, defeats: pd.DataFrame, months: Collection[str]) -> pd.DataFrame:
    """One row per lead that closed in ``months`` and counts in rates, as tasks.compute.lead_facts closes leads.

    ``tables`` as known at ``as_of`` (dealers, leads); ``defeats`` of tasks.compute.defeat_filter for the same tables. A
    won lead closes when it was ordered, a defeated one by its last filing. Columns: those of ``leads``, ``month``
    (``YYYY-MM``), ``region_id``, ``won`` (else defeated), and of the filing ``filed_at, declared_reason,
    confirmed_reason, reason, destination`` (the filter's; all missing for won leads). A missing dealer is
    ``_unassigned``.
    """
    leads = tables["leads"]
    last = defeats[defeats["last_filing"]]
    place = places(last["lead_id"], leads["lead_id"])
    won = (leads["status"] == "won").to_numpy(dtype=bool)
    own = leads["defeated_at"].where(leads["status"] == "defeated")
    found = np.flatnonzero(place >= 0)
    filed = own.copy()
    filed.iloc[found] = last["filed_at"].to_numpy()[place[found]]
    closed = month_of(leads["ordered_at"].where(won, filed))
    leaves = np.append(~last["counted"].to_numpy(dtype=bool), False)  # the rates; a lead without filing never does
    rows = np.flatnonzero(closed.isin(list(months)).to_numpy() & ~leaves[place])
    filing = last[list(_OF_FILING)].reset_index(drop=True).reindex(place[rows]).reset_index(drop=True)
    result = leads.take(rows).reset_index(drop=True)
    result = pd.concat([result, filing], axis=1).assign(month=closed.to_numpy()[rows], won=won[rows])
    result["month"] = result["month"].astype("str")
    result["dealer_id"] = result["dealer_id"].fillna(UNASSIGNED)
    result["region_id"] = region_of(tables, result["dealer_id"])
    return result
