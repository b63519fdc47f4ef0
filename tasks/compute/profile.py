"""The profile of defeated against won customers: which values of which attributes separate them (domain.md section 8).

Closing-month base: leads that closed in the cycle and count in rates. A value is compared with the rest of its
attribute within the same scope; many tests at once are corrected (Benjamini-Hochberg over all attributes and values of
a scope).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from models.catalogue.profile_rules import NOT_RECORDED, ProfileRules
from models.enums import Scope
from tasks.compute.indicators import NATION

Floats = npt.NDArray[np.float64]

PROFILE_COLUMNS = [
    "cycle",
    "scope",
    "scope_id",
    "attribute",
    "value",
    "leads",
    "won",
    "defeated",
    "close_rate",
    "lift",
    "q_value",
    "lift_lo90",
    "lift_hi90",
    "won_share",
    "defeated_share",
    "p_value",
    "missing",
]
_SCOPES = {Scope.NATION: None, Scope.REGION: "region_id", Scope.DEALER: "dealer_id", Scope.SERIES: "series"}
_Z90 = float(stats.norm.ppf(0.95))


def attribute_values(leads: pd.DataFrame, rules: ProfileRules) -> pd.DataFrame:
    """The value of every attribute per lead as category: words as they are, numbers by band, else ``not_recorded``."""
    return pd.DataFrame({name: _values(leads, name, rules) for name in rules.attributes})


def _values(leads: pd.DataFrame, attribute: str, rules: ProfileRules) -> pd.Series:
    column = leads[rules.column(attribute)]
    if attribute not in rules.bands:
        words = column.astype("str").str.strip()
        return words.where(words != "").astype("object").fillna(NOT_RECORDED).astype("category")
    bands = rules.bands[attribute]
    numbers = column.astype("float64").to_numpy()
    place = np.searchsorted(np.array(bands.starts), numbers, side="right") - 1
    place = np.where(np.isnan(numbers), -1, place)
    names = pd.Index([*bands.names, NOT_RECORDED], dtype="str")
    codes = np.where(place < 0, len(bands.names), place)
    return pd.Series(pd.Categorical.from_codes(codes, categories=names), index=leads.index)


def profile_table(
    closed: pd.DataFrame, cycle: str, rules: ProfileRules, scopes: Sequence[Scope] = tuple(_SCOPES)
) -> pd.DataFrame:
    """The ``profile`` of exports.md, and what pages show beside it, for the leads ``closed`` of a cycle or a scene.

    ``closed`` of tasks.compute.closings.closed_leads. One row per scope, attribute and value that occurs. Columns:

    - leads, won, defeated (they add up), close_rate = won / leads
    - lift: close rate of the value / close rate of the scope (1: as all; 1.2: closes a fifth more often); missing where
      the scope won nothing; lift_lo90, lift_hi90 its 90 % interval (log scale; missing without both won and defeated)
    - won_share, defeated_share: the value's share among won and among defeated customers of the scope
    - p_value: two-sided test of the value's close rate against the rest of its attribute (two proportions, N - 1),
      where all four expected counts reach ``min_expected``; q_value: corrected over the scope's attributes and values
    - missing: message that says why there is no test, empty where there is one
    """
    if not len(closed):
        return pd.DataFrame(columns=PROFILE_COLUMNS)
    values = attribute_values(closed, rules)
    won = closed["won"].to_numpy(dtype="float64")
    tables = [
        _scope_attribute(scope, key, name, closed, values[name], won, rules)
        for scope, key in _SCOPES.items()
        if scope in scopes
        for name in rules.attributes
    ]
    result = pd.concat(tables, ignore_index=True).assign(cycle=cycle)
    result["q_value"] = _corrected(result)
    order = pd.Series({scope.value: place for place, scope in enumerate(_SCOPES)})
    at = {name: place for place, name in enumerate(rules.attributes)}
    result = result.assign(_scope=result["scope"].map(order), _attribute=result["attribute"].map(at))
    result = result.sort_values(["_scope", "scope_id", "_attribute"], kind="stable", ignore_index=True)
    text = dict.fromkeys(("cycle", "scope", "scope_id", "attribute", "value", "missing"), "str")
    return result[PROFILE_COLUMNS].astype(text | dict.fromkeys(("leads", "won", "defeated"), "int64"))


def _scope_attribute(
    scope: Scope,
    key: str | None,
    attribute: str,
    closed: pd.DataFrame,
    values: pd.Series,
    won: Floats,
    rules: ProfileRules,
) -> pd.DataFrame:
    """Counts and tests of one attribute in all scopes of a kind."""
    ids = closed[key].astype("category") if key else pd.Series(NATION, index=closed.index, dtype="category")
    named = (ids.notna() & (ids.astype("str") != "")).to_numpy()
    width = len(values.cat.categories)
    place = ids.cat.codes.to_numpy().astype("int64") * width + values.cat.codes.to_numpy()
    size = len(ids.cat.categories) * width
    n = np.bincount(place[named], minlength=size).astype("float64")
    x = np.bincount(place[named], weights=won[named], minlength=size).astype("float64")
    whole_n, whole_x = (np.repeat(part.reshape(-1, width).sum(axis=1), width) for part in (n, x))
    p, missing = _test(n, x, whole_n, whole_x, rules.sample.min_expected)
    lift, low, high = _lift(n, x, whole_n, whole_x)
    rows = np.flatnonzero(n > 0)
    frame = {
        "scope_id": np.repeat(ids.cat.categories.to_numpy(dtype=object), width),
        "value": np.tile(values.cat.categories.to_numpy(dtype=object), len(ids.cat.categories)),
        "leads": n,
        "won": x,
        "defeated": n - x,
        "close_rate": _divide(x, n),
        "lift": lift,
        "lift_lo90": low,
        "lift_hi90": high,
        "won_share": _divide(x, whole_x),
        "defeated_share": _divide(n - x, whole_n - whole_x),
        "p_value": p,
        "missing": missing,
    }
    return pd.DataFrame({name: column[rows] for name, column in frame.items()}).assign(
        scope=scope.value, attribute=attribute
    )


def _divide(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _test(n: Floats, x: Floats, whole_n: Floats, whole_x: Floats, least: float) -> tuple[Floats, npt.NDArray[np.str_]]:
    """Two-sided p of the value against the rest, and why there is none."""
    rate = _divide(whole_x, whole_n)
    rest = whole_n - n
    smallest = np.minimum(n, rest) * np.minimum(rate, 1 - rate)
    variance = rate * (1 - rate) * whole_n**2 / np.maximum(whole_n - 1, 1)
    z = _divide(x - n * rate, np.sqrt(np.maximum(n * rest * variance, 0.0)) / np.maximum(whole_n, 1))
    tested = smallest >= least
    missing = np.select(
        [tested, rest == 0, (whole_x == 0) | (whole_x == whole_n)],
        ["", "analysis.profile.missing.one_value", "analysis.profile.missing.all_alike"],
        "analysis.profile.missing.few_cases",
    )
    return np.where(tested, 2 * stats.norm.sf(np.abs(z)), np.nan), missing


def _lift(n: Floats, x: Floats, whole_n: Floats, whole_x: Floats) -> tuple[Floats, Floats, Floats]:
    """Close rate against the scope's, with a 90 % interval by the delta method (the value is part of the scope)."""
    rate, whole = _divide(x, n), _divide(whole_x, whole_n)
    lift = _divide(rate, whole)
    others_x, others_n = whole_x - x, whole_n - n
    sure = (x > 0) & (n > x) & (others_n > 0)
    # log(lift) = log(rate) - log(whole); whole = share x rate + (1 - share) x others
    share = _divide(x, whole_x)
    own = _divide((1 - share) ** 2 * (1 - rate), x)
    other = _divide((1 - share) ** 2 * (1 - _divide(others_x, others_n)), others_x)
    sd = np.sqrt(np.where(sure, own + np.nan_to_num(other), np.nan))
    return lift, lift * np.exp(-_Z90 * sd), lift * np.exp(_Z90 * sd)


def _corrected(table: pd.DataFrame) -> pd.Series:
    """Benjamini-Hochberg over all tests of a scope at once."""
    tested = table[table["p_value"].notna()].sort_values(["scope", "scope_id", "p_value"], kind="stable")
    by = tested.groupby(["scope", "scope_id"])
    raw = tested["p_value"] * by["p_value"].transform("size") / (by.cumcount() + 1)
    least = raw[::-1].groupby([tested["scope"][::-1], tested["scope_id"][::-1]]).cummin()
    return least.clip(upper=1.0).reindex(table.index)
