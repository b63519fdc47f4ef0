"""The tables others take out (docs/exports.md): which columns, from which results, and in which file format.

Column names and their order are a public contract; a change needs a note in the changelog.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from models.database import Database
from models.errors import NotAvailableError, SourceError
from models.ledger.frames import history_frame, keypoints_frame, plans_frame, scores_frame, verdicts_frame
from models.workspace import Workspace
from tasks.authenticity import exported as exported_signals
from tasks.compute.defeat_filter import defeats_of_cycle
from tasks.results import Results, published_cycles

FORMATS = ("csv", "parquet", "json")


@dataclass(frozen=True)
class Context:
    """What an export reads from."""

    workspace: Workspace
    results: Results
    as_of: datetime

    @property
    def db(self) -> Database:
        """The state database."""
        return Database.of(self.workspace)


@dataclass(frozen=True)
class Export:
    """One table: what a row is, its columns, how to get them; without ``read``, ``needs`` names what is lacking."""

    row: str
    columns: tuple[str, ...]
    read: Callable[[Context], pd.DataFrame] | None = None
    needs: str = ""


def _columns(text: str) -> tuple[str, ...]:
    return tuple(text.replace("\n", " ").replace(",", " ").split())


def _result(name: str) -> Callable[[Context], pd.DataFrame]:
    return lambda context: context.results.read(name)


def _defeats(context: Context) -> pd.DataFrame:
    return defeats_of_cycle(context.results.read("defeats"), context.results.cycle)


EXPORTS: Mapping[str, Export] = {
    "quality": Export(
        "dealer (all tables of the cycle; unknown dealer: `_unassigned`)",
        _columns(
            "cycle dealer_id rows accepted duplicates quarantined held warned completeness validity consistency "
            "uniqueness timeliness authenticity score gate"
        ),
        lambda context: scores_frame(context.db, context.results.cycle),
    ),
    "rejected": Export(
        "failing row and rule",
        _columns("cycle table source_file row_number row_key dealer_id rule column severity message"),
        _result("rejected"),
    ),
    "signals": Export(
        "dealer and authenticity signal with evidence",
        _columns("cycle dealer_id signal evidence_rows expected_rows q_value flagged"),
        lambda context: exported_signals(context.results),
    ),
    "defeats": Export(
        "defeated lead of the cycle",
        _columns(
            "cycle lead_id dealer_id filed_at verdict destination bought_dealer_id competitor_brand stage "
            "declared_reason confirmed_reason reason evidence"
        ),
        _defeats,
    ),
    "indicators": Export(
        "scope and indicator",
        _columns(
            "cycle scope scope_id indicator numerator denominator value expected gap_points lo90 hi90 previous "
            "same_month_last_year flagged"
        ),
        _result("indicators"),
    ),
    "reasons": Export(
        "scope and reason",
        _columns(
            "cycle scope scope_id reason level declared confirmed defeats per_lead gap_points lo90 hi90 driver_rank"
        ),
        _result("reasons"),
    ),
    "price_split": Export(
        "series and dealer",
        _columns(
            "cycle series dealer_id defeats positioned_high markup bidding inconsistent_promotion excuse "
            "needs_not_understood unexplained"
        ),
        _result("price_split"),
    ),
    "competitors": Export(
        "series and competitor brand",
        _columns("cycle series competitor_brand defeats defeats_previous defeats_last_year top_reasons"),
        _result("competitors"),
    ),
    "profile": Export(
        "scope, attribute and value",
        _columns("cycle scope scope_id attribute value leads won defeated close_rate lift q_value"),
        _result("profile"),
    ),
    "plans": Export(
        "measure in a plan",
        _columns(
            "cycle plan_id dealer_id region_id kind state measure_id measure indicator reason owner_role due_on "
            "baseline target deals_at_stake verify_after_months overdue issued_on approved_on done_on effect_from"
        ),
        lambda context: plans_frame(context.db, context.results.cycle, at=context.db.instant(context.as_of)),
    ),
    "verdicts": Export(
        "measure verified, per look",
        _columns(
            "cycle plan_id measure_id dealer_id measure indicator months executed effect_points lo90 hi90 "
            "shrunk_points verdict target_reached months_needed"
        ),
        lambda context: verdicts_frame(context.db, context.results.cycle),
    ),
    "measures": Export(
        "measure type",
        _columns("cycle measure reason dealers executed effect_points lo90 hi90 verdict rank"),
        _result("measures"),
    ),
    "second_contact": Export(
        "lead to work",
        _columns(
            "cycle lead_id dealer_id pool probability expected_margin cost worthwhile strategy assigned_to "
            "due_on state outcome"
        ),
        needs="pools",
    ),
    "owners": Export(
        "base customer",
        _columns(
            "cycle customer_key dealer_id grade loyalty capacity value_segment churn_risk strategy last_contact_on "
            "next_contact_on cadence_kept"
        ),
        needs="pools",
    ),
    "concentration": Export(
        "area or industry and grade", _columns("cycle axis value grade owners share previous_year"), needs="pools"
    ),
    "referrals": Export(
        "month, grade, kind", _columns("cycle month grade kind referrals referred_won repurchases"), needs="pools"
    ),
    "customers": Export("stage and tag", _columns("cycle scope scope_id stage tag customers"), needs="pools"),
    "orders": Export("series, month and class", _columns("cycle series month class demand"), needs="pools"),
    "keypoints": Export(
        "cycle stage",
        _columns("cycle stage owner due_at started_at finished_at state late prefect_flow_run_id"),
        lambda context: keypoints_frame(context.db, context.results.cycle),
    ),
    "history": Export(
        "plan event",
        _columns("at actor role plan_id dealer_id from_state to_state note"),
        lambda context: history_frame(context.db, context.results.cycle),
    ),
}


def export_frame(workspace: Workspace, what: str, cycle: str = "", dealer: str = "") -> pd.DataFrame:
    """The rows of export ``what`` of a published cycle (default: the latest), of one dealer where named.

    Raises NotAvailableError for an unknown table (naming those there are), for one that needs what is not there yet,
    for a cycle without results, and for a dealer in a table that has none.
    """
    export = EXPORTS.get(what)
    if export is None:
        raise NotAvailableError("export.unknown", what=what, known=", ".join(EXPORTS))
    if export.read is None:
        raise NotAvailableError(f"export.needs.{export.needs}", what=what)
    if not cycle:
        cycles = published_cycles(workspace.results)
        if not cycles:
            raise NotAvailableError("export.no_cycles")
        cycle = cycles[-1]
    results = Results.published(workspace.results, cycle)
    frame = export.read(Context(workspace, results, results.as_of()))
    if dealer:
        if "dealer_id" not in export.columns:
            raise NotAvailableError("export.no_dealer", what=what)
        frame = frame[frame["dealer_id"] == dealer]
    return frame.reindex(columns=list(export.columns)).reset_index(drop=True)


def write_export(frame: pd.DataFrame, out: Path, file_format: str = "") -> str:
    """Write ``frame`` as csv (UTF-8, ISO dates, booleans true/false, empty = not available), parquet or json.

    The format is ``file_format`` or the file's ending; raises SourceError for another. Returns the format.
    """
    chosen = file_format or out.suffix.removeprefix(".").lower()
    if chosen not in FORMATS:
        raise SourceError("export.format", out=out.name, known=", ".join(FORMATS))
    out.parent.mkdir(parents=True, exist_ok=True)
    half = out.with_name(f".{out.name}.half")
    if chosen == "parquet":
        frame.to_parquet(half, index=False)
    elif chosen == "json":
        frame.to_json(half, orient="records", date_format="iso", force_ascii=False, indent=1)
    else:
        _plain(frame).to_csv(half, index=False, encoding="utf-8", lineterminator="\n")
    half.replace(out)
    return chosen


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Cells as the CSV contract writes them."""
    plain = frame.copy()
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_datetime64_any_dtype(column):
            plain[name] = column.dt.strftime("%Y-%m-%dT%H:%M:%S")
        elif column.dtype in ("bool", "boolean") or set(column.dropna().map(type)) == {bool}:
            plain[name] = column.map({True: "true", False: "false"})
    return plain
