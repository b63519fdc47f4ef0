"""The sums of a cycle in its results: one file per base and month, read by column and month (docs/architecture.md).

A new month adds its own files; what readers need of many months is added up month by month, so that memory is bounded
by one month and by the answer. The result ``sums`` is the list of what there is: base, month, cells.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from models.catalogue.indicators import Base, indicators
from tasks.compute.fact_sums import KEYS, added_up, counts_of, facts_of, stacked
from tasks.compute.reason_table import COUNTS
from tasks.compute.reason_table import KEYS as REASON_KEYS
from tasks.results import Results

CONTENTS = "sums"
REASONS = "reasons"  # beside the bases: the counts of reasons
#: The keys of comparisons: all but the consultant.
MIX = tuple(name for name in KEYS if name != "consultant_id")


def write_month(results: Results, base: str, month: str, sums: pd.DataFrame) -> str:
    """Write the sums of one month, of a base or of REASONS; returns the name of the result."""
    name = f"sums_{base}/{month}"
    results.write(name, sums.drop(columns="month"))
    return name


def write_contents(results: Results, written: Sequence[tuple[str, str, int]]) -> None:
    """Write the list of the sums there are: (base, month, cells); the last thing written, so that it names no half."""
    columns = {"base": "str", "month": "str", "cells": "int64"}
    results.write(CONTENTS, pd.DataFrame(written, columns=list(columns)).astype(columns))


def stored_months(results: Results, bases: Collection[str]) -> list[str]:
    """The months any of ``bases`` has sums of, oldest first; raises NotAvailableError when nothing was measured."""
    contents = results.read(CONTENTS)
    return sorted(set(contents.loc[contents["base"].isin(list(bases)), "month"]))


def read_sums(
    results: Results,
    base: Base,
    facts: Sequence[str],
    months: Collection[str] | None = None,
    keys: Sequence[str] = KEYS,
) -> pd.DataFrame:
    """The wide sums of ``base`` with the columns ``facts``, of some months (default: all), added up by ``keys``.

    Raises NotAvailableError when nothing was measured; months without sums have no rows.
    """
    return _read(results, base, KEYS, keys, facts, months)


def read_reason_sums(results: Results, months: Collection[str]) -> pd.DataFrame:
    """The counts of reasons of some months, as tasks.compute.reason_table makes them."""
    return _read(results, REASONS, REASON_KEYS, REASON_KEYS, COUNTS, months)


def _read(
    results: Results,
    base: str,
    stored: Sequence[str],
    keys: Sequence[str],
    facts: Sequence[str],
    months: Collection[str] | None,
) -> pd.DataFrame:
    there = stored_months(results, [base])
    parts = [_empty(keys, facts)]
    for month in there if months is None else [month for month in there if month in months]:
        one = results.read(f"sums_{base}/{month}", [*(name for name in keys if name != "month"), *facts])
        one = one.assign(month=pd.Categorical.from_codes([0] * len(one), categories=pd.Index([month], dtype="str")))
        parts.append(added_up(one, keys) if len(keys) < len(stored) else one[[*keys, *facts]])
    whole = stacked(parts[1:] or parts, keys)
    return whole if "month" in keys else added_up(whole, keys)


def _empty(keys: Sequence[str], facts: Sequence[str]) -> pd.DataFrame:
    nobody = pd.Series(dtype="str").astype("category")
    return pd.DataFrame(dict.fromkeys(keys, nobody) | dict.fromkeys(facts, pd.Series(dtype="int32")))


def indicator_sums(
    results: Results, codes: Collection[str], keys: Sequence[str], months: Collection[str] | None = None
) -> dict[str, pd.DataFrame]:
    """Per indicator of ``codes`` with any figure: ``keys``, ``numerator, denominator`` (see ``read_sums``)."""
    asked = [one for one in indicators().summed if one.code in codes]
    found: dict[str, pd.DataFrame] = {}
    for base in dict.fromkeys(one.base for one in asked):
        sums = read_sums(results, base, facts_of(base, asked), months, keys)
        found |= {one.code: counts_of(sums, one, keys) for one in asked if one.base is base}
    return {code: counts for code, counts in found.items() if len(counts)}
