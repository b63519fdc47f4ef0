"""Texts whose reason the customer confirmed: what the text model learns from (domain.md sections 5 and 8)."""

from __future__ import annotations

import pandas as pd

from models.catalogue.reasons import valid_codes
from tasks.compute.filings import filings_of
from tasks.compute.known import Tables
from tasks.compute.revisits import calls_of, first_code, informative_calls

COLUMNS = ["text", "reason"]


def reviewed_texts(tables: Tables, history_from: pd.Timestamp | None = None) -> pd.DataFrame:
    """One row per text with the confirmed reason; columns text, reason; empty without revisits.

    Both the consultants' texts of filings that a revisit gave a reason for, and the revisit agents' own texts.
    ``tables`` as known at ``as_of``: leads, defeats, revisits.
    """
    revisits = tables.get("revisits", pd.DataFrame())
    if not len(revisits):
        return pd.DataFrame(columns=COLUMNS).astype("str")
    told = revisits[revisits["reason_codes"].notna() & revisits["reached"].fillna(False).astype(bool)]
    asked = pd.Index(told["lead_id"].unique())  # isin of text takes each value apart in Python
    called = {
        name: tables[name][asked.get_indexer(pd.Index(tables[name]["lead_id"])) >= 0].reset_index(drop=True)
        for name in ("leads", "defeats")
    }
    filings = filings_of({**tables, **called}, history_from)
    calls = calls_of(filings, told)
    confirmed = informative_calls(filings, calls)["reason"]
    filed = pd.DataFrame({"text": filings["reason_text"], "reason": confirmed})
    spoken = pd.DataFrame({"text": calls["reason_text"], "reason": first_code(calls["reason_codes"])})
    both = pd.concat([filed, spoken], ignore_index=True).dropna()
    return both[both["reason"].isin(valid_codes())].reset_index(drop=True).astype("str")
