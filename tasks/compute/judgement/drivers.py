"""Which reason drives a dealer's loss: the same fit per reason on defeats per lead (verification.md, diagnosis).

Defeats per lead, not shares: shares of reasons cannot add up to a gap, defeats per lead do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from models.errors import SourceError
from tasks.compute.judgement.compare import compare_panel
from tasks.compute.judgement.model import events, panel
from tasks.compute.judgement.posterior import Options

DRIVER_COLUMNS = [
    "dealer_id",
    "reason",
    "numerator",
    "denominator",
    "value",
    "expected",
    "gap_points",
    "lo90",
    "hi90",
    "rank",
]


def drivers(counts: pd.DataFrame, reasons: Sequence[str], *, options: Options | None = None) -> pd.DataFrame:
    """Every dealer's reasons by how many more deals per lead it loses to them than its peers would on its mix.

    ``counts``: dealer_id, region_id, month, cell, n (leads) and one column of defeats per reason. All months given are
    judged. Returns DRIVER_COLUMNS: gap_points = defeats per 100 leads beyond own-mix expectation, shrunk (positive =
    loses more than its peers), lo90 and hi90 its interval; rank 1 = what drives the dealer's loss. A dealer without
    leads, or a network too small to compare, has empty gaps and ranks. Raises SourceError for impossible counts.
    """
    options = options or Options()
    missing = [column for column in reasons if column not in counts.columns]
    if missing:
        raise SourceError("judge.frame.missing_column", column=missing[0], columns=", ".join(reasons))
    if not reasons:
        return pd.DataFrame(columns=DRIVER_COLUMNS)
    base = panel(counts.assign(x=0), higher_is_better=False)
    tables = []
    for reason in reasons:
        p = replace(base, x=base.n - events(counts, reason, base.n))
        tables.append(compare_panel(p, p.months, p.months, options).assign(reason=reason))
    table = pd.concat(tables, ignore_index=True)
    table["rank"] = table.groupby("dealer_id")["gap_points"].rank(method="first", ascending=False).astype("Int64")
    place = table["dealer_id"].map({dealer: i for i, dealer in enumerate(tables[0]["dealer_id"])})
    order = np.lexsort([table["rank"].fillna(len(tables)).to_numpy(float), place.to_numpy()])
    return table.iloc[order][DRIVER_COLUMNS].reset_index(drop=True)
