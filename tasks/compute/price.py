"""The price split: what is behind "price too high" (domain.md sections 5 and 14), every price defeat in one class.

Base: filings whose used or declared reason is of level price. The rules and their order are data
(models/catalogue/price_rules.toml); a class that the figures show beats one that only the customer's word in the
revisit names. What no rule explains stays unexplained: the split never spreads it over the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from models.catalogue.filter_rules import FilterRules
from models.catalogue.price_rules import CLASSES, UNEXPLAINED, PriceRules
from models.catalogue.reasons import catalogue
from tasks.compute.closings import closed_leads
from tasks.compute.days import days_between
from tasks.compute.identity import phones, sales_evidence
from tasks.compute.known import Tables
from tasks.compute.places import places
from tasks.compute.price_quotes import QUOTE_FIELDS, dealer_spread, peers, quotes, week_spread
from tasks.compute.revisits import calls_of

Flags = npt.NDArray[np.bool_]
_Sales = tuple[pd.DataFrame, pd.DataFrame]

SPLIT_COLUMNS = [
    "cycle",
    "series",
    "dealer_id",
    "defeats",
    "positioned_high",
    "markup",
    "bidding",
    "inconsistent_promotion",
    "excuse",
    "needs_not_understood",
    "unexplained",
]
#: What could not be looked at for a row; each has a sentence ``analysis.price.lacking.<name>``.
LACKING = ("quote", "list_price", "model", "peers", "phone", "price_paid", "budget")
#: One row per price defeat, with the figures that decided (money in CNY; ratios, spreads as shares of the list price).
CASE_DTYPES = {
    "cycle": "str",
    "lead_id": "str",
    "dealer_id": "str",
    "region_id": "str",
    "series": "str",
    "model": "str",
    "filed_at": "datetime64[us]",
    "declared_reason": "str",
    "confirmed_reason": "str",
    "reason": "str",
    "price_class": "str",
    "rule": "str",
    "quoted_price": "float64",
    "list_price": "float64",
    "budget": "float64",
    "ratio": "float64",
    "price_paid": "float64",
    "sister_dealer_id": "str",
    "sister_days": "float64",
    "week_spread": "float64",
    "week_limit": "float64",
    "dealer_spread": "float64",
    "usual_spread": "float64",
    "peer_ratio": "float64",
    "peer_dealers": "int64",
    "peer_limit": "float64",
    "budget_gap": "float64",
    "series_ratio": "float64",
    "series_dealers": "int64",
    "lacking": "str",
}
#: What closings need of a lead where only series and dealer are counted.
_CLOSING = ("lead_id", "dealer_id", "series", "status", "ordered_at", "defeated_at")
_PRICE_BUT_NAMED = ("price_finance_terms", "price_trade_in_price")


@dataclass(frozen=True)
class _Found:
    """A rule that holds for some rows, the class it stands for."""

    rule: str
    price_class: str
    holds: Flags


def price_cases(
    tables: Tables, defeats: pd.DataFrame, months: Sequence[str], rules: PriceRules, filters: FilterRules
) -> pd.DataFrame:
    """The class of every price defeat filed in ``months`` (the cycle last), with the figures that decided.

    ``tables`` as known at ``as_of``: dealers, leads, and sales, revisits where there are any; ``defeats`` of
    tasks.compute.defeat_filter for the same tables. The months are looked at together: quotes, spreads and the series'
    losses are compared over all of them. One row per lead and month of filing (its last filing of the month), columns
    CASE_DTYPES; ``rule`` is the deciding one (message ``analysis.price.rule.<rule>``), ``lacking`` names of LACKING
    joined by ``;``: what could not be looked at.
    """
    leads = tables["leads"]
    rows = _base(defeats, leads, months)
    quoted = _quoted(leads, rows, months)
    figures = pd.concat([rows, _quote_figures(quoted, rows, rules)], axis=1)
    sales = _sales(rows, tables, filters)
    figures = figures.assign(price_paid=_price_paid(rows, tables, defeats, sales), budget_gap=_budget_gap(figures))
    figures[["sister_dealer_id", "sister_days", "sister_sale"]] = _sisters(rows, tables, rules, filters, sales)
    found = _facts(figures, rules)
    first = _first(found, rules)
    said = figures["confirmed_reason"].map(rules.confirmed)
    told, open_rows = (first == UNEXPLAINED) & said.notna(), (first == UNEXPLAINED) & said.isna()
    closings = {**tables, "leads": leads[list(_CLOSING)]}
    series = _positioned(figures, open_rows, closed_leads(closings, defeats, months), rules)
    figures = figures.join(series.reindex(columns=["series_ratio", "series_dealers", "beyond"]), on="series")
    high = open_rows & figures["beyond"].fillna(False).astype(bool) & _unsplit(figures) & ~(figures["above_peers"])
    price_class = first.mask(told, said).mask(high, "positioned_high")
    rule = _deciding(found, first).mask(told, "confirmed").mask(high, "positioned_high")
    return _result(figures.assign(price_class=price_class, rule=rule), tables)


def price_split(cases: pd.DataFrame, cycle: str) -> pd.DataFrame:
    """The ``price_split`` of exports.md for ``cycle``: counts per series and dealer; classes add up to ``defeats``."""
    mine = cases[cases["cycle"] == cycle]
    counts = mine.groupby(["series", "dealer_id", "price_class"], observed=True).size().unstack(fill_value=0)
    counts = counts.reindex(columns=[*CLASSES, UNEXPLAINED], fill_value=0)
    table = counts.assign(defeats=counts.sum(axis=1)).reset_index().assign(cycle=cycle)
    table.columns.name = None
    text = dict.fromkeys(("cycle", "series", "dealer_id"), "str")
    return table[SPLIT_COLUMNS].astype(text | dict.fromkeys(SPLIT_COLUMNS[3:], "int64"))


def _base(defeats: pd.DataFrame, leads: pd.DataFrame, months: Sequence[str]) -> pd.DataFrame:
    """The price defeats of the months with what their lead says, indexed from 0; ``lead_row`` is the place in leads."""
    price = {code for code, entry in catalogue().items() if entry.level1 == "price"}
    mine = defeats[defeats["filed_month"].isin(list(months))].drop_duplicates(["lead_id", "filed_month"], keep="last")
    mine = mine[mine["reason"].isin(price) | mine["declared_reason"].isin(price)]
    place = places(leads["lead_id"], mine["lead_id"])
    mine = mine[place >= 0].assign(lead_row=place[place >= 0])
    told = ["cycle", "lead_id", "dealer_id", "region_id", "series", "filed_at", "declared_reason", "confirmed_reason"]
    rows: pd.DataFrame = mine[[*told, "reason", "lead_row"]].rename_axis("filing").reset_index()
    of_lead = leads[["model", "budget", "created_at"]].take(rows["lead_row"].to_numpy()).reset_index(drop=True)
    return pd.concat([rows, of_lead], axis=1)


def _quoted(leads: pd.DataFrame, rows: pd.DataFrame, months: Sequence[str]) -> pd.DataFrame:
    """The quotes of the months, and those of the price defeats whenever they were made; index: place in leads."""
    numbered = leads[list(QUOTE_FIELDS)].set_axis(np.arange(len(leads)))
    recent = numbered["created_at"] >= pd.Timestamp(months[0]) - pd.DateOffset(months=len(months))
    priced = numbered["quoted_price"].notna() | numbered["list_price"].notna()
    keep = (recent & priced).to_numpy(dtype=bool, copy=True)
    keep[rows["lead_row"].to_numpy()] = True
    return quotes(numbered[keep])


def _quote_figures(quoted: pd.DataFrame, rows: pd.DataFrame, rules: PriceRules) -> pd.DataFrame:
    """Ratio, peers and spreads of each row; own index of ``rows``."""
    known = quoted[quoted["ratio"].notna()]
    others = peers(known, rules.markup.min_dealers)
    weeks = week_spread(known, rules)
    margin = max(rules.markup.low_discount, rules.markup.spreads * np.nan_to_num(others.spread))
    dealers = dealer_spread(known[~(known["ratio"] > others.ratio + margin)], rules)
    at = rows["lead_row"].to_numpy()
    mine = quoted[["quoted", "listed", "ratio"]].reindex(at).set_axis(rows.index)
    peer = others.ratio.reindex(at).set_axis(rows.index)
    limit = peer + margin
    own = known.groupby("dealer_id", observed=True)["ratio"].mean()
    week = weeks.reindex(at).set_axis(rows.index)
    dealer = dealers.reindex(rows["dealer_id"]).set_axis(rows.index)
    away = (mine["ratio"] - own.reindex(rows["dealer_id"]).to_numpy()).abs()
    return pd.DataFrame(
        {
            "quoted_price": mine["quoted"],
            "list_price": mine["listed"],
            "ratio": mine["ratio"],
            "peer_ratio": peer,
            "peer_dealers": others.dealers.reindex(at).set_axis(rows.index).fillna(0).astype("int64"),
            "peer_limit": limit,
            "above_peers": mine["ratio"] > limit,
            "week_spread": week["spread"].astype("float64"),
            "week_limit": week["limit"].astype("float64"),
            "week_beyond": week["beyond"].fillna(False).astype(bool),
            "dealer_spread": dealer["spread"].astype("float64"),
            "usual_spread": dealer["usual"].astype("float64"),
            "dealer_beyond": dealer["beyond"].fillna(False).astype(bool)
            & (away >= rules.inconsistent_promotion.min_points / 2),
        }
    )


def _price_paid(rows: pd.DataFrame, tables: Tables, defeats: pd.DataFrame, bought: _Sales | None) -> pd.Series:
    """What the customer paid in the end: the dearer of the brand's sale to the same phone and the revisit's answer."""
    paid = pd.Series(np.nan, index=rows.index)
    revisits, sales = tables.get("revisits", pd.DataFrame()), tables.get("sales", pd.DataFrame())
    if len(revisits):
        told = revisits[(revisits["price_paid"] > 0) & revisits["reached"].fillna(False).astype(bool)]
        calls = calls_of(defeats, told).drop_duplicates("filing", keep="last").set_index("filing")["price_paid"]
        paid = calls.reindex(rows["filing"]).set_axis(rows.index).astype("float64")
    if bought is not None:
        price = sales.drop_duplicates("sale_id").set_index("sale_id")["price"]
        for sale in bought:
            ids = sale["sale_id"].reindex(rows.index) if len(sale) else pd.Series(None, index=rows.index, dtype="str")
            paid = paid.fillna(-np.inf).clip(lower=price.reindex(ids).set_axis(rows.index).fillna(-np.inf))
            paid = paid.where(paid > 0)
    return paid


def _sales(rows: pd.DataFrame, tables: Tables, filters: FilterRules) -> _Sales | None:
    """The sale here and the one at a sister dealer, by the windows of the defeat filter; None without any sales."""
    if not len(tables.get("sales", ())):
        return None
    known = phones(tables["leads"], tables["sales"], filters.identity.max_leads_per_phone)
    numbered = rows.assign(phone=known.leads[rows["lead_row"].to_numpy()])
    return sales_evidence(numbered, tables["sales"], known.sales, filters)


def _sisters(
    rows: pd.DataFrame, tables: Tables, rules: PriceRules, filters: FilterRules, sales: _Sales | None
) -> pd.DataFrame:
    """The sister dealer the customer was dealing with: its id, days from the filing, whether only a sale shows it."""
    leads, none = tables["leads"], pd.DataFrame(columns=["phone_key"], dtype="str")
    codes = phones(leads, none, filters.identity.max_leads_per_phone).leads
    asked = rows[["dealer_id", "created_at", "filed_at"]].assign(phone=codes[rows["lead_row"].to_numpy()])
    asked = asked[asked["phone"] >= 0].rename_axis("filing").reset_index()
    other = leads[["dealer_id", "created_at", "ordered_at", "defeated_at"]].assign(phone=codes)
    pairs = asked.merge(other[other["phone"].isin(asked["phone"])], on="phone", suffixes=("", "_other"))
    pairs = pairs[pairs["dealer_id"] != pairs["dealer_id_other"]]
    days = days_between(pairs["filed_at"], pairs["created_at_other"])
    since = days_between(pairs["created_at"], pairs["created_at_other"])
    ended = pairs["ordered_at"].fillna(pairs["defeated_at"])
    meets = (days <= rules.bidding.days_after) & (since >= -rules.bidding.days_before)
    meets &= ~(days_between(pairs["created_at"], ended) < 0)
    near = pairs.assign(days=days, away=days.abs())[meets].sort_values(["away", "dealer_id_other"], kind="stable")
    lead = near.drop_duplicates("filing").set_index("filing").reindex(rows.index)
    result = pd.DataFrame({"dealer": lead["dealer_id_other"].astype("str"), "days": lead["days"].astype("float64")})
    sale = pd.Series(False, index=rows.index)
    if rules.bidding.sale_counts and sales is not None:
        bought = sales[1].reindex(rows.index)
        sale = result["dealer"].isna() & bought["dealer_id"].notna()
        result = result.assign(
            dealer=result["dealer"].fillna(bought["dealer_id"]), days=result["days"].fillna(bought["days"])
        )
    return result.assign(sale=sale)


def _budget_gap(figures: pd.DataFrame) -> pd.Series:
    """How far the budget is from the price of the model shown (list price, else quote), as a share of it."""
    price = figures["list_price"].fillna(figures["quoted_price"])
    budget = figures["budget"].where(figures["budget"] > 0)
    return budget / price - 1


def _facts(figures: pd.DataFrame, rules: PriceRules) -> list[_Found]:
    """The rules that the row's own figures can show."""
    offered = figures["quoted_price"].fillna(figures["list_price"])
    dealing = figures["sister_dealer_id"].notna()
    found = {
        ("bought_dearer", "excuse"): figures["price_paid"] > offered * (1 + rules.excuse.dearer_by),
        ("sister_lead", "bidding"): dealing & ~figures["sister_sale"],
        ("sister_sale", "bidding"): dealing & figures["sister_sale"],
        ("week_spread", "inconsistent_promotion"): figures["week_beyond"],
        ("dealer_spread", "inconsistent_promotion"): figures["dealer_beyond"],
        ("above_list", "markup"): figures["ratio"] > 1 + rules.markup.above_list,
        ("low_discount", "markup"): figures["above_peers"],
        ("budget_far", "needs_not_understood"): figures["budget_gap"].abs() > rules.needs_not_understood.far,
    }
    return [_Found(rule, name, holds.to_numpy(dtype=bool)) for (rule, name), holds in found.items()]


def _first(found: Sequence[_Found], rules: PriceRules) -> pd.Series:
    """The first class of the precedence that a rule shows."""
    ordered = sorted(found, key=lambda one: rules.precedence.index(one.price_class))
    chosen = np.select([one.holds for one in ordered], [one.price_class for one in ordered], default=UNEXPLAINED)
    return pd.Series(chosen, dtype="str")


def _deciding(found: Sequence[_Found], first: pd.Series) -> pd.Series:
    holds = [one.holds & (first == one.price_class).to_numpy() for one in found]
    return pd.Series(np.select(holds, [one.rule for one in found], default=UNEXPLAINED), dtype="str")


def _unsplit(figures: pd.DataFrame) -> pd.Series:
    """Rows that name no other cause: the used reason is of level price, neither finance nor trade-in."""
    known = catalogue()
    level = figures["reason"].map(lambda code: known[code].level1 if code in known else "", na_action="ignore")
    return (level == "price") & ~figures["reason"].isin(_PRICE_BUT_NAMED)


def _positioned(figures: pd.DataFrame, open_rows: pd.Series, closed: pd.DataFrame, rules: PriceRules) -> pd.DataFrame:
    """Per series: losses by price against what the same dealers lose in their other series; series_ratio, beyond.

    Expected: closed leads of the series x the dealer's rate of such losses in its other series, summed over dealers
    that sell others; tested as Poisson with the expectation's own uncertainty. One series alone can't be judged.
    """
    rule = rules.positioned_high
    lost = figures[open_rows & _unsplit(figures) & ~figures["above_peers"]]
    keys = ["series", "dealer_id"]
    table = pd.DataFrame({"closed": closed.groupby(keys).size(), "lost": lost.groupby(keys).size()}).fillna(0)
    table = table.reset_index()
    whole = table.groupby("dealer_id")[["closed", "lost"]].transform("sum")
    other, other_lost = whole["closed"] - table["closed"], whole["lost"] - table["lost"]
    share = table["closed"] / other.where(other > 0)
    table = table.assign(expected=share * other_lost, doubt=share**2 * other_lost, seen=table["lost"].where(other > 0))
    table = table.assign(has=table["lost"] > 0, sells=table["closed"] > 0)
    series = table.groupby("series")[["expected", "doubt", "seen", "has", "sells"]].sum().astype("float64")
    ratio = series["seen"] / series["expected"].where(series["expected"] > 0)
    series = series.assign(sd=np.sqrt(series["expected"] + series["doubt"]))
    z = (series["seen"] - series["expected"]) / series["sd"].where(series["sd"] > 0)
    p = pd.Series(stats.norm.sf(z), index=series.index)
    against_peers = (lost["ratio"] - lost["peer_ratio"]).groupby(lost["series"])
    deep = against_peers.agg(lambda gaps: float((gaps.dropna() <= 0).mean()) if gaps.notna().any() else 0.0)
    beyond = (ratio >= rule.rate_ratio) & (p <= rule.p_value) & (series["has"] >= rule.min_dealers)
    beyond &= series["has"] >= rule.dealer_share * series["sells"]
    beyond &= deep.reindex(series.index).fillna(0.0) >= rule.deep_share
    return pd.DataFrame({"series_ratio": ratio, "series_dealers": series["has"].astype("int64"), "beyond": beyond})


def _result(figures: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    phone = tables["leads"]["phone_key"].isna().to_numpy()[figures["lead_row"].to_numpy()]
    absent = {
        "quote": figures["quoted_price"].isna(),
        "list_price": figures["list_price"].isna(),
        "model": figures["model"].isna(),
        "peers": figures["ratio"].notna() & figures["peer_ratio"].isna(),
        "phone": pd.Series(phone, index=figures.index),
        "price_paid": figures["price_paid"].isna(),
        "budget": figures["budget"].isna(),
    }
    code = sum(absent[name].to_numpy().astype("int64") << place for place, name in enumerate(LACKING))
    numbers = range(1 << len(LACKING))
    texts = [";".join(name for place, name in enumerate(LACKING) if number >> place & 1) for number in numbers]
    lacking = pd.Series(np.array(texts, dtype=object)[np.asarray(code, dtype="int64")], dtype="str")
    result = figures.assign(lacking=lacking, series_dealers=figures["series_dealers"].fillna(0))
    return result[list(CASE_DTYPES)].astype(CASE_DTYPES)
