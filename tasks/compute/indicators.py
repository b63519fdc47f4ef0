"""Indicators from their declarations: additive sums first, rates last (design.md section 1).

``indicator_sums`` gives numerator and denominator per month and cell; adding such sums up is merging them, so that
months, shards and machines can be computed apart. ``indicator_table`` divides them for every scope.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.catalogue.indicators import Base, Indicator, indicators
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
Values = npt.NDArray[np.float64]


def indicator_sums(
    facts: pd.DataFrame, declarations: Sequence[Indicator], open_facts: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Numerator and denominator per month, cell and indicator (frame ``sums`` of docs/architecture.md).

    ``facts`` of tasks.compute.lead_facts, ``open_facts`` of the same module for the indicators at month end (left out
    when None). Leads that are not ``counted`` are in neither; cells without numerator and denominator have no row.
    Keys are categories, missing ones the empty text; both sums are floats.
    """
    names = pd.Index([one.code for one in declarations], dtype="str")
    parts = []
    for base in Base:
        rows = open_facts if base is Base.MONTH_END else facts
        declared = [(number, one) for number, one in enumerate(declarations) if one.base is base]
        if rows is not None and declared:
            parts.append(_sums_of_base(rows, base, declared, names))
    return _stacked([part for part in parts if part is not None])


def merge_sums(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Several sums as one, the rows of the same month, cell and indicator added up, in the order of their keys."""
    whole = _stacked(list(parts))
    return whole.groupby([*KEYS, "indicator"], observed=True, as_index=False, sort=True).sum()


def _stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Sums one below the other, their keys as categories of the union in alphabetical order."""
    columns: dict[str, pd.Categorical | Values] = {}
    for name in (*KEYS, "indicator"):
        words = sorted(set().union(*(frame[name].cat.categories for frame in frames)))
        codes = [_codes(frame[name], words) for frame in frames]
        columns[name] = pd.Categorical.from_codes(
            np.concatenate([np.empty(0, "int64"), *codes]), categories=pd.Index(words, dtype="str")
        )
    for name in ("numerator", "denominator"):
        columns[name] = np.concatenate([np.empty(0), *(frame[name].to_numpy() for frame in frames)])
    return pd.DataFrame(columns)


def _sums_of_base(
    facts: pd.DataFrame, base: Base, declared: Sequence[tuple[int, Indicator]], names: pd.Index
) -> pd.DataFrame | None:
    month, counted = _MONTH_COLUMN[base]
    rows = facts[(facts[month].notna() & facts[counted]).to_numpy(dtype=bool)]
    if not len(rows):
        return None
    keys = {name: rows[month if name == "month" else name].astype("category") for name in KEYS}
    cell, first = _cells([values.cat.codes.to_numpy() for values in keys.values()])
    totals: dict[str, Values] = {}
    for fact in {name for _, one in declared for name in (one.numerator, one.denominator)}:
        weights = rows[fact].to_numpy(dtype="float64")
        totals[fact] = np.bincount(cell, weights=weights, minlength=len(first)).astype("float64")
    sums = [(number, totals[one.numerator], totals[one.denominator]) for number, one in declared]
    there = [np.flatnonzero((numerator != 0) | (denominator != 0)) for _, numerator, denominator in sums]
    place = first[np.concatenate(there)]
    indicator = np.repeat(np.array([number for number, *_ in sums]), [len(some) for some in there])
    columns: dict[str, object] = {name: values.array.take(place) for name, values in keys.items()}
    return pd.DataFrame(
        columns
        | {
            "indicator": pd.Categorical.from_codes(indicator, categories=names),
            "numerator": np.concatenate([total[some] for (_, total, _), some in zip(sums, there, strict=True)]),
            "denominator": np.concatenate([total[some] for (_, _, total), some in zip(sums, there, strict=True)]),
        }
    )


def _cells(codes: Sequence[npt.NDArray[np.integer]]) -> tuple[Codes, Codes]:
    """The number of the cell each row is in, and a row of each cell."""
    combined = np.zeros(len(codes[0]), dtype="int64")
    for part in codes:
        combined = combined * (int(part.max()) + 1) + part
    cell = pd.factorize(combined)[0]
    first = np.full(int(cell.max()) + 1, len(cell), dtype="int64")
    np.minimum.at(first, cell, np.arange(len(cell)))
    return cell.astype("int64"), first


def _codes(values: pd.Series, words: Sequence[str]) -> Codes:
    """The code of each category value in ``words``."""
    translate = pd.Index(list(words), dtype="str").get_indexer(pd.Index(values.cat.categories))
    codes: Codes = translate[values.cat.codes.to_numpy()].astype("int64")
    return codes


def indicator_table(
    sums: pd.DataFrame, cycle: str, regions: Mapping[str, str] | None = None, codes: Sequence[str] | None = None
) -> pd.DataFrame:
    """The ``indicators`` of exports.md for ``cycle``: one row per scope and indicator, values as rates or means.

    ``regions``: region of each dealer to report by (a dealer that changed its region is then shown in the present one
    in all months); by default the region each sum was stored with. ``codes``: the indicators in the order wanted, by
    default all summed ones of the catalogue. A scope has rows for all of them once it has any figure in the month.
    ``value`` is missing when the denominator is 0, and so are ``previous`` (the month before) and
    ``same_month_last_year``. ``scope_id`` of a consultant is the consultant's id, with ``<dealer_id>:`` before it when
    several dealers use the same id. ``expected, gap_points, lo90, hi90, flagged`` stay empty: the comparison of dealers
    fills them.
    """
    months = (cycle, *earlier_months(cycle))
    wanted = [one.code for one in indicators().summed] if codes is None else list(codes)
    rows = sums[sums["month"].isin(months) & sums["indicator"].isin(wanted)]
    indicator = _codes(rows["indicator"], wanted)
    month = _codes(rows["month"], list(months))
    ids = _scope_ids(rows, sums, regions)
    tables = [_scope_table(scope, ids[scope], indicator, month, rows, wanted) for scope in Scope]
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
    """The scope id of each row as a category, empty text where it has none."""
    region = rows["region_id"]
    if regions is not None:
        dealers = rows["dealer_id"].cat
        present = pd.Categorical([regions.get(dealer, "") for dealer in dealers.categories])
        region = pd.Series(present.take(dealers.codes.to_numpy()), index=rows.index)
    nation = pd.Categorical.from_codes(np.zeros(len(rows), dtype="int8"), categories=pd.Index([NATION], dtype="str"))
    return {
        Scope.NATION: pd.Series(nation, index=rows.index),
        Scope.REGION: region,
        Scope.DEALER: rows["dealer_id"],
        Scope.CONSULTANT: _consultants(rows, sums),
        Scope.SERIES: rows["series"],
        Scope.SOURCE: rows["source"],
    }


def _consultants(rows: pd.DataFrame, sums: pd.DataFrame) -> pd.Series:
    """The consultant's id, with the dealer before it when several dealers use the same one (in any month)."""
    dealers, consultants = rows["dealer_id"].cat.categories, rows["consultant_id"].cat.categories
    pairs = pd.unique(_pair(sums))
    dealer, consultant = np.divmod(pairs, len(consultants))
    shared = np.bincount(consultant, minlength=len(consultants))[consultant] > 1
    names = [
        "" if consultants[who] == "" else f"{dealers[where]}:{consultants[who]}" if several else consultants[who]
        for where, who, several in zip(dealer, consultant, shared, strict=True)
    ]
    distinct, labels = pd.factorize(np.array(names, dtype=object), sort=True)
    place = pd.Index(pairs).get_indexer(pd.Index(_pair(rows)))
    ids = pd.Categorical.from_codes(distinct[place], categories=pd.Index(labels, dtype="str"))
    return pd.Series(ids, index=rows.index)


def _pair(sums: pd.DataFrame) -> Codes:
    consultants = sums["consultant_id"].cat
    pairs: Codes = sums["dealer_id"].cat.codes.to_numpy().astype("int64") * len(consultants.categories)
    return pairs + consultants.codes.to_numpy()


def _scope_table(
    scope: Scope, ids: pd.Series, indicator: Codes, month: Codes, rows: pd.DataFrame, codes: Sequence[str]
) -> pd.DataFrame:
    """One row per scope id with figures in the cycle's month and indicator; month 0 is the cycle."""
    number = ids.cat.codes.to_numpy().astype("int64")
    shape = (len(ids.cat.categories), len(codes), 3)
    place = (number * shape[1] + indicator) * shape[2] + month
    size = int(np.prod(shape))
    total = {
        name: np.bincount(place, weights=rows[name].to_numpy(), minlength=size).reshape(shape)
        for name in ("numerator", "denominator")
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(total["denominator"] > 0, total["numerator"] / total["denominator"], np.nan)
    present = (total["denominator"][:, :, 0] > 0).any(axis=1) & (ids.cat.categories.to_numpy() != "")
    scope_ids = ids.cat.categories.to_numpy(dtype=object)[present]
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
