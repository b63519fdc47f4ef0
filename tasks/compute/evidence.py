"""The evidence behind a verdict: as JSON in the results, as a sentence for people (models/locales/filter.toml).

Evidence names leads, sales, dealers and days; never a phone or a name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from json.encoder import encode_basestring

import numpy as np
import pandas as pd

from models.messages import DEFAULT_LOCALE, text

# What the sentence of each rule needs; rules not listed need nothing.
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "sale_here": ("sale_id", "days"),
    "won_here": ("days",),
    "sale_elsewhere": ("sale_id", "dealer_id", "days"),
    "revisit_bought_here": ("called_on",),
    "revisit_competitor": ("called_on",),
    "revisit_same_brand": ("called_on",),
    "revisit_bought": ("called_on",),
    "revisit_not_purchased": ("called_on",),
    "sister_won": ("lead_id", "dealer_id", "days"),
    "later_lead_here": ("lead_id", "days"),
    "sister_open": ("lead_id", "dealer_id"),
    "premature": ("contacts", "days"),
    "out_of_reach": ("contacts",),
}


def evidence_json(rule: pd.Series, details: Mapping[str, pd.DataFrame], lacking: pd.Series) -> pd.Series:
    """One JSON object per filing: ``rule``, the ids and whole days its sentence needs, ``lacking`` where evidence was.

    ``details`` has per rule a frame of what was found, in the order of ``rule``.
    """
    result = np.empty(len(rule), dtype=object)
    names = rule.to_numpy(dtype=object)
    for name in pd.unique(names):
        rows = np.flatnonzero(names == name)
        parts = np.full(len(rows), f'{{"rule": "{name}"', dtype=object)
        for column in _NEEDS.get(name, ()):
            parts = parts + f', "{column}": ' + _json_values(details[name][column].iloc[rows])
        result[rows] = parts
    lists = {texts: f', "lacking": {json.dumps(texts.split(";"))}}}' if texts else "}" for texts in lacking.unique()}
    endings = lacking.map(lists).to_numpy(dtype=object)
    return pd.Series(result + endings, index=rule.index, dtype="str")


def _json_values(values: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Each value as JSON: days and counts as whole numbers, ids and dates as text."""
    if pd.api.types.is_numeric_dtype(values):
        whole = np.floor(values.to_numpy(dtype="float64") + 1e-9).astype("int64")
        return whole.astype(str).astype(object)
    return np.array([encode_basestring(value) for value in values], dtype=object)


def evidence_text(evidence: str, locale: str = DEFAULT_LOCALE) -> str:
    """The evidence as people read it: the sentence of the deciding rule, then what was lacking."""
    content = json.loads(evidence)
    lacking = content.pop("lacking", [])
    sentences = [text(f"filter.rule.{content.pop('rule')}", locale, **content)]
    sentences += [text(f"filter.lacking.{name}", locale) for name in lacking]
    return ("" if locale.startswith("zh") else " ").join(sentences)
