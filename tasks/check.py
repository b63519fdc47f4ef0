"""The check: what was received against the expectations; good rows into the lake's accepted layer, every row told of.

Reads the layer ``received`` with the problems found at reading, runs the suites, asserts that every row has exactly
one fate, and replaces the layer ``accepted``. Running it again on the same data gives the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from expectations import suites, texts
from expectations.accounting import Homes, Reading, conserve, failures, ledger
from expectations.problems import join
from expectations.results import CheckResult, TableCheck
from expectations.rules import Action, CheckOutcome
from expectations.runner import CheckContext, run_suites
from expectations.scoring import COUNTS, GateLimits, Scores, gate_counts, score, with_signals
from models.catalogue.contract import contract
from models.errors import SourceError
from models.facts import Cycle
from models.messages import text
from models.workspace import Workspace
from tasks.compute.frames import Notice
from tasks.ingest import LAYER as RECEIVED
from tasks.ingest import absent_fields, received_counts, received_problems, seen_filings, usable
from tasks.lake import Lake

ACCEPTED = "accepted"
MOVED_SHOWN = 10  # the Data Docs have all
REJECTED_COLUMNS = (
    *("cycle", "table", "source_file", "row_number", "row_key", "dealer_id"),
    *("rule", "column", "severity", "message"),
)


@dataclass(frozen=True)
class TableFate:
    """What became of a table's rows: rows = accepted + quarantined + held + duplicates; ``warned`` of the accepted."""

    table: str
    rows: int
    accepted: int
    quarantined: int
    held: int
    duplicates: int
    warned: int


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Frames: ``quality`` (export columns, one row per dealer), ``losses`` (dealer_id, table, rule, dimension, failed,
    rows, points: what each dealer's score lost to what), ``results`` (dealer_id, expectation, table, rule, column,
    severity, checked, failed, suite_version), ``expectations`` (one row per expectation with its verdict, denominator
    and, when not checked, why), ``rejected`` (Problems frame of reading and suites together), ``ledger`` (rows per
    table, source_file and dealer_id). ``notices``: what the run must say; they make it end "with problems".
    """

    cycle: Cycle
    fates: tuple[TableFate, ...]
    gates: Mapping[str, int]
    quality: pd.DataFrame
    losses: pd.DataFrame
    results: pd.DataFrame
    expectations: pd.DataFrame
    rejected: pd.DataFrame
    ledger: pd.DataFrame
    notices: tuple[Notice, ...]

    def counts(self) -> dict[str, int]:
        """The figures of the key point: rows and their fates over all tables, and dealers per gate."""
        totals = {name: sum(getattr(fate, name) for fate in self.fates) for name in COUNTS}
        return totals | {f"gate_{gate}": dealers for gate, dealers in self.gates.items()}

    def after_signals(self, found: pd.DataFrame, limits: GateLimits) -> CheckReport:
        """The report with the points of the authenticity signals ``found``: scores, gates and losses, nothing else."""
        scores = with_signals(Scores(self.quality, self.losses), found, limits)
        return replace(self, quality=scores.quality, losses=scores.losses, gates=gate_counts(scores.quality))

    def moved(self, locale: str) -> tuple[str, ...]:
        """What moved against the months before, in words."""
        failed = self.expectations["outcome"] == CheckOutcome.FAILED.value
        told = self.expectations[failed & (self.expectations["action"] == Action.TELL.value)]
        said = [
            text(
                "quality.moved",
                locale,
                table=contract().tables[row["table"]].label.text(locale),
                said=texts.wrong(row["rule"], row["table"], row["column"], json.loads(row["params"]), locale),
            )
            for row in told.to_dict("records")
        ]
        more = text("quality.more_moved", locale, more=len(said) - MOVED_SHOWN) if len(said) > MOVED_SHOWN else ""
        return (*said[:MOVED_SHOWN], *filter(None, [more]))

    def export(self, locale: str) -> pd.DataFrame:
        """``rejected`` as exported: with the cycle, and the rule in words instead of its parameters."""
        told = self.rejected.assign(cycle=self.cycle.name, message=texts.sentences(self.rejected, locale))
        return told[list(REJECTED_COLUMNS)]


def check(workspace: Workspace, cycle: Cycle) -> CheckReport:
    """Check everything received, write the accepted layer and say what was found.

    Scores and gates are those of the rows; the cycle decides with ``CheckReport.after_signals``.
    Raises SourceError when dealers or leads have no rows at all (nothing can be judged then).
    """
    lake = Lake(workspace.lake, workspace.key())
    found = received_problems(lake)
    tables = [name for name, table in contract().tables.items() if lake.has(RECEIVED, name) or not table.optional]
    received = {table: lake.read(RECEIVED, table) for table in tables}
    good = {table: usable(frame, found, table) for table, frame in received.items()}
    reading = Reading(
        problems=found,
        counts=received_counts(lake),
        apart={table: frame[~good[table]].reset_index(drop=True) for table, frame in received.items()},
        through={table: frame[good[table]] for table, frame in received.items() if table not in suites.TABLES},
    )
    context = CheckContext(cycle.as_of, absent_fields(lake), reading.waiting_leads, cycle.name, seen_filings(lake))
    result = run_suites({table: frame[good[table]] for table, frame in received.items()}, context)
    report = assess(cycle, result, reading, gate_limits(workspace))
    for table in received:
        _accept(lake, table, good[table], result.tables.get(table))
    return report


def gate_limits(workspace: Workspace) -> GateLimits:
    """The limits of the gate this workspace has set."""
    return GateLimits(workspace.settings.gate_fail_below, workspace.settings.gate_warn_below)


def _accept(lake: Lake, table: str, good: pd.Series, checked: TableCheck | None) -> None:
    """Write the accepted rows with their personal columns; a table without a suite goes through."""
    whole = lake.read(RECEIVED, table, personal=True)[good]
    lake.replace(ACCEPTED, table, whole.reset_index(drop=True) if checked is None else checked.accepted(whole))


def assess(cycle: Cycle, result: CheckResult, reading: Reading, limits: GateLimits) -> CheckReport:
    """What a check found, from the suites' result and what was found at reading; pure.

    Raises SourceError naming a table that has no rows though nothing goes without it, RowsLostError if rows have no
    or two fates (a defect of ours).
    """
    for table in result.tables.values():
        if table.blocked and not len(reading.apart.get(table.table, ())):
            raise SourceError("quality.empty_table", table=contract().tables[table.table].label.text())
    accounts = ledger(result, reading)
    conserve(accounts, reading.counts)
    verdicts = result.expectations()
    scores = score(cycle.name, accounts, failures(result, reading), verdicts, limits)
    told = Homes(result, reading.apart).of_problems(reading.problems)
    return CheckReport(
        cycle=cycle,
        fates=tuple(_fate(table, accounts) for table in dict.fromkeys(accounts["table"])),
        gates=gate_counts(scores.quality),
        quality=scores.quality,
        losses=scores.losses,
        results=result.per_dealer().assign(cycle=cycle.name, suite_version=suites.version()),
        expectations=verdicts,
        rejected=join([told, result.problems()]),
        ledger=accounts,
        notices=(*_not_asked(verdicts), *_nothing_left(accounts)),
    )


def _fate(table: str, accounts: pd.DataFrame) -> TableFate:
    totals = accounts.loc[accounts["table"] == table, list(COUNTS)].sum()
    return TableFate(table, **{name: int(totals[name]) for name in COUNTS})


def _not_asked(verdicts: pd.DataFrame) -> list[Notice]:
    """Expectations that could not be carried out, and tables that are there but empty."""
    failed = verdicts[verdicts["outcome"] == CheckOutcome.ERROR.value]
    empty = verdicts[(verdicts["rule"] == "no_rows") & (verdicts["outcome"] == CheckOutcome.FAILED.value)]
    return [
        *(Notice("quality.check_error", {"id": row.id, "problem": row.problem}) for row in failed.itertuples()),
        *(Notice("quality.no_rows", {"table": table}) for table in empty["table"]),
    ]


def _nothing_left(accounts: pd.DataFrame) -> list[Notice]:
    totals = accounts.groupby("table", sort=False)[["rows", "accepted"]].sum()
    return [
        Notice("quality.all_rejected", {"table": table, "rows": int(row.rows)})
        for table, row in zip(totals.index, totals.itertuples(), strict=True)
        if row.rows and not row.accepted
    ]
