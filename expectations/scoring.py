"""The quality score of every dealer, what it lost to which rule, and the gate (domain.md section 12).

The score is 100 less the points of its failing rows (``scoring.toml``), so that it explains itself: the points in
``Scores.losses`` add up to what is missing from 100 (until nothing is left to lose).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from expectations.rules import Action, CheckOutcome, Dimension, rules
from expectations.view import UNASSIGNED
from models.catalogue.loading import load_toml
from models.enums import Gate, Severity

FILE = Path(__file__).parent / "scoring.toml"

#: Columns of the table ``quality`` of the exports.
QUALITY_COLUMNS = (
    *("cycle", "dealer_id", "rows", "accepted", "duplicates", "quarantined", "held", "warned"),
    *(dimension.value for dimension in Dimension),
    *("score", "gate"),
)
LOSS_COLUMNS = ("dealer_id", "table", "rule", "dimension", "failed", "rows", "points")
COUNTS = ("rows", "accepted", "duplicates", "quarantined", "held", "warned")


class _Small(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    rows: int = Field(ge=1)


class Weights(BaseModel):
    """The figures of ``scoring.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    points: dict[Action, float]
    tables: dict[str, float]
    small: _Small


@cache
def weights() -> Weights:
    """The shipped weights; raises CatalogueError when the file breaks its form."""
    return load_toml(FILE, Weights)


@dataclass(frozen=True)
class GateLimits:
    """Scores under which a dealer fails the gate, or passes it with a warning (settings ``gate_..._below``)."""

    fail_below: float
    warn_below: float


@dataclass(frozen=True)
class Scores:
    """``quality``: one row per dealer, columns of the export. ``losses``: points lost per dealer, table and rule."""

    quality: pd.DataFrame
    losses: pd.DataFrame


def score(
    cycle: str, ledger: pd.DataFrame, failed: pd.DataFrame, expectations: pd.DataFrame, limits: GateLimits
) -> Scores:
    """Scores and gates of all dealers of ``ledger``.

    ``ledger``: rows per ``table, dealer_id`` with the columns ``COUNTS``. ``failed``: failing rows per ``table, rule,
    severity, dealer_id`` in ``failed``, from reading and from the suites. ``expectations``: the verdicts, to tell
    which dimensions were looked at at all (the others are empty, not full marks). A dealer without a single lead has
    no score and fails: nothing sent is not clean data. ``_unassigned`` always fails.
    """
    per_table = ledger.groupby(["table", "dealer_id"], as_index=False, observed=True)[list(COUNTS)].sum()
    lost = losses(failed, per_table)
    totals = per_table.groupby("dealer_id", observed=True)[list(COUNTS)].sum().sort_index()
    parts = lost.pivot_table(index="dealer_id", columns="dimension", values="points", aggfunc="sum", observed=True)
    parts = parts.reindex(index=totals.index, columns=[dimension.value for dimension in Dimension]).fillna(0.0)
    looked_at = _looked_at(expectations) | set(lost["dimension"])
    has_leads = per_table.loc[(per_table["table"] == "leads") & (per_table["rows"] > 0), "dealer_id"]
    points = (100.0 - parts.sum(axis=1)).clip(lower=0.0).where(totals.index.isin(has_leads))
    quality = totals.reset_index().assign(cycle=cycle)
    for dimension in Dimension:
        left = (100.0 - parts[dimension.value]).clip(lower=0.0).to_numpy()
        quality[dimension.value] = np.round(left, 2) if dimension.value in looked_at else np.nan
    quality["score"] = points.round(2).to_numpy()
    quality["gate"] = pd.Series([_gate(*row, limits) for row in zip(totals.index, points, strict=True)], dtype="str")
    return Scores(quality[list(QUALITY_COLUMNS)], lost)


def losses(failed: pd.DataFrame, per_table: pd.DataFrame) -> pd.DataFrame:
    """Points each rule cost each dealer: action's points x table's weight x share of the dealer's rows that fail."""
    known, measure = rules(), weights()
    failed = failed[failed["rule"].isin(known) & failed["table"].isin(measure.tables)]
    lost = failed.groupby(["dealer_id", "table", "rule", "severity"], as_index=False, observed=True)["failed"].sum()
    lost = lost.merge(per_table[["table", "dealer_id", "rows"]], on=["table", "dealer_id"], how="left")
    cost = [
        measure.points[_action(rule, severity)] for rule, severity in zip(lost["rule"], lost["severity"], strict=True)
    ]
    weight = [measure.tables[table] for table in lost["table"]]
    share = lost["failed"] / lost["rows"].fillna(0).clip(lower=measure.small.rows)
    lost["points"] = (share * np.array(cost, float) * np.array(weight, float)).astype("float64")
    lost["dimension"] = pd.Series([known[rule].dimension.value for rule in lost["rule"]], dtype="str")
    lost = lost[lost["points"] > 0].sort_values(["dealer_id", "points"], ascending=[True, False])
    return lost[list(LOSS_COLUMNS)].reset_index(drop=True)


def _action(rule: str, severity: str) -> Action:
    """What a failing row leads to; a problem found at reading says itself whether its row was set apart."""
    action = rules()[rule].action
    if action in (Action.DUPLICATE, Action.HOLD):
        return action
    if severity == Severity.QUARANTINE:
        return Action.DROP
    return Action.KEEP if action is Action.DROP else action


def _looked_at(expectations: pd.DataFrame) -> set[str]:
    answered = expectations["outcome"].isin([CheckOutcome.PASSED.value, CheckOutcome.FAILED.value])
    return set(expectations.loc[answered, "dimension"])


def _gate(dealer_id: str, points: float, limits: GateLimits) -> str:
    if dealer_id == UNASSIGNED or np.isnan(points) or points < limits.fail_below:
        return Gate.FAIL.value
    return (Gate.WARN if points < limits.warn_below else Gate.PASS).value


def gate_counts(quality: pd.DataFrame) -> Mapping[str, int]:
    """How many dealers (``_unassigned`` left out) passed, were warned, failed."""
    gates = quality.loc[quality["dealer_id"] != UNASSIGNED, "gate"]
    return {gate.value: int((gates == gate.value).sum()) for gate in Gate}
