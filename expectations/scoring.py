"""The quality score of every dealer, what it lost to which rule, and the gate (domain.md section 12).

The score is 100 less the points of its failing rows (``scoring.toml``), so that it explains itself: the points in
``Scores.losses`` add up to what is missing from 100 (until nothing is left to lose). Failing rows are known when the
tables are checked; authenticity signals need the accepted rows, so their points are taken off afterwards
(``with_signals``), before anything is decided by the gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from expectations.rules import Action, CheckOutcome, Dimension, rules
from expectations.view import UNASSIGNED
from models.catalogue.merging import laid_over
from models.enums import Gate, Severity
from models.in_force import standard

FILE = Path(__file__).parent / "scoring.toml"

#: Columns of the table ``quality`` of the exports.
QUALITY_COLUMNS = (
    *("cycle", "dealer_id", "rows", "accepted", "duplicates", "quarantined", "held", "warned"),
    *(dimension.value for dimension in Dimension),
    *("score", "gate"),
)
LOSS_COLUMNS = ("dealer_id", "table", "rule", "dimension", "failed", "rows", "points")
#: stands for the table in losses to authenticity signals, whose code is the rule there
SIGNALS = "signals"
COUNTS = ("rows", "accepted", "duplicates", "quarantined", "held", "warned")


class _Small(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    rows: int = Field(ge=1)


class _Signals(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    points: float = Field(ge=0)
    most: float = Field(ge=0, le=100)


class Weights(BaseModel):
    """The figures of ``scoring.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    points: dict[Action, float]
    tables: dict[str, float]
    small: _Small
    signals: _Signals


@standard
def weights(folder: Path | None = None) -> Weights:
    """The weights; ``folder`` may hold an OEM's own ``scoring.toml``, merged over the shipped one.

    Raises CatalogueError naming file, key and remedy.
    """
    return laid_over(FILE, Weights, folder)[0]


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
    has_leads = per_table.loc[(per_table["table"] == "leads") & (per_table["rows"] > 0), "dealer_id"]
    quality = totals.reset_index().assign(cycle=cycle)
    looked_at = _looked_at(expectations) | set(lost["dimension"])
    for dimension in Dimension:
        left = _left(quality, lost[lost["dimension"] == dimension.value])
        quality[dimension.value] = left if dimension.value in looked_at else np.nan
    quality["score"] = np.where(totals.index.isin(has_leads), 100.0, np.nan)
    return _graded(quality, lost, limits)


def with_signals(scores: Scores, found: pd.DataFrame, limits: GateLimits) -> Scores:
    """The scores after the authenticity signals ``found`` (``Signals.found``), which change no row's fate.

    A flagged signal costs ``points`` x (evidence rows - expected rows) / rows looked at; where all signals of a dealer
    come to more than ``most``, each is cut in proportion, so that the losses still add up. The part authenticity is
    100 less these points, and empty for a dealer none of whose signals could be tested.
    """
    lost = signal_losses(found[found["dealer_id"].isin(scores.quality["dealer_id"])])
    tested = found.loc[found["flagged"].notna(), "dealer_id"]
    name = Dimension.AUTHENTICITY.value
    part = _left(scores.quality, lost).where(scores.quality["dealer_id"].isin(tested))
    filled = [frame for frame in (scores.losses, lost) if len(frame)]
    every = pd.concat(filled, ignore_index=True) if filled else scores.losses
    every = every.sort_values(["dealer_id", "points"], ascending=[True, False], ignore_index=True, kind="stable")
    return _graded(scores.quality.assign(**{name: part}), every, limits)


def signal_losses(found: pd.DataFrame) -> pd.DataFrame:
    """Points each flagged signal cost each dealer, as rows of ``losses`` (table ``signals``, rule: the signal)."""
    measure = weights().signals
    lost = found[found["flagged"].fillna(False).astype(bool) & (found["evidence_rows"] > found["expected_rows"])]
    points = measure.points * (lost["evidence_rows"] - lost["expected_rows"]) / lost["rows"]
    together = points.groupby(lost["dealer_id"]).transform("sum")
    points *= (measure.most / together.clip(lower=1e-9)).clip(upper=1.0)
    told = pd.DataFrame(
        {
            "dealer_id": lost["dealer_id"],
            "table": pd.Series(SIGNALS, lost.index, dtype="str"),
            "rule": lost["signal"],
            "dimension": pd.Series(Dimension.AUTHENTICITY.value, lost.index, dtype="str"),
            "failed": lost["evidence_rows"],
            "rows": lost["rows"],
            "points": points,
        }
    )
    return told.loc[points > 0, list(LOSS_COLUMNS)].reset_index(drop=True)


def _left(quality: pd.DataFrame, lost: pd.DataFrame) -> pd.Series:
    """What is left of 100 for each dealer of ``quality``."""
    points = quality["dealer_id"].map(lost.groupby("dealer_id", observed=True)["points"].sum())
    return (100.0 - points.fillna(0.0).astype("float64")).clip(lower=0.0).round(2)


def _graded(quality: pd.DataFrame, lost: pd.DataFrame, limits: GateLimits) -> Scores:
    """Score and gate from the losses; a dealer without a score keeps none."""
    points = _left(quality, lost).where(quality["score"].notna())
    gates = [_gate(*pair, limits) for pair in zip(quality["dealer_id"], points, strict=True)]
    graded = quality.assign(score=points, gate=pd.Series(gates, index=quality.index, dtype="str"))
    return Scores(graded[list(QUALITY_COLUMNS)], lost)


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
