"""Texts whose reason the customer confirmed: what the text model learns from (domain.md sections 5 and 8)."""

from __future__ import annotations

import pandas as pd

from models.catalogue.reasons import valid_codes
from tasks.compute.revisits import Asked, first_code

COLUMNS = ["text", "reason"]


def reviewed_texts(asked: Asked) -> pd.DataFrame:
    """One row per text with the confirmed reason; columns text, reason; empty without revisits.

    Both the consultants' texts of filings that a revisit gave a reason for, and the revisit agents' own texts.
    """
    if not len(asked.calls):
        return pd.DataFrame(columns=COLUMNS).astype("str")
    calls = asked.calls[asked.calls["reached"].fillna(False).astype(bool)]
    filed = pd.DataFrame({"text": asked.filings["reason_text"], "reason": asked.told["reason"]})
    spoken = pd.DataFrame({"text": calls["reason_text"], "reason": first_code(calls["reason_codes"])})
    both = pd.concat([filed, spoken], ignore_index=True).dropna()
    return both[both["reason"].isin(valid_codes())].reset_index(drop=True).astype("str")
