"""Indicators from their declarations: additive sums first, rates last (design.md section 1).

``indicator_sums`` gives numerator and denominator per month and cell; adding such sums up is merging them, so that months,
shards and machines can be computed apart. ``indicator_table`` divides them for every scope.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.catalogue.indicators import Base, Indicator
from models.enums import Scope
from tasks.compute.lead_facts import CELLS

KEYS = ("month", *CELLS)
_MONTH_COLUMN = {
    Base.CLOSING: ("closed_month", "counted"),
    Base.CREATED: ("created_month", "counted"),
    Base.FILED: ("filed_month", "filed_counted"),
    Base.MONTH_END: ("month", "counted"),
}
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

Codes = npt.NDArray[np.int64]


def indicator_sums(
    facts: pd.DataFrame, declarations: Sequence[Indicator], open_facts: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Numerator and denominator per month, cell and indicator (frame ``sums`` of docs/architecture.md).

    ``facts`` of tasks.compute.lead_facts, ``open_facts`` of the same module for the indicators at month end (left out
    when None). Leads that are not ``counted`` are in neither; cells without numerator and denominator have no row.
    Keys are categories, missing ones the empty text; both sums are floats.
    """
    parts = [
        part
        for base in Base
        for part in _sums_of_base(
            open_facts if base is Base.MONTH_END else facts, base, [one for one in declarations if one.base is base]
        )
    ]
    return merge_sums(parts, add=False)


def merge_sums(parts: Iterable[pd.DataFrame], *, add: bool = True) -> pd.DataFrame:
    """Several sums as one; with ``add`` the rows of the same month, cell and indicator are added up."""
    frames = list(parts)
    keys = [*KEYS, "indicator"]
    if not frames:
        empty = pd.DataFrame({name: pd.Series([], dtype="str").astype("category") for name in keys})
        return empty.assign(numerator=pd.Series([], dtype="float64"), denominator=pd.Series([], dtype="float64"))
    columns: dict[str, object] = {}
    for name in keys:
        words = sorted(set().union(*(frame[name].cat.categories for frame in frames)))
        codes = np.concatenate([_codes(frame[name], words) for frame in frames])
        columns[name] = pd.Categorical.from_codes(codes, pd.Index(words, dtype="str"))
    for name in ("numerator", "denominator"):
        columns[name] = np.concatenate([frame[name].to_numpy() for frame in frames])
    whole = pd.DataFrame(columns)
    return whole.groupby(keys, observed=True, as_index=False, sort=True).sum() if add else whole


def _sums_of_base(facts: pd.DataFrame | None, base: Base, declared: Sequence[Indicator]) -> Iterable[pd.DataFrame]:
    if facts is None or not len(facts) or not declared:
        return
    month, counted = _MONTH_COLUMN[base]
    rows = facts[facts[month].notna() & facts[counted]]
    if not len(rows):
        return
    keys = {name: rows[month if name == "month" else name].astype("category") for name in KEYS}
    cell, first = _cells([values.cat.codes.to_numpy() for values in keys.values()])
    cells = {name: values.cat.remove_unused_categories() for name, values in keys.items()}
    totals: dict[str, npt.NDArray[np.float64]] = {}
    for fact in {name for one in declared for name in (one.numerator, one.denominator)}:
        totals[fact] = np.bincount(cell, weights=rows[fact].to_numpy(dtype="float64"), minlength=len(first))
    for one in declared:
        numerator, denominator = totals[one.numerator], totals[one.denominator]
        there = np.flatnonzero((numerator != 0) | (denominator != 0))
        columns: dict[str, object] = {name: values.array.take(first[there]) for name, values in cells.items()}
        columns["indicator"] = pd.Categorical.from_codes(
            np.zeros(len(there), dtype="int64"), pd.Index([one.code], dtype="str")
        )
        yield pd.DataFrame(columns | {"numerator": numerator[there], "denominator": denominator[there]})


def _cells(codes: Sequence[npt.NDArray[np.integer]]) -> tuple[Codes, Codes]:
    """The number of the cell each row is in, and a row of each cell."""
    combined = np.zeros(len(codes[0]), dtype="int64")
    for part in codes:
        combined = combined * (int(part.max()) + 1) + part
    cell, _ = pd.factorize(combined)
    first = np.full(int(cell.max()) + 1, len(cell), dtype="int64")
    np.minimum.at(first, cell, np.arange(len(cell)))
    return cell.astype("int64"), first


def _codes(values: pd.Series, words: Sequence[str]) -> Codes:
    """The code of each value in ``words``."""
    translate = pd.Index(words).get_indexer(pd.Index(values.cat.categories))
    return translate[values.cat.codes.to_numpy()].astype("int64")


def indicator_table(
    sums: pd.DataFrame, cycle: str, codes: Sequence[str], regions: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """The ``indicators`` of exports.md for ``cycle``: one row per scope and indicator, values as rates or means.

    ``codes``: the indicators in the order wanted. ``regions``: region of each dealer to report by (a dealer that changed
    its region is then shown in the present one in all months); by default the region each sum was stored with. A scope
    has rows for all indicators once it has any figure in the cycle's month; a value whose denominator is 0 is missing, and
    so are ``previous`` (the month before) and ``same_month_last_year`` without data. ``scope_id`` of a consultant is the
    consultant's id, with ``<dealer_id>:`` before it when the same id occurs at several dealers. ``expected, gap_points,
    lo90, hi90, flagged`` stay empty: the comparison of dealers fills them.
    """
    months = (cycle, *earlier_months(cycle))
    rows = sums[sums["month"].isin(months) & sums["indicator"].isin(codes)]
    indicator = _codes(rows["indicator"], list(codes))
    month = _codes(rows["month"], list(months))
    ids = _scope_ids(rows, sums, regions)
    tables = [_scope_table(scope, ids[scope], indicator, month, rows, codes) for scope in Scope]
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


def _scope_ids(rows: pd.DataFrame, sums: pd.DataFrame, regions: Mapping[str, str] | None) -> dict[Scope, pd.Series]:
    region = rows["region_id"] if regions is None else rows["dealer_id"].astype("str").map(regions).fillna("")
    return {
        Scope.NATION: pd.Series(NATION, index=rows.index),
        Scope.REGION: region,
        Scope.DEALER: rows["dealer_id"],
        Scope.CONSULTANT: _consultants(rows, sums),
        Scope.SERIES: rows["series"],
        Scope.SOURCE: rows["source"],
    }


def _consultants(rows: pd.DataFrame, sums: pd.DataFrame) -> pd.Series:
    pairs = sums[["dealer_id", "consultant_id"]].drop_duplicates().astype("str")
    shared = set(pairs.loc[pairs["consultant_id"].duplicated(), "consultant_id"]) - {""}
    plain = rows["consultant_id"].astype("str")
    return plain.where(~plain.isin(shared), rows["dealer_id"].astype("str") + ":" + plain)


def _scope_table(
    scope: Scope, ids: pd.Series, indicator: Codes, month: Codes, rows: pd.DataFrame, codes: Sequence[str]
) -> pd.DataFrame:
    """One row per scope id with figures in the cycle's month and indicator; month 0 is the cycle."""
    named = ids.astype("category")
    number = named.cat.codes.to_numpy().astype("int64")
    shape = (len(named.cat.categories), len(codes), 3)
    place = (number * shape[1] + indicator) * shape[2] + month
    size = int(np.prod(shape))
    total = {
        name: np.bincount(place, weights=rows[name].to_numpy(), minlength=size).reshape(shape)
        for name in ("numerator", "denominator")
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(total["denominator"] > 0, total["numerator"] / total["denominator"], np.nan)
    present = (total["denominator"][:, :, 0] > 0).any(axis=1) & (named.cat.categories.to_numpy() != "")
    scope_ids = named.cat.categories.to_numpy(dtype=object)[present]
    return pd.DataFrame(
        {
            "scope": scope.value,
            "scope_id": np.repeat(scope_ids, len(codes)),
            "indicator": np.tile(np.array(codes, dtype=object), len(scope_ids)),
            "numerator": total["numerator"][present, :, 0].ravel(),
            "denominator": total["denominator"][present, :, 0].ravel(),
            "value": value[present, :, 0].ravel(),
            "previous": value[present, :, 1].ravel(),
            "same_month_last_year": value[present, :, 2].ravel(),
        }
    )
