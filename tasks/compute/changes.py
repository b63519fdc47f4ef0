"""What changed: rates of a month against the month before and the year before, and regions beside each other.

Source: domain.md section 8. Differences of two proportions with 90 % intervals (tasks.compute.difference); the q values
are Benjamini and Hochberg's over all differences of a scope, so that many looks at once do not make findings.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy import stats

from models.catalogue.commentary import CommentaryRules
from tasks.compute.difference import Z90, difference
from tasks.compute.indicators import earlier_months
from tasks.compute.reason_table import ALL_LEADS

CHANGE_DTYPES = {
    "kind": "str",
    "reason": "str",
    "series": "str",
    "brand": "str",
    "region_id": "str",
    "cases": "int64",
    "of": "int64",
    "other_cases": "int64",
    "other_of": "int64",
    "points": "float64",
    "lo90": "float64",
    "hi90": "float64",
    "q_value": "float64",
}
#: Defeats for an excluded or missing brand are in no flow: a change of them is one of bookkeeping.
_KEYS = ("reason", "series", "brand", "region_id")
_Row = dict[str, object]
_Sums = dict[tuple[str, ...], tuple[int, ...]]


def changes(
    closings: pd.DataFrame, reasons: pd.DataFrame, flows: pd.DataFrame, cycle: str, rules: CommentaryRules
) -> pd.DataFrame:
    """Every difference of a scope that has cases enough on both sides, with interval and q value; CHANGE_DTYPES.

    ``closings``: month, region_id, series, leads, won; ``reasons``: month, series, reason, used (``reason_sums`` of
    docs/architecture.md); ``flows``: the ``competitors`` of exports.md; all of the scope only. ``kind`` as in
    models.catalogue.commentary; regions stand beside the others where there are several.
    """
    months = dict(zip(("previous", "last_year"), earlier_months(cycle), strict=True))
    leads = _sums(closings, ("month",), ("leads", "won"))
    rows = [
        *_close_rates(leads, cycle, months),
        *_regions(closings[closings["month"].astype("str") == cycle]),
        *_reasons(reasons, leads, cycle, months),
        *_flows(flows, closings, cycle, months),
    ]
    enough = [row for row in rows if _comparable(row, rules)]
    return _judged(enough)


def _sums(frame: pd.DataFrame, by: tuple[str, ...], names: tuple[str, ...]) -> _Sums:
    """Columns added up in plain words: a scope is small and looked at often, for which a frame's grouping is slow."""
    found: _Sums = {}
    columns = [frame[name].tolist() for name in (*by, *names)]
    for values in zip(*columns, strict=True):
        key = tuple(map(str, values[: len(by)]))
        before = found.get(key, (0,) * len(names))
        found[key] = tuple(int(old + new) for old, new in zip(before, values[len(by) :], strict=True))
    return found


def _both(leads: _Sums, month: str) -> tuple[int, int]:
    """Leads closed and won in a month."""
    closed, won = leads.get((month,), (0, 0))
    return closed, won


def _row(kind: str, cases: int, of: int, other_cases: int, other_of: int, **about: str) -> _Row:
    counts = {"cases": cases, "of": of, "other_cases": other_cases, "other_of": other_of}
    return {"kind": kind, **dict.fromkeys(_KEYS, ""), **about, **counts}


def _close_rates(leads: _Sums, cycle: str, months: dict[str, str]) -> Iterator[_Row]:
    closed, won = _both(leads, cycle)
    for against, month in months.items():
        closed_then, won_then = _both(leads, month)
        yield _row(f"close_rate_{against}", won, closed, won_then, closed_then)


def _regions(month: pd.DataFrame) -> Iterator[_Row]:
    by_region = {key: counts for (key,), counts in _sums(month, ("region_id",), ("won", "leads")).items() if key}
    if len(by_region) < 2:
        return
    all_won, all_closed = (sum(counts[place] for counts in by_region.values()) for place in (0, 1))
    for region, (won, closed) in sorted(by_region.items()):
        yield _row("region", won, closed, all_won - won, all_closed - closed, region_id=region)


def _reasons(reasons: pd.DataFrame, leads: _Sums, cycle: str, months: dict[str, str]) -> Iterator[_Row]:
    used = _sums(reasons, ("reason", "month"), ("used",))
    for reason in sorted({reason for reason, _ in used} - {ALL_LEADS}):
        for against, month in months.items():
            (cases,), (cases_then,) = (used.get((reason, name), (0,)) for name in (cycle, month))
            closed, closed_then = (_both(leads, name)[0] for name in (cycle, month))
            yield _row(f"reason_{against}", cases, closed, cases_then, closed_then, reason=reason)


def _flows(flows: pd.DataFrame, closings: pd.DataFrame, cycle: str, months: dict[str, str]) -> Iterator[_Row]:
    of = _sums(closings, ("series", "month"), ("leads",))
    columns = {"previous": "defeats_previous", "last_year": "defeats_last_year"}
    known = flows[flows["competitor_brand"].fillna("") != ""]
    for row in known.to_dict("records"):
        series, brand = str(row["series"]), str(row["competitor_brand"])
        for against, month in months.items():
            before = row.get(columns[against])
            if before is not None and not pd.isna(before):
                (closed,), (closed_then,) = (of.get((series, name), (0,)) for name in (cycle, month))
                counts = int(row["defeats"]), closed, int(before), closed_then
                yield _row(f"flow_{against}", *counts, series=series, brand=brand)


def _comparable(row: _Row, rules: CommentaryRules) -> bool:
    of, other = int(str(row["of"])), int(str(row["other_of"]))
    early = row["kind"] != "region" and other < rules.least_share * of
    return min(of, other) >= rules.min_cases and not early


def _judged(rows: list[_Row]) -> pd.DataFrame:
    told = []
    for row in rows:
        found = difference((1, int(str(row["cases"])), int(str(row["of"]))),
                           (-1, int(str(row["other_cases"])), int(str(row["other_of"]))))  # fmt: skip
        if found is None:
            continue
        points, lo90, hi90 = found
        error = (hi90 - lo90) / (2 * Z90)
        p_value = 2 * NormalDist().cdf(-abs(lo90 + hi90) / 2 / error) if error else 1.0
        told.append(row | {"points": points, "lo90": lo90, "hi90": hi90, "p_value": p_value})
    frame = pd.DataFrame(told, columns=[*CHANGE_DTYPES, "p_value"])
    p_values = frame["p_value"].to_numpy(dtype="float64")
    frame["q_value"] = stats.false_discovery_control(p_values) if len(frame) else np.zeros(0)
    return frame[list(CHANGE_DTYPES)].astype(CHANGE_DTYPES)
