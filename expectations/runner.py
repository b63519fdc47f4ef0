"""Running the suites: frames in; verdicts, row fates, counts per dealer and problems out. No lake, no SQL, no clock."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from expectations import helpers, masks, standard, suites
from expectations.native import Verdict, judge
from expectations.rules import Action, CheckOutcome
from expectations.view import UNASSIGNED, Leads, Links, View, thin
from models.catalogue.contract import FILE_COLUMN, PERSONAL_KINDS, ROW_COLUMN, contract
from models.enums import RowFate, Severity

#: The Problems frame of docs/architecture.md.
PROBLEM_COLUMNS = (
    *("table", "source_file", "row_number", "row_key", "dealer_id"),
    *("rule", "column", "severity", "params"),
)
ACCEPTED, QUARANTINED, HELD = 0, 1, 2
FATES = {ACCEPTED: RowFate.ACCEPTED, QUARANTINED: RowFate.QUARANTINED, HELD: RowFate.HELD}
# A value is repeated in a message only if it looks like a code or a figure, and not like a phone.
_SHOWABLE = re.compile(r"(?!.*\d{7})[\w .:/+-]{1,40}")


class CountsDisagreeError(Exception):
    """Great Expectations and the row mask count differently: a defect of ours, nothing may be concluded."""


@dataclass(frozen=True)
class CheckContext:
    """What a run is checked against.

    ``absent``: fields the source declares it does not have, by table; ``waiting_leads``: ids of leads set apart when
    they were read, so that what hangs on them waits too; ``reasons``: folder of an OEM's own reason standard.
    """

    as_of: datetime
    absent: Mapping[str, frozenset[str]] = field(default_factory=dict)
    waiting_leads: Sequence[str] = ()
    reasons: Path | None = None


@dataclass(frozen=True)
class Judged:
    """One expectation over one table: its declaration, the verdict and, where it failed, the rows."""

    meta: Mapping[str, str]
    kind: str
    verdict: Verdict
    note: str = ""  # why it was not checked: absent, all_null, empty
    rows: np.ndarray | None = None  # positions of the failing rows
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether rows (or the table) fail it."""
        return self.verdict.outcome is CheckOutcome.FAILED


@dataclass(frozen=True)
class TableCheck:
    """One table: its rows as received, what became of each, its dealers, and every expectation's verdict."""

    table: str
    frame: pd.DataFrame
    judged: tuple[Judged, ...]
    fate: np.ndarray  # ACCEPTED, QUARANTINED or HELD per row
    dealer: np.ndarray  # position in CheckResult.dealers per row
    reasons: frozenset[str]

    @cached_property
    def warned(self) -> np.ndarray:
        """Accepted rows that at least one warning is about."""
        warned = np.zeros(len(self.frame), bool)
        for judged in self.judged:
            if judged.rows is not None and judged.meta["severity"] == Severity.WARN:
                warned[judged.rows] = True
        return warned & (self.fate == ACCEPTED)

    @property
    def blocked(self) -> bool:
        """Whether the table as a whole cannot be used."""
        return any(judged.failed and judged.meta["action"] == Action.STOP for judged in self.judged)

    def accepted(self) -> pd.DataFrame:
        """The accepted rows, with the cells emptied that a null-and-warn rule is about."""
        cleaned = self.frame.copy(deep=False)
        for judged in self.judged:
            if judged.rows is None or judged.meta["action"] != Action.NULL:
                continue
            column = judged.meta["column"]
            failing = np.zeros(len(cleaned), bool)
            failing[judged.rows] = True
            kind = contract().tables[self.table].fields[column].kind
            known = self._known_reasons(cleaned[column], failing) if kind == "reason_list" else None
            cleaned[column] = cleaned[column].mask(failing, known)
        return cleaned[self.fate == ACCEPTED].reset_index(drop=True)

    def _known_reasons(self, cells: pd.Series, failing: np.ndarray) -> pd.Series:
        """Of a list of reasons only the unknown ones are left out."""
        found = cells[failing].dropna().unique()
        known = {cell: ";".join(code for code in helpers.split_reasons(cell) if code in self.reasons) for cell in found}
        return cells.map({cell: kept or None for cell, kept in known.items()}).astype("str")


@dataclass(frozen=True)
class CheckResult:
    """All tables checked; ``dealers`` are the accepted ones with ``_unassigned`` last."""

    tables: Mapping[str, TableCheck]
    dealers: pd.Index
    horizon: datetime

    def expectations(self) -> pd.DataFrame:
        """One row per expectation: id, table, rule, column, type, severity, dimension, owner, outcome, note, problem,
        rows (of the table), checked (rows with a value, the denominator), failed."""
        return pd.DataFrame(
            [
                {
                    "id": judged.meta["id"],
                    "table": table.table,
                    **{key: judged.meta[key] for key in ("rule", "column", "severity", "dimension", "owner")},
                    "type": judged.kind,
                    "outcome": judged.verdict.outcome.value,
                    "note": judged.note,
                    "problem": judged.verdict.problem,
                    "rows": len(table.frame),
                    "checked": judged.verdict.checked,
                    "failed": judged.verdict.failed,
                }
                for table in self.tables.values()
                for judged in table.judged
            ]
        )

    def per_dealer(self) -> pd.DataFrame:
        """One row per expectation with failing rows and dealer: table, rule, column, severity, dealer_id, failed."""
        parts = []
        for table in self.tables.values():
            for judged in table.judged:
                if judged.rows is None:
                    continue
                counts = np.bincount(table.dealer[judged.rows], minlength=len(self.dealers))
                hit = np.flatnonzero(counts)
                said = {key: judged.meta[key] for key in ("rule", "column", "severity")}
                parts.append(
                    pd.DataFrame({"dealer_id": self.dealers[hit], "failed": counts[hit]}).assign(
                        table=table.table, **said
                    )
                )
        columns = ["table", "rule", "column", "severity", "dealer_id", "failed"]
        return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)

    def problems(self) -> pd.DataFrame:
        """Every failing row and rule as a Problems frame (docs/architecture.md)."""
        parts = [_problems(table, self.dealers) for table in self.tables.values()]
        parts = [part for part in parts if len(part)]
        return pd.concat(parts, ignore_index=True) if parts else no_problems()


def no_problems() -> pd.DataFrame:
    """A Problems frame without rows."""
    return pd.DataFrame({name: pd.Series(dtype="Int64" if name == "row_number" else "str") for name in PROBLEM_COLUMNS})


def run_suites(frames: Mapping[str, pd.DataFrame], context: CheckContext) -> CheckResult:
    """Check every table of ``frames`` that has a suite, in the order of ``suites.TABLES``.

    ``frames``: typed rows as the lake's ``received`` layer gives them, personal columns left out but for phone_key.
    Raises CountsDisagreeError when the two answers of an expectation differ.
    """
    end = standard.end_of_data(frames)
    horizon = max(context.as_of, end) if end else context.as_of
    measure = standard.shipped(horizon, context.reasons)
    links = Links(measure, pd.Index([UNASSIGNED], dtype="str"))
    checked: dict[str, TableCheck] = {}
    for table in suites.TABLES:
        if table not in frames:
            continue
        frame = frames[table].reset_index(drop=True)
        result = _check(View(table, frame, links), context)
        links = _LINKING.get(table, _unchanged)(links, result, context)
        if table == "dealers":  # only now it is known which dealers there are
            result = replace(result, dealer=View(table, frame, links).dealer)
        checked[table] = result
    return CheckResult(checked, links.dealers, horizon)


def _unchanged(links: Links, result: TableCheck, context: CheckContext) -> Links:
    return links


def _with_dealers(links: Links, result: TableCheck, context: CheckContext) -> Links:
    ids = result.frame.loc[result.fate == ACCEPTED, "dealer_id"].drop_duplicates()
    return Links(links.standard, pd.Index([*ids, UNASSIGNED], dtype="str"))


def _with_leads(links: Links, result: TableCheck, context: CheckContext) -> Links:
    view = View("leads", result.frame, links)
    leads = Leads(
        ids=result.frame["lead_id"],
        accepted=result.fate == ACCEPTED,
        dealer=result.dealer,
        times={column: view.times(column) for column in ("created_at", "last_contact_at")},
        waiting=pd.Series(list(context.waiting_leads), dtype="str"),
    )
    return Links(links.standard, links.dealers, leads)


def _with_filings(links: Links, result: TableCheck, context: CheckContext) -> Links:
    filings = result.frame.loc[result.fate != QUARANTINED, ["lead_id", "defeated_at"]]
    return Links(links.standard, links.dealers, links.leads, filings)


_LINKING = {"dealers": _with_dealers, "leads": _with_leads, "defeats": _with_filings}


def _check(view: View, context: CheckContext) -> TableCheck:
    declared = suites.declared(view.table, view.links.standard)
    cells = _prepared(view, declared)
    notes = [_why_not(expectation, view, cells, context) for expectation in declared]
    asked = [expectation for expectation, note in zip(declared, notes, strict=True) if not note]
    verdicts = iter(judge(view.table, cells, asked))
    judged = tuple(
        Judged(expectation.meta, type(expectation).__name__, Verdict(CheckOutcome.NOT_CHECKED), note)
        if note
        else _judged(expectation, next(verdicts), cells)
        for expectation, note in zip(declared, notes, strict=True)
    )
    fate = np.zeros(len(view.frame), dtype=np.int8)
    for action, becomes in ((Action.HOLD, HELD), (Action.DROP, QUARANTINED)):
        for one in judged:
            if one.rows is not None and one.meta["action"] == action:
                fate[one.rows] = becomes
    return TableCheck(view.table, view.frame, judged, fate, view.dealer, frozenset(view.links.standard.reasons))


def _prepared(view: View, declared: Sequence[Any]) -> pd.DataFrame:
    words = {masks.columns_used(each)[0] for each in declared if hasattr(each, "value_set")}
    used = dict.fromkeys(column for each in declared for column in masks.columns_used(each))
    cells = {}
    for column in used:
        prepared = thin(view.frame[column], column in words) if column in view.frame else helpers.helper(view, column)
        if prepared is not None:
            cells[column] = prepared
    return pd.DataFrame(cells, index=view.frame.index)


def _why_not(expectation: Any, view: View, cells: pd.DataFrame, context: CheckContext) -> str:
    """Why an expectation cannot be asked: nothing to look at is never a pass, and never a failure of every row."""
    columns = masks.columns_used(expectation)
    if not columns:
        return ""
    sources = {source for column in columns for source in helpers.sources(column)}
    if {source.removesuffix("_key") for source in sources} & context.absent.get(view.table, frozenset()):
        return "absent"
    if not len(view.frame):
        return "empty"
    presence = type(expectation).__name__ == "ExpectColumnValuesToNotBeNull"
    if presence and expectation.meta["rule"] == "missing_required" and "phone_key" not in columns:
        return ""
    nothing = any(column in cells and cells[column].isna().all() for column in columns)
    return "all_null" if nothing else ""


def _judged(expectation: Any, verdict: Verdict, cells: pd.DataFrame) -> Judged:
    kind = type(expectation).__name__
    if verdict.outcome is not CheckOutcome.FAILED or kind in masks.WHOLE_TABLE:
        return Judged(expectation.meta, kind, verdict)
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


def _problems(table: TableCheck, dealers: pd.Index) -> pd.DataFrame:
    found = [judged for judged in table.judged if judged.rows is not None]
    if not found:
        return no_problems()
    rows = np.concatenate([judged.rows for judged in found])
    frame = table.frame

    def repeated(values: Sequence[str]) -> pd.Categorical:
        names = list(dict.fromkeys(values))
        codes = np.repeat([names.index(value) for value in values], [len(judged.rows) for judged in found])
        return pd.Categorical.from_codes(codes, categories=pd.Index(names, dtype="str"))

    key = next((name for name in contract().tables[table.table].key if name.endswith("_id")), "")
    columns = {
        "table": table.table,
        "source_file": _taken(frame, FILE_COLUMN, rows, "str"),
        "row_number": _taken(frame, ROW_COLUMN, rows, "Int64"),
        "row_key": _taken(frame, key, rows, "str").fillna(""),
        "dealer_id": dealers.take(table.dealer[rows]),
        **{name: repeated([judged.meta[name] for judged in found]) for name in ("rule", "column", "severity")},
        "params": pd.concat([_params(judged, frame) for judged in found], ignore_index=True),
    }
    kinds = {name: "Int64" if name == "row_number" else "str" for name in PROBLEM_COLUMNS}
    return pd.DataFrame(columns)[list(PROBLEM_COLUMNS)].astype(kinds)


def _taken(frame: pd.DataFrame, column: str, rows: np.ndarray, dtype: str) -> pd.Series:
    if column not in frame:
        return pd.Series([pd.NA] * len(rows), dtype=dtype)
    return frame[column].iloc[rows].reset_index(drop=True).astype(dtype)


def _params(judged: Judged, frame: pd.DataFrame) -> pd.Series:
    """The parameters of each row's message as JSON; a cell's value only where a person needs it to find the error."""
    column = judged.meta["column"]
    said = {"column": column, **judged.params}
    if judged.meta["action"] == Action.KEEP or judged.kind not in _SHOWS_VALUE or not _may_show(judged, frame):
        return pd.Series(json.dumps(said, ensure_ascii=False), index=range(len(judged.rows)), dtype="str")
    cells = frame[column].iloc[judged.rows]
    times = cells.dtype.kind == "M"
    values = (cells.dt.strftime("%Y-%m-%d %H:%M") if times else cells.astype("str")).fillna("")
    words = {
        value: json.dumps({**said, "value": value if _SHOWABLE.fullmatch(value) else "…"}, ensure_ascii=False)
        for value in values.unique()
    }
    return values.map(words).astype("str").reset_index(drop=True)


_SHOWS_VALUE = frozenset({"ExpectColumnValuesToBeBetween", "ExpectColumnValuesToBeInSet"})


def _may_show(judged: Judged, frame: pd.DataFrame) -> bool:
    table, column = judged.meta["id"].split(".")[0], judged.meta["column"]
    kind = contract().tables[table].fields[column].kind
    return column in frame and kind not in PERSONAL_KINDS and kind != "free_text"
