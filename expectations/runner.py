"""Running the suites: frames in; verdicts, row fates, counts per dealer and problems out. No lake, no SQL, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from expectations import helpers, masks, standard, suites
from expectations.months import against_months
from expectations.native import Verdict, judge
from expectations.results import ACCEPTED, HELD, QUARANTINED, CheckResult, Judged, TableCheck
from expectations.rules import Action, CheckOutcome
from expectations.view import UNASSIGNED, Leads, Links, View


class CountsDisagreeError(Exception):
    """Great Expectations and the row mask count differently: a defect of ours, nothing may be concluded."""


@dataclass(frozen=True)
class CheckContext:
    """What a run is checked against.

    ``absent``: fields the source declares it does not have, by table; ``waiting_leads``: dealers of the leads (by id)
    that were set apart when they were read, so that what hangs on them waits too; ``month``: the month (YYYY-MM) to
    compare with those before, none when empty; ``first_seen``: which load first brought each filing (lead_id,
    defeated_at, load from 1 or 0 where unknown, reach of that load's data), none when nothing is known of loads.
    """

    as_of: datetime
    absent: Mapping[str, frozenset[str]] = field(default_factory=dict)
    waiting_leads: Mapping[str, str] = field(default_factory=dict)
    month: str = ""
    first_seen: pd.DataFrame = field(default_factory=pd.DataFrame)


def run_suites(frames: Mapping[str, pd.DataFrame], context: CheckContext) -> CheckResult:
    """Check every table of ``frames`` that has a suite, in the order of ``suites.TABLES``.

    ``frames``: typed rows as the lake's ``received`` layer gives them, personal columns left out but for phone_key.
    Raises CountsDisagreeError when the two answers of an expectation differ.
    """
    reach = standard.reach_of_data(frames)
    horizon = max(context.as_of, reach) if reach else context.as_of
    links = Links(standard.standard_until(horizon), pd.Index([UNASSIGNED], dtype="str"), first_seen=context.first_seen)
    checked: dict[str, TableCheck] = {}
    for table in suites.TABLES:
        if table not in frames:
            continue
        view = View(table, frames[table].reset_index(drop=True), links)
        cells, judged = _judge_table(view, context)
        fate = _fates(len(view.frame), judged)
        links = _LINKING.get(table, _unchanged)(view, fate, context)
        # Only after the dealers were checked is it known who they are.
        dealer = View(table, view.frame, links).dealer if table == "dealers" else view.dealer
        counted = list(_counted(judged, cells, dealer, len(links.dealers)))
        absent = context.absent.get(table, frozenset())
        counted += against_months(view, context.month, context.as_of, absent, len(links.dealers))
        reasons = frozenset(links.standard.reasons)
        checked[table] = TableCheck(table, view.frame, tuple(counted), fate, dealer, reasons)
    return CheckResult(checked, links.dealers, horizon)


def _unchanged(view: View, fate: np.ndarray, context: CheckContext) -> Links:
    return view.links


def _with_dealers(view: View, fate: np.ndarray, context: CheckContext) -> Links:
    ids = view.frame.loc[fate == ACCEPTED, "dealer_id"].drop_duplicates()
    return replace(view.links, dealers=pd.Index([*ids, UNASSIGNED], dtype="str"))


def _with_leads(view: View, fate: np.ndarray, context: CheckContext) -> Links:
    leads = Leads(
        ids=view.frame["lead_id"],
        accepted=fate == ACCEPTED,
        dealer=view.dealer,
        times={column: view.times(column) for column in ("created_at", "last_contact_at")},
        waiting=pd.Series(list(context.waiting_leads), dtype="str"),
        waiting_dealer=view.known_dealers(pd.Series(list(context.waiting_leads.values()), dtype="str")),
    )
    return replace(view.links, leads=leads)


def _with_filings(view: View, fate: np.ndarray, context: CheckContext) -> Links:
    return replace(view.links, filings=view.frame.loc[fate != QUARANTINED, ["lead_id", "defeated_at"]])


_LINKING = {"dealers": _with_dealers, "leads": _with_leads, "defeats": _with_filings}


def _judge_table(view: View, context: CheckContext) -> tuple[pd.DataFrame, list[tuple[Any, Judged]]]:
    """The thin frame, and every declared expectation with its verdict and failing rows."""
    declared = suites.declared(view.table, view.links.standard)
    cells = _prepared(view, declared)
    notes = [_why_not(expectation, view, cells, context) for expectation in declared]
    asked = [expectation for expectation, note in zip(declared, notes, strict=True) if not note]
    verdicts = iter(judge(view.table, cells, asked))
    judged = [
        _judged(expectation, Verdict(CheckOutcome.NOT_CHECKED) if note else next(verdicts), cells, note)
        for expectation, note in zip(declared, notes, strict=True)
    ]
    return cells, list(zip(declared, judged, strict=True))


def _prepared(view: View, declared: Sequence[Any]) -> pd.DataFrame:
    words = {masks.columns_used(each)[0] for each in declared if hasattr(each, "value_set") or hasattr(each, "regex")}
    cells = {}
    for column in dict.fromkeys(column for each in declared for column in masks.columns_used(each)):
        own = column in view.frame
        prepared = view.thin(column, column in words) if own else helpers.helper(view, column)
        if prepared is not None:
            cells[column] = prepared
    return pd.DataFrame(cells, index=view.frame.index, copy=False)


def _why_not(expectation: Any, view: View, cells: pd.DataFrame, context: CheckContext) -> str:
    """Why an expectation cannot be asked: nothing to look at is never a pass, and never a failure of every row."""
    columns = masks.columns_used(expectation)
    if not columns:
        return ""
    sources = {source.removesuffix("_key") for column in columns for source in helpers.sources(column)}
    if sources & context.absent.get(view.table, frozenset()):
        return "absent"
    if not len(view.frame):
        return "empty"
    presence = type(expectation).__name__ in masks.PRESENCE
    if presence and expectation.meta["rule"] == "missing_required" and "phone_key" not in columns:
        return ""
    nothing = any(column in cells and cells[column].isna().all() for column in columns)
    return (
        next((helpers.UNKNOWN[column] for column in columns if column in helpers.UNKNOWN), "all_null")
        if nothing
        else ""
    )


def _judged(expectation: Any, verdict: Verdict, cells: pd.DataFrame, note: str) -> Judged:
    kind = type(expectation).__name__
    if verdict.outcome is not CheckOutcome.FAILED or kind in masks.WHOLE_TABLE:
        return Judged(expectation.meta, kind, verdict, note)
    rows = np.flatnonzero(masks.failing(expectation, cells))
    if rows.size != verdict.failed:
        raise CountsDisagreeError(f"{expectation.meta['id']}: {verdict.failed} by GX, {rows.size} by the mask")
    bounds = {"low": getattr(expectation, "min_value", None), "high": getattr(expectation, "max_value", None)}
    params = {name: _plain(value) for name, value in bounds.items() if value is not None}
    return Judged(expectation.meta, kind, verdict, rows=rows, params=params)


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.strftime("%Y-%m-%d")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _fates(rows: int, judged: Sequence[tuple[Any, Judged]]) -> np.ndarray:
    """A row's own fault comes before waiting for its lead."""
    fate = np.full(rows, ACCEPTED, dtype=np.int8)
    for action, becomes in ((Action.HOLD, HELD), (Action.DROP, QUARANTINED)):
        for _, one in judged:
            if one.rows is not None and one.meta["action"] == action:
                fate[one.rows] = becomes
    return fate


def _counted(
    judged: Sequence[tuple[Any, Judged]], cells: pd.DataFrame, dealer: np.ndarray, dealers: int
) -> Iterator[Judged]:
    """The verdicts with rows looked at and rows failing per dealer."""
    everything = np.bincount(dealer, minlength=dealers)
    known: dict[tuple[str, ...], np.ndarray] = {}
    for expectation, one in judged:
        if one.verdict.outcome not in (CheckOutcome.PASSED, CheckOutcome.FAILED) or one.kind in masks.WHOLE_TABLE:
            yield one
            continue
        columns = () if one.kind in masks.PRESENCE else masks.columns_used(expectation)
        if columns not in known:
            present = np.logical_and.reduce([cells[column].notna().to_numpy() for column in columns] or [[True]])
            known[columns] = everything if present.all() else np.bincount(dealer[present], minlength=dealers)
        failed = None if one.rows is None else np.bincount(dealer[one.rows], minlength=dealers)
        yield replace(one, checked=known[columns], failed=failed)
