"""How far declared reasons can be trusted, and the reason shares without what consultants misreport (issue 4, point 3).

Confirmed reasons come from the revisit; those who answered it are not all customers. Shares are corrected for both
(method: tasks.compute.confusion) and shown beside the used reasons, never in their place (domain.md section 14).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from models.catalogue.reasons import catalogue
from models.enums import Scope
from tasks.compute.confusion import Confusion, Groups, groups, learn, sums_by
from tasks.compute.indicators import NATION

Floats = npt.NDArray[np.float64]

#: Fewest confirmed reasons to correct the shares of the network, a region or a series, and of a dealer.
LEAST_CONFIRMED = 30
LEAST_CONFIRMED_DEALER = 10
FEW_REVISITS = "analysis.reliability.missing.few_revisits"
SHARE_COLUMNS = [
    "scope",
    "scope_id",
    "reason",
    "level",
    "defeats",
    "declared",
    "confirmed",
    "used",
    "declared_share",
    "confirmed_share",
    "used_share",
    "corrected_share",
    "lo90",
    "hi90",
    "misreport_points",
    "missing",
]
CONFUSION_COLUMNS = ["scope", "scope_id", "declared", "confirmed", "rows", "share", "shrunk_share"]
AGREEMENT_COLUMNS = [
    "scope",
    "scope_id",
    "compared",
    "agreed",
    "agreed_level1",
    "agreement",
    "expected",
    "shrunk",
    "lo90",
    "hi90",
    "differs",
    "missing",
]
_SCOPES = {Scope.NATION: None, Scope.REGION: "region_id", Scope.DEALER: "dealer_id", Scope.SERIES: "series"}
_Z90 = float(stats.norm.ppf(0.95))


def filings_for_reliability(defeats: pd.DataFrame, declared_destination: pd.Series) -> pd.DataFrame:
    """The rows the functions below take, from ``defeats`` of tasks.compute.defeat_filter: last filings, keys as text.

    ``declared_destination`` has the index of ``defeats``; what is missing becomes the empty text, but for confirmed.
    """
    last = defeats[defeats["last_filing"]]
    keys = ["dealer_id", "region_id", "series", "source", "filed_month"]
    rows = last[keys].astype("str").fillna("")
    return rows.assign(
        declared=last["declared_reason"].astype("str").fillna(""),
        declared_destination=declared_destination.reindex(last.index).astype("str").fillna(""),
        confirmed=last["confirmed_reason"],
        used=last["reason"],
    ).reset_index(drop=True)


def corrected_shares(learnt: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """Reason shares per scope, corrected for misreporting and for who answered (SHARE_COLUMNS).

    ``learnt``: filings of the history the confusion is learnt from, ``shown``: those whose shares are asked for, both
    of ``filings_for_reliability``. Per scope and level-2 or bare code:

    - defeats: filings of the scope; declared, confirmed, used: how many name the reason; the shares divide by defeats,
      confirmed_share by the filings with a confirmed reason
    - corrected_share: confirmed where the customer was asked, the chance given declared reason, destination, series,
      source and dealer where not; lo90, hi90 its interval (delta method: unasked customers, the dealer's and the
      network's few answers)
    - misreport_points: corrected - declared share, in percentage points
    - missing: with too few confirmed reasons nothing is corrected, and this message says so
    """
    if not len(shown):
        return pd.DataFrame(columns=SHARE_COLUMNS)
    confusion = learn(learnt)
    model = groups(learnt, shown, confusion)
    tables = [_scope_shares(scope, key, shown, model, confusion) for scope, key in _SCOPES.items()]
    result = pd.concat(tables, ignore_index=True)
    levels = {code: entry.level for code, entry in catalogue().items()}
    return result.assign(level=result["reason"].map(levels).astype("Int64"))[SHARE_COLUMNS]


def _scope_shares(
    scope: Scope, key: str | None, shown: pd.DataFrame, model: Groups, confusion: Confusion
) -> pd.DataFrame:
    of_rows = shown[key] if key else pd.Series(NATION, index=shown.index)
    counts = {
        name: pd.DataFrame({"scope_id": of_rows, name: shown[name]})[
            shown[name].notna() & (shown[name] != "") & (of_rows != "")
        ]
        .groupby(["scope_id", name])
        .size()
        for name in ("declared", "confirmed", "used")
    }
    total = shown.groupby(of_rows).size()
    asked = shown["confirmed"].notna().groupby(of_rows).sum()
    table = _corrected(model, confusion, model.rows[key] if key else pd.Series(NATION, index=model.rows.index))
    for name, found in counts.items():
        found.index.names = ["scope_id", "reason"]
        table = table.join(found.rename(name), how="outer")
    table = table.reset_index()
    table = table[table["scope_id"] != ""]
    whole, answered = (table["scope_id"].map(count).astype("float64") for count in (total, asked))
    least = LEAST_CONFIRMED_DEALER if scope is Scope.DEALER else LEAST_CONFIRMED
    enough = (answered >= least) & (confusion.answers.sum() >= LEAST_CONFIRMED)
    table = table.fillna(dict.fromkeys(counts, 0)).astype(dict.fromkeys(counts, "int64"))
    for name in ("corrected_share", "lo90", "hi90"):
        table[name] = table[name].fillna(0.0).where(enough)
    declared_share = table["declared"] / whole
    return table.assign(
        scope=scope.value,
        defeats=whole,
        declared_share=declared_share,
        confirmed_share=table["confirmed"] / answered.where(answered > 0),
        used_share=table["used"] / whole,
        misreport_points=100 * (table["corrected_share"] - declared_share),
        missing=np.where(enough, "", FEW_REVISITS),
    )


def _corrected(model: Groups, confusion: Confusion, scope_id: pd.Series) -> pd.DataFrame:
    """Corrected share and interval per scope id and reason."""
    number, ids = pd.factorize(scope_id, sort=True)
    scope, size = number.astype("int64"), len(ids)
    count = model.said + model.unasked[:, None] * model.chance
    filed = np.bincount(scope, model.filed, size)
    share = sums_by(count, scope, size) / filed[:, None]
    variance = _variance(model, confusion, scope, size)
    sd = np.sqrt(variance) / filed[:, None]
    index = pd.MultiIndex.from_product([ids, confusion.confirmed], names=["scope_id", "reason"])
    columns = {"corrected_share": share, "lo90": share - _Z90 * sd, "hi90": share + _Z90 * sd}
    return pd.DataFrame({name: np.clip(values, 0, 1).ravel() for name, values in columns.items()}, index=index)


def _variance(model: Groups, confusion: Confusion, scope: npt.NDArray[np.int64], size: int) -> Floats:
    """Variance of the corrected counts: unasked customers, each dealer's few answers, the network's."""
    spread = model.chance * (1 - model.chance)
    single = sums_by(model.unasked[:, None] * spread, scope, size)
    dealer = pd.factorize(model.rows["dealer_id"])[0].astype("int64")
    d = confusion.declared.get_indexer(pd.Index(model.rows["declared"])).astype("int64")
    # within a dealer and declared reason all unasked customers share the same uncertain chance
    pair, place = np.unique((scope * (dealer.max() + 1) + dealer) * len(confusion.declared) + d, return_inverse=True)
    unasked = np.bincount(place, model.unasked, len(pair))
    mean = sums_by(model.unasked[:, None] * spread, place.astype("int64"), len(pair)) / np.maximum(unasked, 1)[:, None]
    answers = np.bincount(place, model.answers, len(pair)) / np.bincount(place, minlength=len(pair))
    own = (unasked**2 / (answers + confusion.prior + 1))[:, None] * mean
    of_pair = pair // (len(confusion.declared) * (dealer.max() + 1))
    by_dealers = sums_by(own, of_pair, size)
    # what is borrowed from the network is uncertain by its answers, which come in dealers
    borrowed = model.unasked * confusion.prior / (model.answers + confusion.prior)
    cell, at = np.unique(scope * len(confusion.declared) + d, return_inverse=True)
    weight = np.bincount(at, borrowed, len(cell))
    which = cell % len(confusion.declared)
    dealers = max(dealer.max() + 1, 1)
    design = 1 + np.maximum(confusion.answers[which] / dealers - 1, 0) * confusion.between
    network = confusion.network[which]
    doubt = (weight**2 * design / np.maximum(confusion.answers[which], 1))[:, None] * network * (1 - network)
    return np.asarray(single + by_dealers + sums_by(doubt, cell // len(confusion.declared), size))


def confusion_table(learnt: pd.DataFrame) -> pd.DataFrame:
    """Declared against confirmed, for the network and every dealer (CONFUSION_COLUMNS); pairs that occur.

    share: of the answers with that declared reason; shrunk_share: drawn to the network's by how much dealers differ.
    Empty without confirmed reasons.
    """
    answered = learnt[learnt["confirmed"].notna()]
    if not len(answered):
        return pd.DataFrame(columns=CONFUSION_COLUMNS)
    confusion = learn(learnt)
    network = pd.DataFrame(confusion.network, index=confusion.declared, columns=confusion.confirmed).stack()
    tables = []
    for scope, key in ((Scope.NATION, None), (Scope.DEALER, "dealer_id")):
        named = answered.assign(scope_id=answered[key] if key else NATION)
        pairs = named.groupby(["scope_id", "declared", "confirmed"]).size().rename("rows").reset_index()
        whole = pairs.groupby(["scope_id", "declared"])["rows"].transform("sum")
        wide = network.reindex(pd.MultiIndex.from_frame(pairs[["declared", "confirmed"]])).to_numpy()
        shrunk = (pairs["rows"] + confusion.prior * wide) / (whole + confusion.prior)
        share = pairs["rows"] / whole
        tables.append(pairs.assign(scope=scope.value, share=share, shrunk_share=shrunk if key else share))
    return pd.concat(tables, ignore_index=True)[CONFUSION_COLUMNS]


def agreement_table(learnt: pd.DataFrame) -> pd.DataFrame:
    """How often the customer confirms what was declared, for the network and every dealer (AGREEMENT_COLUMNS).

    compared: filings with both reasons; agreed: the same code (a bare level-1 code and the unsplit price agree with any
    reason of their level); agreed_level1: the same level 1. expected: the network's agreement on the reasons the dealer
    declares; shrunk, lo90, hi90: the dealer's agreement drawn to it, with interval; differs: expected lies outside.
    """
    both = learnt[learnt["confirmed"].notna() & (learnt["declared"] != "")]
    known = catalogue()
    level = {code: entry.level1 for code, entry in known.items()}
    bare = {code for code, entry in known.items() if entry.level == 1} | {"price_too_high"}
    same_level = both["declared"].map(level) == both["confirmed"].map(level)
    agreed = (both["declared"] == both["confirmed"]) | (both["declared"].isin(bare) & same_level)
    usual = agreed.groupby(both["declared"]).transform("mean")
    rows = both.assign(agreed=agreed, agreed_level1=same_level, expected=usual.astype("float64"))
    prior = _agreement_prior(rows)
    tables = []
    for scope, key in ((Scope.NATION, None), (Scope.DEALER, "dealer_id")):
        ids = sorted(learnt[key].unique()) if key else [NATION]
        named = rows.assign(scope_id=rows[key] if key else NATION).groupby("scope_id")
        table = pd.DataFrame(
            {"compared": named.size(), "agreed": named["agreed"].sum(), "agreed_level1": named["agreed_level1"].sum()}
        ).reindex(ids, fill_value=0)
        table["expected"] = named["expected"].mean().reindex(ids)
        tables.append(_judged(table, scope, prior))
    return pd.concat(tables, ignore_index=True)[AGREEMENT_COLUMNS]


def _judged(table: pd.DataFrame, scope: Scope, prior: float) -> pd.DataFrame:
    least = LEAST_CONFIRMED_DEALER if scope is Scope.DEALER else LEAST_CONFIRMED
    enough = table["compared"] >= least
    weight = prior if scope is Scope.DEALER else 1.0
    yes = table["agreed"] + weight * table["expected"].fillna(0.5)
    no = table["compared"] - table["agreed"] + weight * (1 - table["expected"].fillna(0.5))
    yes, no = yes.clip(lower=1e-6), no.clip(lower=1e-6)
    low, high = (stats.beta.ppf(edge, yes, no) for edge in (0.05, 0.95))
    outside = (table["expected"] < low) | (table["expected"] > high)
    return table.reset_index(names="scope_id").assign(
        scope=scope.value,
        agreement=(table["agreed"] / table["compared"].where(table["compared"] > 0)).to_numpy(),
        shrunk=(yes / (yes + no)).where(enough).to_numpy(),
        lo90=np.where(enough, low, np.nan),
        hi90=np.where(enough, high, np.nan),
        differs=outside.astype("boolean").where(enough).to_numpy(),
        missing=np.where(enough, "", FEW_REVISITS),
    )


def _agreement_prior(rows: pd.DataFrame) -> float:
    """Answers at the expected agreement that a dealer starts with: by the variance between dealers beyond chance."""
    dealers = rows.groupby("dealer_id").agg(n=("agreed", "size"), x=("agreed", "sum"), e=("expected", "sum"))
    chance = (rows["expected"] * (1 - rows["expected"])).groupby(rows["dealer_id"]).sum()
    excess = float(((dealers["x"] - dealers["e"]) ** 2 - chance).sum())
    possible = float((chance * (dealers["n"] - 1)).sum())
    between = float(np.clip(excess / possible, 0.005, 0.5)) if possible > 0 else 0.5
    return (1 - between) / between
