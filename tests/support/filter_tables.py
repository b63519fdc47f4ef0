"""Small hand-written tables of the contract for tests of the filter and the indicators."""

from __future__ import annotations

import pandas as pd

from models.catalogue.contract import PROVENANCE, contract
from tasks.compute.frames import empty_frame, lake_dtypes

#: What a row of a table has unless the test says otherwise.
USUAL = {
    "dealers": {"name": "店", "region_id": "R1"},
    "leads": {"dealer_id": "A", "series": "S1", "created_at": "2025-03-01 10:00", "status": "defeated"},
    "defeats": {"lead_id": "L1", "defeated_at": "2025-03-20 10:00"},
    "revisits": {"lead_id": "L1", "called_at": "2025-03-25 10:00", "reached": True},
    "sales": {"dealer_id": "A", "series": "S1", "sold_at": "2025-03-25 10:00", "phone_key": "p1"},
}


def frame(table: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    """A lake frame of ``table`` with these rows; columns not named are missing."""
    dtypes = {name: dtype for name, dtype in lake_dtypes(contract().tables[table]).items() if name not in PROVENANCE}
    if not rows:
        return empty_frame(dtypes)
    full = [USUAL.get(table, {}) | row for row in rows]
    columns = {name: [row.get(name) for row in full] for name in dtypes}
    return pd.DataFrame(
        {
            name: pd.Series(
                pd.to_datetime(values, format="ISO8601") if dtypes[name].startswith("datetime") else values
            ).astype(dtypes[name])
            for name, values in columns.items()
        }
    )


def tables(**rows: list[dict[str, object]]) -> dict[str, pd.DataFrame]:
    """Lake frames of all tables a test names rows of, the others empty; dealers A, B (region R1) and C (R2) exist."""
    dealers = [{"dealer_id": "A"}, {"dealer_id": "B"}, {"dealer_id": "C", "region_id": "R2"}]
    given = {"dealers": dealers} | rows
    names = ("dealers", "leads", "defeats", "revisits", "sales")
    return {name: frame(name, given.get(name, [])) for name in names}


def times(values: list[str | None]) -> pd.Series:
    """A column of times."""
    return pd.Series(pd.to_datetime(values, format="ISO8601")).astype("datetime64[us]")
