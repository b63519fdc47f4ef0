"""Quotes as shares of the list price; what peers quote for the same model in the same time (domain.md section 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from models.catalogue.price_rules import PriceRules
from tasks.compute.days import month_of

Floats = npt.NDArray[np.float64]

#: The fields of a lead that ``quotes`` reads.
QUOTE_FIELDS = (
    "dealer_id",
    "series",
    "model",
    "quoted_at",
    "visited_at",
    "created_at",
    "list_price",
    "quoted_price",
)
MAD_TO_SD = 1.4826
_LARGEST = 5  # groups of this many quotes or more are compared with each other
_LIST_AGREES = 0.01  # list prices of a model that differ by more say nothing about a row without one


def quotes(leads: pd.DataFrame) -> pd.DataFrame:
    """The quotes of ``leads`` (their index): dealer_id, series, model, month, week, listed, quoted, ratio.

    ``ratio`` = quoted / list price. A row without a list price takes that of its model in the month where all others
    agree on it; else the ratio is missing. The quote's time is ``quoted_at``, else the visit, else the lead's creation.
    ``week`` numbers calendar weeks from Monday. Prices of zero or less count as missing.
    """
    when = leads["quoted_at"].fillna(leads["visited_at"]).fillna(leads["created_at"])
    days = when.to_numpy().astype("datetime64[D]").astype("int64")
    frame = pd.DataFrame(
        {
            "dealer_id": leads["dealer_id"].astype("category"),
            "series": leads["series"].astype("category"),
            "model": leads["model"].astype("category"),
            "month": month_of(when).astype("category"),
            "week": np.where(when.isna(), -1, (days + 3) // 7),
            "listed": leads["list_price"].where(leads["list_price"] > 0),
            "quoted": leads["quoted_price"].where(leads["quoted_price"] > 0),
        },
        index=leads.index,
    )
    same = frame.groupby(["series", "model", "month"], observed=True)["listed"]
    low, high = same.transform("min"), same.transform("max")
    frame["listed"] = frame["listed"].fillna(low.where(high <= low * (1 + _LIST_AGREES)))
    return frame.assign(ratio=frame["quoted"] / frame["listed"])


@dataclass(frozen=True)
class Peers:
    """What other dealers quote, per quote (its index): their ratio, how many dealers; and how quotes usually differ."""

    ratio: pd.Series
    dealers: pd.Series
    spread: float  # robust standard deviation of quotes around their model and month; NaN without quotes


def peers(known: pd.DataFrame, min_dealers: int) -> Peers:
    """The median of the other dealers' median ratios for the same model and month, else the same series and month.

    ``known`` of ``quotes``, with ratios only. Missing where even the series has fewer than ``min_dealers`` others.
    """
    ratio = pd.Series(np.nan, index=known.index)
    dealers = pd.Series(0, index=known.index, dtype="int64")
    for keys in (["series", "model", "month"], ["series", "month"]):
        others, count = _without_own(known, keys)
        usable = ratio.isna() & (count >= min_dealers)
        ratio, dealers = ratio.mask(usable, others), dealers.mask(usable, count)
    if not len(known):
        return Peers(ratio, dealers, float("nan"))
    centre = known.groupby(["series", "model", "month"], observed=True)["ratio"].transform("median")
    spread = float((known["ratio"] - centre).abs().median() * MAD_TO_SD)
    return Peers(ratio, dealers, spread)


def _without_own(known: pd.DataFrame, keys: list[str]) -> tuple[pd.Series, pd.Series]:
    """Per quote the median of the other dealers' medians in its group, and the number of those dealers."""
    nothing = pd.Series(np.nan, index=known.index), pd.Series(0, index=known.index, dtype="int64")
    medians = known.groupby([*keys, "dealer_id"], observed=True)["ratio"].median().rename("own").reset_index()
    if not len(medians):
        return nothing
    group = medians.groupby(keys, observed=True).ngroup().to_numpy()
    order = np.lexsort([medians["own"].to_numpy(), group])
    size = np.bincount(group)
    begin = np.cumsum(size) - size
    rank = np.empty(len(order), dtype="int64")
    rank[order] = np.arange(len(order)) - begin[group[order]]
    values, others = medians["own"].to_numpy()[order], size[group] - 1

    def at(position: npt.NDArray[np.int64]) -> Floats:
        """The value at ``position`` among the others, the own one left out."""
        shifted = position + (position >= rank)
        return np.asarray(values[begin[group] + np.clip(shifted, 0, size[group] - 1)])

    middle = (at(np.maximum(others - 1, 0) // 2) + at(others // 2)) / 2
    medians["others"] = np.where(others > 0, middle, np.nan)
    medians["count"] = others
    joined = known.reset_index(names="row").merge(medians, on=[*keys, "dealer_id"], how="left").set_index("row")
    return (
        joined["others"].reindex(known.index),
        joined["count"].reindex(known.index).fillna(0).astype("int64"),
    )


def week_spread(known: pd.DataFrame, rules: PriceRules) -> pd.DataFrame:
    """How far quotes for one model and week at one dealer differ, per quote: spread, limit, quotes, beyond.

    ``spread``: highest minus lowest ratio of the group (missing for a single quote). ``limit``: what ``quantile`` of
    all groups of as many quotes stay under, at least ``min_points``; missing with fewer than ``min_groups`` of them.
    """
    rule = rules.inconsistent_promotion
    named = known[known[["dealer_id", "series", "model"]].notna().all(axis=1) & (known["week"] >= 0)]
    group = named.groupby(["dealer_id", "series", "model", "week"], observed=True).ngroup().to_numpy()
    if not len(named):
        nothing = pd.Series(np.nan, index=known.index)
        return pd.DataFrame({"spread": nothing, "limit": nothing, "quotes": nothing, "beyond": False})
    of_group = named["ratio"].groupby(group)
    table = pd.DataFrame({"spread": of_group.max() - of_group.min(), "quotes": of_group.size()})
    several = table[table["quotes"] >= 2]
    alike = several["quotes"].clip(upper=_LARGEST)
    by_size = several.groupby(alike)["spread"]
    limit = by_size.quantile(rule.quantile).where(by_size.size() >= rule.min_groups).clip(lower=rule.min_points)
    table["limit"] = alike.map(limit).reindex(table.index)
    table["spread"] = table["spread"].where(table["quotes"] >= 2)
    table["beyond"] = (table["spread"] > table["limit"]) & table["limit"].notna()
    result = table.take(group).set_axis(named.index)
    return result.reindex(known.index).assign(beyond=lambda frame: frame["beyond"].fillna(False).astype(bool))


def dealer_spread(known: pd.DataFrame, rules: PriceRules) -> pd.DataFrame:
    """The spread of quotes within series and week per dealer: quotes, spread, usual, q_value, beyond.

    Each quote is taken as its distance from what the network quotes for the model in the month, so that the models of a
    series compare and one dealer's quotes suffice; ``known`` should hold no quotes that are dear by the mark-up rule,
    which would pass for spread. ``spread``: pooled standard deviation of these distances within series and week;
    ``usual``: its median over the dealers. Tested against the usual one with a chi-square on its degrees of freedom,
    allowing for how much dealers differ anyway; q_value by Benjamini-Hochberg over the dealers. Dealers with fewer than
    ``min_quotes`` comparable quotes are left out.
    """
    rule = rules.inconsistent_promotion
    columns = ["quotes", "spread", "usual", "q_value", "beyond"]
    named = known[known[["dealer_id", "series", "model"]].notna().all(axis=1) & (known["week"] >= 0)]
    centre = named.groupby(["series", "model", "month"], observed=True)["ratio"].transform("median")
    away = named.assign(away=named["ratio"] - centre, square=(named["ratio"] - centre) ** 2)
    squares = away.groupby(["dealer_id", "series", "week"], observed=True)
    table = squares.agg(n=("away", "size"), total=("away", "sum"), square=("square", "sum")).reset_index()
    table = table[table["n"] >= 2]
    table = table.assign(within=(table["square"] - table["total"] ** 2 / table["n"]).clip(lower=0), free=table["n"] - 1)
    dealers = table.groupby("dealer_id", observed=True)[["n", "free", "within"]].sum()
    dealers = dealers[dealers["n"] >= rule.min_quotes]
    if len(dealers) < 2:
        return pd.DataFrame(columns=columns)
    variance = dealers["within"] / dealers["free"]
    usual = float(variance.median())
    result = pd.DataFrame({"quotes": dealers["n"], "spread": np.sqrt(variance), "usual": np.sqrt(usual)})
    excess = dealers["within"] / max(usual, 1e-12)
    low = np.log(variance.clip(lower=1e-12) / max(usual, 1e-12))
    between = max(1.0, float(np.median(np.abs(low) * MAD_TO_SD / np.sqrt(2 / dealers["free"]))) ** 2)
    free = dealers["free"] / between
    p = stats.chi2.sf(excess / between, free)
    result["q_value"] = stats.false_discovery_control(p)
    result["beyond"] = (result["q_value"] <= rule.q_value) & (result["spread"] > rule.spread_ratio * result["usual"])
    return result
