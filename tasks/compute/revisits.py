"""What defeated customers answered in the revisit call (domain.md sections 4, 7 and 14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.compute.filings import filings_of
from tasks.compute.frames import empty_frame
from tasks.compute.known import Tables
from tasks.compute.places import places

#: Columns of a call that the filter reads, beside the derived ones.
_TOLD = ("called_at", "answer", "bought_dealer_id", "bought_brand", "reason")


@dataclass(frozen=True)
class Asked:
    """``filings``, the ``calls`` about them (``calls_of``), what was ``told`` per filing (``informative_calls``)."""

    filings: pd.DataFrame
    calls: pd.DataFrame
    told: pd.DataFrame


def asked_customers(tables: Tables, history_from: pd.Timestamp | None = None) -> Asked:
    """The filings from ``history_from`` on (all when None) and what their customers answered.

    ``tables`` as known at ``as_of``: dealers, leads, defeats; revisits may be empty or absent.
    """
    filings = filings_of(tables, history_from)
    revisits = tables.get("revisits", pd.DataFrame())
    if len(revisits):
        calls = calls_of(filings, revisits)
        return Asked(filings, calls, informative_calls(filings, calls))
    nothing = dict.fromkeys(_TOLD, "str") | {"called_at": "datetime64[us]"}
    return Asked(filings, revisits, empty_frame(nothing).reindex(filings.index).astype(nothing))


def calls_of(filings: pd.DataFrame, revisits: pd.DataFrame) -> pd.DataFrame:
    """The revisit calls with the ``filing`` (its number in ``filings``) each one is about.

    A call belongs to the last filing of its lead on or before the day of the call; a call before the first filing
    belongs to the first. Calls about leads without a filing are left out.
    """
    first = filings.drop_duplicates("lead_id")
    place = places(first["lead_id"], revisits["lead_id"])
    known = (place >= 0) & revisits["called_at"].notna().to_numpy()
    mine: pd.DataFrame = revisits[known].assign(filing=first.index.to_numpy()[place[known]])
    mine = mine.sort_values(["called_at", "lead_id"], kind="stable", ignore_index=True)
    repeated = filings.loc[filings["lead_id"].duplicated(keep=False), ["lead_id", "filed_at"]]
    if len(repeated):
        on = repeated["filed_at"].dt.normalize()
        filed = pd.DataFrame({"lead_id": repeated["lead_id"], "filed_on": on, "last": repeated.index})
        joined = pd.merge_asof(
            mine[["lead_id", "called_at"]], filed, left_on="called_at", right_on="filed_on", by="lead_id"
        )
        mine["filing"] = joined["last"].fillna(mine["filing"]).astype("int64")
    return mine


def informative_calls(filings: pd.DataFrame, calls: pd.DataFrame) -> pd.DataFrame:
    """What the last informative call says per filing, in the order of ``filings``.

    ``calls`` as of ``calls_of``. Columns: ``called_at, answer, bought_dealer_id, bought_brand`` of the last call that
    reached the customer and tells what they bought or that they did not, and ``reason``: the first ranked code of the
    last call that reached them and has one. ``answer`` is bought_here, competitor, same_brand, bought (what is not
    known), not_purchased, or missing without such a call.
    """
    reached = calls[calls["reached"].fillna(False).astype(bool)]
    own = pd.Series(filings["dealer_id"].to_numpy()[reached["filing"]], index=reached.index, dtype="str")
    reached = reached.assign(answer=_answer(reached, own), reason=first_code(reached["reason_codes"]))
    told = reached[reached["answer"].notna()].drop_duplicates("filing", keep="last").set_index("filing")
    why = reached[reached["reason"].notna()].drop_duplicates("filing", keep="last").set_index("filing")
    result = told[[column for column in _TOLD if column != "reason"]].reindex(filings.index)
    return result.assign(reason=why["reason"].reindex(filings.index))


def first_code(codes: pd.Series) -> pd.Series:
    """The first of a ``;``-joined list of codes, missing where the list is empty."""
    rows, distinct = pd.factorize(codes)  # few different lists
    first = pd.Series(distinct, dtype="str").str.split(";", n=1).str[0].str.strip()
    return first.where(first != "").reindex(rows).set_axis(codes.index)


def _answer(calls: pd.DataFrame, own: pd.Series) -> pd.Series:
    """The answer of each call; the first of the conditions that holds."""
    bought, seller = calls["purchased"], calls["bought_dealer_id"]
    refused = (bought == False).fillna(False)  # noqa: E712  three-valued: missing is not refused
    confirmed = bought.fillna(False).astype(bool)
    silent = bought.isna()
    conditions: Mapping[str, pd.Series] = {
        "not_purchased": refused | (silent & (calls["destination"] == "not_purchased")),
        "bought_here": seller == own,
        "competitor": calls["destination"] == "competitor",
        "same_brand": (calls["destination"] == "same_brand_other_dealer") | seller.notna(),
        "competitor_by_brand": confirmed & calls["bought_brand"].notna(),
        "bought": confirmed,
    }
    holds = [condition.fillna(False).to_numpy(dtype=bool) for condition in conditions.values()]
    words = [word.removesuffix("_by_brand") for word in conditions]
    chosen = np.select(holds, words, default="")
    answer = pd.Series(chosen, index=calls.index, dtype="str")
    return answer.where(answer != "")
