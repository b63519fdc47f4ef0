"""The filings of defeats with what their lead says of them (domain.md sections 5 and 14: an append-only history)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tasks.compute.known import Tables
from tasks.compute.places import places

_OF_LEAD = (
    "consultant_id",
    "source",
    "series",
    "created_at",
    "first_contact_at",
    "visited_at",
    "test_drive_at",
    "quoted_at",
    "ordered_at",
    "last_contact_at",
    "status",
    "contact_count",
    "phone_key",
)
_OF_FILING = (
    "destination",
    "competitor_brand",
    "reason_code",
    "reason_text",
    "reviewed_at",
)
#: The dealer of rows whose dealer is not known (domain.md section 14).
UNASSIGNED = "_unassigned"


def filings_of(tables: Tables, history_from: pd.Timestamp | None = None) -> pd.DataFrame:
    """One row per filing from ``history_from`` on (all when None), ordered by time of filing and lead.

    A lead whose status is defeated and that has no row in ``defeats`` is filed by its own ``defeated_at``, destination
    and reason unknown. Filings of leads that are not there are left out. Columns: ``lead_id, lead_row`` (position in
    ``leads``), ``dealer_id, region_id, filed_at``, the columns of lead and filing that the filter reads, and

    - ``last_filing``: no later filing of the lead is known
    - ``reactivated``: the lead was opened again after this filing: filed again, won, or open now
    - ``reopened_at``: the first known sign of that; missing when only the status says so
    """
    leads = tables["leads"]
    filed = _explicit(tables, leads)
    defeated = (leads["status"] == "defeated") & leads["defeated_at"].notna()
    silent = np.flatnonzero(defeated.to_numpy() & ~np.isin(np.arange(len(leads)), filed["lead_row"].to_numpy()))
    implicit = pd.DataFrame({"lead_row": silent, "filed_at": leads["defeated_at"].to_numpy()[silent]})
    implicit = implicit.reindex(columns=filed.columns).astype(filed.dtypes.to_dict())
    rows = pd.concat([filed, implicit], ignore_index=True)
    rows["lead_id"] = leads["lead_id"].to_numpy()[rows["lead_row"]]
    rows = rows.sort_values(["filed_at", "lead_id"], kind="stable", ignore_index=True)
    rows["next_filing"] = rows.groupby("lead_row")["filed_at"].shift(-1)
    if history_from is not None:
        rows = rows[rows["filed_at"] >= history_from].reset_index(drop=True)
    of_lead = leads[[*_OF_LEAD, "dealer_id"]].take(rows["lead_row"].to_numpy()).reset_index(drop=True)
    rows = pd.concat([rows, of_lead], axis=1)
    rows["dealer_id"] = rows["dealer_id"].fillna(UNASSIGNED)
    rows["region_id"] = region_of(tables, rows["dealer_id"])
    return _reopened(rows)


def regions(tables: Tables) -> pd.Series:
    """The region of each dealer, indexed by dealer."""
    dealers = tables["dealers"].drop_duplicates("dealer_id", keep="last")
    return pd.Series(dealers["region_id"].to_numpy(), index=pd.Index(dealers["dealer_id"]), dtype="str")


def region_of(tables: Tables, dealer_id: pd.Series) -> pd.Series:
    """The region of every row's dealer, missing where it is not known; the index of ``dealer_id``."""
    known = regions(tables)
    region = known.array.take(places(known.index.to_series(), dealer_id), allow_fill=True)
    return pd.Series(region, index=dealer_id.index, dtype="str")


def _explicit(tables: Tables, leads: pd.DataFrame) -> pd.DataFrame:
    defeats = tables["defeats"]
    lead_row = places(leads["lead_id"], defeats["lead_id"])
    known = (lead_row >= 0) & defeats["defeated_at"].notna().to_numpy()
    filed: pd.DataFrame = defeats.loc[known, list(_OF_FILING)].reset_index(drop=True)
    return filed.assign(lead_row=lead_row[known], filed_at=defeats["defeated_at"].to_numpy()[known])


def _reopened(rows: pd.DataFrame) -> pd.DataFrame:
    """Adds ``last_filing``, ``reactivated`` and ``reopened_at``."""
    last = rows["next_filing"].isna()
    rows["last_filing"] = last
    rows["reactivated"] = ~last | rows["status"].isin(["open", "won"])
    signs = [
        rows[time].where(rows[time] > rows["filed_at"])
        for time in ("visited_at", "test_drive_at", "quoted_at", "ordered_at", "next_filing")
    ]
    first_sign = pd.concat(signs, axis=1).min(axis=1)
    contact = rows["last_contact_at"].where(rows["last_contact_at"] > rows["filed_at"])
    rows["reopened_at"] = first_sign.fillna(contact).where(rows["reactivated"])
    return rows.drop(columns="next_filing")
