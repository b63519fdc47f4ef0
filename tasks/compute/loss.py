"""Why and where a deal was lost: the reason used, the stage by the timestamps (domain.md sections 5 and 14)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.catalogue.filter_rules import FilterRules
from models.catalogue.reasons import catalogue
from models.catalogue.text_rules import text_rules
from models.enums import LossStage
from tasks.compute.text_coding import Model, code_texts, coder

# The furthest stage that was reached counts; before a visit the source decides.
_STAGE_TIMES = (
    (LossStage.WAITING, "ordered_at"),
    (LossStage.NEGOTIATION, "quoted_at"),
    (LossStage.TEST_DRIVE, "test_drive_at"),
    (LossStage.VIEWING, "visited_at"),
)
_NEVER_SPOKEN = ("record_out_of_reach", "record_invalid_contact")


def used_reason(declared: pd.Series, confirmed: pd.Series, text: pd.Series, model: Model | None = None) -> pd.DataFrame:
    """The reason that counts of each filing and where it comes from, index as given.

    Columns: ``reason``, ``reason_source`` (one of models.catalogue.text_rules.SOURCES, missing without a reason), and
    how a text was coded: ``reason_phrase`` (the keyword) or ``reason_probability`` (the model's). The order of sources
    is data: confirmed first; else what the text points to where the declared reason says too little; else the declared.
    """
    rules, known = text_rules(), catalogue()
    open_codes = {code for code, entry in known.items() if entry.level1 in rules.open_to_text.levels}
    open_codes |= set(rules.open_to_text.codes)
    asked = confirmed.isna() & (declared.isna() | declared.isin(open_codes)) & text.notna()
    coded = code_texts(text[asked], coder(), model).reindex(text.index)
    found = {
        "confirmed": confirmed,
        "text": coded["code"].where(coded["origin"] == "text"),
        "model": coded["code"].where(coded["origin"] == "model"),
        "declared": declared,
    }
    sources = [found[name].astype("str") for name in rules.precedence]
    reason = sources[0]
    for source in sources[1:]:
        reason = reason.fillna(source)
    origin = np.select([source.notna() for source in sources], list(rules.precedence), default="")
    decided = pd.Series(origin, index=text.index, dtype="str")
    return pd.DataFrame(
        {
            "reason": reason,
            "reason_source": decided.where(decided != ""),
            "reason_phrase": coded["phrase"].where(decided == "text"),
            "reason_probability": coded["probability"].where(decided == "model"),
        }
    )


def stage(filings: pd.DataFrame, rules: FilterRules) -> pd.Series:
    """The stage at which the deal was lost, from what had happened by the day of filing.

    The furthest of order, quote, test drive and visit; without any, ``online`` when the source is an online one and no
    contact succeeded (none attempted, or filed as out of reach or with an invalid contact), else ``before_visit``.
    """
    day = filings["filed_at"].dt.normalize() + pd.Timedelta(days=1)
    reached = [(filings[time] < day).to_numpy() for _, time in _STAGE_TIMES]
    attempts = filings["contact_count"].fillna(filings["first_contact_at"].notna().astype("Int64"))
    unspoken = (attempts == 0).to_numpy(dtype=bool) | filings["reason_code"].isin(_NEVER_SPOKEN).to_numpy()
    online = online_source(filings["source"], rules).to_numpy() & unspoken
    words = [word.value for word, _ in _STAGE_TIMES]
    chosen = np.select([*reached, online], [*words, LossStage.ONLINE.value], default=LossStage.BEFORE_VISIT.value)
    return pd.Series(chosen, index=filings.index, dtype="str")


def online_source(sources: pd.Series, rules: FilterRules) -> pd.Series:
    """Whether each source is one through which a customer comes without meeting anybody."""
    rows, distinct = pd.factorize(sources)
    plain = [str(source).strip().casefold() for source in distinct]
    words, fragments = set(rules.online.words), rules.online.fragments
    online = [source in words or any(fragment in source for fragment in fragments) for source in plain]
    return pd.Series(np.array([*online, False], dtype=bool)[rows], index=sources.index)
