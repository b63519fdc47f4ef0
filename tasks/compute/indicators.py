"""Indicators from the sums of facts: rates last (design.md section 1).

``indicator_table`` divides the wide sums of tasks.compute.fact_sums for every scope, for the month asked for, the month
before and the same month of the year before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from models.catalogue.indicators import Base, Indicator, indicators
from models.enums import Scope
from tasks.compute.fact_sums import KEYS, Codes, Values, facts_of, stacked

NATION = "all"
#: Columns of ``indicator_table``: exports.md; the figures of comparison are filled by the judgement of dealers.
TABLE_COLUMNS = [
    "cycle",
    "scope",
    "scope_id",
    "indicator",
    "numerator",
    "denominator",
    "value",
    "expected",
    "gap_points",
    "lo90",
    "hi90",
    "previous",
    "same_month_last_year",
    "flagged",
]
#: Wide sums per base, as tasks.compute.fact_sums makes them.
Sums = Mapping[Base, pd.DataFrame]


def indicator_table(
    sums: Sums, cycle: str, regions: Mapping[str, str] | None = None, codes: Sequence[str] | None = None
) -> pd.DataFrame:
    """The ``indicators`` of exports.md for ``cycle``: one row per scope and indicator, values as rates or means.

    ``sums``: per base, of the cycle's month and of ``earlier_months`` (others are not used). ``regions``: region of
    each dealer to report by (a dealer that changed its region is then shown in the present one in all months); by
    default the region each sum was stored with. ``codes``: the indicators in the order wanted, by default all summed
    ones of the catalogue. A scope has rows for all of them once it has any figure in the month. ``value`` is missing
    when the denominator is 0, and so are ``previous`` (the month before) and ``same_month_last_year``. ``scope_id`` of
    a consultant is the consultant's id, with ``<dealer_id>:`` before it when several dealers use the same id.
    ``expected, gap_points, lo90, hi90, flagged`` stay empty: the comparison of dealers fills them.
    """
    known = indicators()
    wanted = list(known.summed) if codes is None else [known.indicators[code] for code in codes]
    months = (cycle, *earlier_months(cycle))
    rows = {base: frame[frame["month"].isin(months)] for base, frame in sums.items()}
    keys = stacked([frame[list(KEYS)] for frame in rows.values()], KEYS)
    month = pd.Index(months).get_indexer(pd.Index(keys["month"].cat.categories))[keys["month"].cat.codes.to_numpy()]
    ids = _scope_ids(keys, regions)
    tables = [_scope_table(scope, ids[scope], month, rows, wanted) for scope in Scope]
    result = pd.concat(tables, ignore_index=True).assign(cycle=cycle)
    for name in ("expected", "gap_points", "lo90", "hi90"):
        result[name] = np.nan
    result["flagged"] = pd.Series(pd.NA, index=result.index, dtype="boolean")
    text = dict.fromkeys(("cycle", "scope", "scope_id", "indicator"), "str")
    return result[TABLE_COLUMNS].astype(text)


def earlier_months(cycle: str) -> tuple[str, str]:
    """The month before ``cycle`` and the same month of the year before."""
    period = pd.Period(cycle, freq="M")
    return str(period - 1), str(period - 12)


def _scope_ids(keys: pd.DataFrame, regions: Mapping[str, str] | None) -> dict[Scope, pd.Series]:
    """The scope id of each row as a category in alphabetical order, empty text where it has none."""
    region = keys["region_id"]
    if regions is not None:
        dealers = keys["dealer_id"].cat
        present = pd.Categorical([regions.get(dealer, "") for dealer in dealers.categories])
        region = pd.Series(present.take(dealers.codes.to_numpy()), index=keys.index)
    nation = pd.Categorical.from_codes(np.zeros(len(keys), dtype="int8"), categories=pd.Index([NATION], dtype="str"))
    return {
        Scope.NATION: pd.Series(nation, index=keys.index),
        Scope.REGION: region,
        Scope.DEALER: keys["dealer_id"],
        Scope.CONSULTANT: _consultants(keys),
        Scope.SERIES: keys["series"],
        Scope.SOURCE: keys["source"],
    }


def _consultants(keys: pd.DataFrame) -> pd.Series:
    """The consultant's id, with the dealer before it when several dealers use the same one (in any of the months)."""
    dealers, consultants = keys["dealer_id"].cat.categories, keys["consultant_id"].cat.categories
    pair = keys["dealer_id"].cat.codes.to_numpy().astype("int64") * len(consultants)
    pair += keys["consultant_id"].cat.codes.to_numpy()
    place, pairs = pd.factorize(pair)
    dealer, consultant = np.divmod(pairs, len(consultants)) if len(pairs) else (pairs, pairs)
    shared = np.bincount(consultant, minlength=len(consultants))[consultant] > 1
    names = [
        "" if consultants[who] == "" else f"{dealers[where]}:{consultants[who]}" if several else consultants[who]
        for where, who, several in zip(dealer, consultant, shared, strict=True)
    ]
    distinct, labels = pd.factorize(np.array(names, dtype=object), sort=True)
    ids = pd.Categorical.from_codes(distinct[place], categories=pd.Index(labels, dtype="str"))
    return pd.Series(ids, index=keys.index)


def _scope_table(scope: Scope, ids: pd.Series, month: Codes, rows: Sums, wanted: Sequence[Indicator]) -> pd.DataFrame:
    """One row per scope id with figures in the cycle's month and indicator; month 0 is the cycle."""
    number = ids.cat.codes.to_numpy().astype("int64")
    shape = (len(ids.cat.categories), 3)
    place, start = number * shape[1] + month, 0
    totals: dict[tuple[Base, str], Values] = {}
    for base, frame in rows.items():
        here = place[start : start + len(frame)]
        start += len(frame)
        for name in facts_of(base, wanted):
            weights = frame[name].to_numpy(dtype="float64")
            totals[base, name] = np.bincount(here, weights, shape[0] * 3).reshape(shape).astype("float64")
    nothing = np.zeros(shape)
    numerator = np.stack([totals.get((one.base, one.numerator), nothing) for one in wanted], axis=1)
    denominator = np.stack([totals.get((one.base, one.denominator), nothing) for one in wanted], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(denominator > 0, numerator / denominator, np.nan)
    present = (denominator[:, :, 0] > 0).any(axis=1) & (ids.cat.categories.to_numpy() != "")
    scope_ids = ids.cat.categories.to_numpy(dtype=object)[present]
    codes = np.array([one.code for one in wanted], dtype=object)
    return pd.DataFrame(
        {
            "scope": scope.value,
            "scope_id": np.repeat(scope_ids, len(codes)),
            "indicator": np.tile(codes, len(scope_ids)),
            "numerator": numerator[present, :, 0].ravel(),
            "denominator": denominator[present, :, 0].ravel(),
            "value": value[present, :, 0].ravel(),
            "previous": value[present, :, 1].ravel(),
            "same_month_last_year": value[present, :, 2].ravel(),
        }
    )
