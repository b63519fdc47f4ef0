"""Where defeated customers went: competitors per series, destinations per series (domain.md section 8; 001's table).

Both count leads closed in the month by their last filing, by the filter's destination, leads out of the rates left out.
"""

from __future__ import annotations

import pandas as pd

from models.enums import Destination
from tasks.compute.indicators import earlier_months

_MOMENTS = ("defeats", "defeats_previous", "defeats_last_year")
COMPETITOR_COLUMNS = ["cycle", "series", "competitor_brand", *_MOMENTS, "top_reasons"]
DESTINATION_COLUMNS = ["cycle", "series", "destination", *_MOMENTS]
#: The name under which defeats to a competitor whose brand nobody noted are listed.
UNNAMED = ""


def competitor_table(defeats: pd.DataFrame, cycle: str, reasons: int = 3) -> pd.DataFrame:
    """The ``competitors`` of exports.md: defeats per series and brand in this month, the one before and a year before.

    ``defeats`` of tasks.compute.defeat_filter. ``top_reasons``: the most frequent used reasons of this month, at most
    ``reasons`` of them, joined by ``;`` (the most frequent first, then by code). A brand nobody noted is empty text.
    """
    lost = _counted(defeats)
    lost = lost[lost["destination"] == Destination.COMPETITOR.value]
    lost = lost.assign(competitor_brand=lost["competitor_brand"].fillna(UNNAMED).str.strip())
    table = _per_month(lost, cycle, "competitor_brand")
    now = lost[(lost["filed_month"] == cycle) & lost["reason"].notna()]
    ranked = now.groupby(["series", "competitor_brand", "reason"]).size().rename("rows").reset_index()
    ranked = ranked.sort_values(["rows", "reason"], ascending=[False, True], kind="stable")
    top = ranked.groupby(["series", "competitor_brand"]).head(reasons)
    texts = top.groupby(["series", "competitor_brand"])["reason"].agg(";".join).rename("top_reasons").reset_index()
    return table.merge(texts, on=["series", "competitor_brand"], how="left")[COMPETITOR_COLUMNS]


def destination_table(defeats: pd.DataFrame, cycle: str) -> pd.DataFrame:
    """Defeats per series and destination (false defeats have none) in this month, the one before and a year before."""
    lost = _counted(defeats)
    return _per_month(lost[lost["destination"].notna()], cycle, "destination")[DESTINATION_COLUMNS]


def _counted(defeats: pd.DataFrame) -> pd.DataFrame:
    return defeats[defeats["last_filing"] & defeats["counted"] & defeats["series"].notna()]


def _per_month(lost: pd.DataFrame, cycle: str, by: str) -> pd.DataFrame:
    """One row per series and value of ``by`` in any of the three months, most defeats of this month first."""
    months = dict(zip((cycle, *earlier_months(cycle)), _MOMENTS, strict=True))
    rows = lost[lost["filed_month"].isin(list(months))]
    counts = rows.groupby(["series", by, "filed_month"]).size().unstack("filed_month", fill_value=0)
    table = counts.reindex(columns=list(months), fill_value=0).rename(columns=months).reset_index()
    table.columns.name = None
    table = table.astype(dict.fromkeys(_MOMENTS, "int64")).assign(cycle=cycle)
    return table.sort_values(["series", "defeats", by], ascending=[True, False, True], kind="stable", ignore_index=True)
