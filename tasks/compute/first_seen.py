"""Which load first brought a filing: what shows, without any clock, that it was filed late and dated back.

A load is one reading of a source that brings filings; the corrections of dealers are none. That a filing was missing
from an earlier load which reached beyond it is a fact of the data; when files were loaded says nothing in a backfill
(domain.md sections 4 and 12). The checks conclude (``expectations.helpers``, ``unseen_days``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

import numpy as np
import pandas as pd

from models.catalogue.contract import FILE_COLUMN
from tasks.compute.corrections import FOLDER

#: One row per filing ever received: its key; ``load``: the load that first brought it, from 1, and 0 where that is
#: not known (a correction brought it); ``reach``: the last moment the data of that load reach, missing where unknown.
FIRST_SEEN_DTYPES: Mapping[str, str] = MappingProxyType(
    {"lead_id": "str", "defeated_at": "datetime64[us]", "load": "int64", "reach": "datetime64[us]"}
)
KEY = ("lead_id", "defeated_at")


def first_seen(before: pd.DataFrame, filings: pd.DataFrame, reach: datetime | None) -> pd.DataFrame:
    """``before`` with the filings that are new in this load; the same filings again change nothing.

    ``filings``: all rows of ``defeats`` as folded now; ``reach``: how far the data of this load reach. A filing whose
    time was changed (its lead had one that is no longer there) is as old as the one it replaced.
    """
    keys = filings.loc[filings["lead_id"].notna(), [*KEY, FILE_COLUMN]]
    known, came = _numbers(before, keys)
    new = ~np.isin(came, known) & ~pd.Series(came).duplicated().to_numpy()
    fresh = keys[new].reset_index(drop=True)
    if fresh.empty:
        return before
    gone = before[~np.isin(known, came)].sort_values("load").drop_duplicates("lead_id").set_index("lead_id")
    moved = fresh["lead_id"].isin(gone.index).to_numpy()
    load = np.where(fresh[FILE_COLUMN].str.startswith(FOLDER), 0, before["load"].max() + 1 if len(before) else 1)
    reached = pd.Series(pd.NaT if reach is None else reach, index=fresh.index, dtype="datetime64[us]")
    earlier = gone.reindex(fresh["lead_id"])
    fresh["load"] = np.where(moved, earlier["load"].fillna(0).to_numpy("int64"), load)
    fresh["reach"] = np.where(moved, earlier["reach"].to_numpy(), reached.where(load > 0).to_numpy())
    parts = [part for part in (before, fresh[list(FIRST_SEEN_DTYPES)]) if len(part)]
    return pd.concat(parts, ignore_index=True).astype(dict(FIRST_SEEN_DTYPES))


def _numbers(*frames: pd.DataFrame) -> list[np.ndarray]:
    """The keys of the frames as numbers that are equal where the keys are."""
    whole = pd.concat([frame[[*KEY]] for frame in frames], ignore_index=True)
    lead, _ = pd.factorize(whole["lead_id"])
    moment, moments = pd.factorize(whole["defeated_at"].to_numpy("datetime64[us]").astype("int64"))
    return np.split(lead * (len(moments) + 1) + moment, np.cumsum([len(frame) for frame in frames])[:-1])
