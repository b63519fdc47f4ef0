"""Sums made from lead facts, and sums stored from a small frame, for tests of what reads them."""

from __future__ import annotations

import pandas as pd

from models.catalogue.indicators import Base, indicators
from tasks.compute.fact_sums import KEYS, MONTH_COLUMN, fact_sums, facts_of
from tasks.results import Results
from tasks.sums import write_contents, write_month


def store(results: Results, sums: pd.DataFrame, base: Base = Base.CLOSING) -> None:
    """Store wide sums (``month``, some of KEYS, facts) as the step measure does; keys not named are empty text."""
    others = {name: 0 for name in facts_of(base, indicators().summed) if name not in sums}
    keyed = sums.assign(**{name: "" for name in KEYS if name not in sums}, **others)
    keyed = keyed.astype(dict.fromkeys(KEYS, "category"))
    months = {str(month): part for month, part in keyed.groupby("month", observed=True)}
    for month, part in months.items():
        write_month(results, base, month, part)
    write_contents(results, [(base, month, len(part)) for month, part in months.items()])


def sums_of(facts: pd.DataFrame, still_open: pd.DataFrame | None = None) -> dict[Base, pd.DataFrame]:
    """The wide sums of every base; the base at month end only with its facts."""
    rows = {base: still_open if base is Base.MONTH_END else facts for base in MONTH_COLUMN}
    return {
        base: fact_sums(frame, base, facts_of(base, indicators().summed))
        for base, frame in rows.items()
        if frame is not None
    }
