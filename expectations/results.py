"""What a check answers: verdicts, row fates, counts per dealer; frames are made from them on demand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
import pandas as pd

from expectations import helpers
from expectations.native import Verdict
from expectations.problems import join, problems_of
from expectations.rules import Action, CheckOutcome
from models.catalogue.contract import contract
from models.enums import RowFate, Severity

ACCEPTED, QUARANTINED, HELD = 0, 1, 2
FATES = {ACCEPTED: RowFate.ACCEPTED, QUARANTINED: RowFate.QUARANTINED, HELD: RowFate.HELD}
_SAID = ("rule", "column", "severity", "action", "dimension", "owner")


@dataclass(frozen=True)
class Judged:
    """One expectation over one table: its declaration, the verdict and, where it failed, the rows.

    ``note`` says why it was not checked (of the messages ``quality.note``); ``rows`` are positions of failing rows;
    ``checked`` and ``failed`` count per dealer (position in ``CheckResult.dealers``), None when not checked or when
    the expectation is about the table as a whole.
    """

    meta: Mapping[str, str]
    kind: str
    verdict: Verdict
    note: str = ""
    rows: np.ndarray | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    checked: np.ndarray | None = None
    failed: np.ndarray | None = None


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
        return any(
            judged.verdict.outcome is CheckOutcome.FAILED and judged.meta["action"] == Action.STOP
            for judged in self.judged
        )

    def accepted(self, frame: pd.DataFrame | None = None) -> pd.DataFrame:
        """The accepted rows, with the cells emptied that a null-and-warn rule is about.

        ``frame``: the same rows in the same order with more columns (personal ones), if those are wanted too.
        """
        cleaned = (self.frame if frame is None else frame.reset_index(drop=True)).copy(deep=False)
        for judged in self.judged:
            if judged.rows is None or judged.meta["action"] != Action.NULL:
                continue
            column = judged.meta["column"]
            failing = np.zeros(len(cleaned), bool)
            failing[judged.rows] = True
            if contract().tables[self.table].fields[column].kind == "reason_list":
                cleaned[column] = cleaned[column].mask(failing, self._known_reasons(cleaned[column], failing))
            else:
                cleaned[column] = cleaned[column].mask(failing)
        return cleaned[self.fate == ACCEPTED].reset_index(drop=True)

    def _known_reasons(self, cells: pd.Series, failing: np.ndarray) -> pd.Series:
        """Of a list of reasons only the unknown ones are left out."""
        known = {
            cell: ";".join(code for code in helpers.split_reasons(cell) if code in self.reasons) or None
            for cell in cells[failing].dropna().unique()
        }
        return cells.map(known).astype("str")


@dataclass(frozen=True)
class CheckResult:
    """All tables checked; ``dealers`` are the accepted ones with ``_unassigned`` last; no date may pass ``horizon``."""

    tables: Mapping[str, TableCheck]
    dealers: pd.Index
    horizon: datetime

    def expectations(self) -> pd.DataFrame:
        """One row per expectation: id, table, rule, column, severity, action, dimension, owner, type, outcome, note,
        problem, params (JSON of what its message needs), rows (of the table), checked (rows with a value, the
        denominator; of a guard the rows of the month, or the dealers compared), failed."""
        return pd.DataFrame(
            [
                {
                    "id": judged.meta["id"],
                    "table": table.table,
                    **{key: judged.meta[key] for key in _SAID},
                    "type": judged.kind,
                    "outcome": judged.verdict.outcome.value,
                    "note": judged.note,
                    "problem": judged.verdict.problem,
                    "params": json.dumps(judged.params, ensure_ascii=False, default=str),
                    "rows": len(table.frame),
                    "checked": judged.verdict.checked,
                    "failed": judged.verdict.failed,
                }
                for table in self.tables.values()
                for judged in table.judged
            ]
        )

    def per_dealer(self) -> pd.DataFrame:
        """One row per dealer and expectation that looked at rows of it: dealer_id, expectation, table, rule, column,
        severity, checked, failed."""
        columns = ["dealer_id", "expectation", "table", "rule", "column", "severity", "checked", "failed"]
        parts = []
        for table in self.tables.values():
            for judged in table.judged:
                if judged.checked is None:
                    continue
                hit = np.flatnonzero(judged.checked)
                failed = np.zeros(hit.size, np.int64) if judged.failed is None else judged.failed[hit]
                part = pd.DataFrame({"dealer_id": self.dealers[hit], "checked": judged.checked[hit], "failed": failed})
                said = {key: judged.meta[key] for key in ("rule", "column", "severity")}
                parts.append(part.assign(expectation=judged.meta["id"], table=table.table, **said))
        return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)

    def problems(self) -> pd.DataFrame:
        """Every failing row and rule as a Problems frame (docs/architecture.md)."""
        return join(
            problems_of(table.table, table.frame, judged, self.dealers.take(table.dealer[judged.rows]))
            for table in self.tables.values()
            for judged in table.judged
            if judged.rows is not None
        )
