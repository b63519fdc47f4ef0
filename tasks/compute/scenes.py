"""Which leads belong to a named scene, and over which months it is judged."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from models.catalogue.scenes import FIELDS, Scene
from models.enums import Destination

#: The column of closed leads a filter looks at.
_COLUMNS = {"region": "region_id", "dealer": "dealer_id"}


def members(closed: pd.DataFrame, brands: pd.Series, scene: Scene) -> pd.DataFrame:
    """The rows of ``closed`` (tasks.compute.closings.closed_leads) that pass every filter of the scene, in any month.

    ``brands``: the competitor brand a lead was lost to, by lead id. A scene of a competitor holds the leads lost to it.
    """
    inside = pd.Series(True, index=closed.index)
    for field, values in scene.filter.values().items():
        inside &= _values(closed, brands, field).isin(values)
    return closed[inside].reset_index(drop=True)


def known_values(closed: pd.DataFrame, brands: pd.Series) -> dict[str, set[str]]:
    """The values there are for every filter."""
    return {field: set(_values(closed, brands, field).dropna().unique()) - {""} for field in FIELDS}


def _values(closed: pd.DataFrame, brands: pd.Series, field: str) -> pd.Series:
    if field != "competitor":
        return closed[_COLUMNS.get(field, field)]
    lost = closed["destination"] == Destination.COMPETITOR.value
    return closed["lead_id"].map(brands).where(lost)


def months_of(scene: Scene, window: Sequence[str], known: Sequence[str]) -> list[str]:
    """The months a scene's figures cover: from and to within the known months, else the window dealers are judged on.

    A scene that only began or only ended is open on the other side. ``known``: the months of the history, ascending.
    """
    first, last = scene.filter.first, scene.filter.last
    if not first and not last:
        return list(window)
    return [month for month in known if (first or "") <= month <= (last or known[-1])]
