"""The step check: records against the expectations; the accepted layer, what is wrong with which row, scores, gates."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from models import ledger
from models.database import Database
from models.enums import Gate
from models.schemas import Dealer
from tasks import authenticity
from tasks.check import ACCEPTED, CheckReport, gate_limits
from tasks.check import check as check_received
from tasks.job import Job, Outcome, together

OUTPUTS = ("quality", "losses", "expectations", "rejected", "problems", "account")


def check(job: Job) -> Outcome:
    """Check what was received, publish the accepted layer, and remember scores, gates and every rejected row.

    The authenticity signals are looked for in the accepted layer and cost points before the gate is decided: signs to
    be checked, which delete nothing and change no row's fate (domain.md section 12).
    """
    rows = check_received(job.workspace, job.cycle)
    found, signs = authenticity.find(job)
    report = rows.after_signals(found, gate_limits(job.workspace))
    _write(job, report)
    _remember(job, report)
    locale = job.workspace.settings.locale
    counts = report.counts() | {"failed": report.gates.get(Gate.FAIL, 0)}
    problems = tuple(notice.text(locale) for notice in report.notices)
    checked = Outcome(OUTPUTS, counts, problems=problems, notices=report.moved(locale))
    return together(checked, signs)


def _write(job: Job, report: CheckReport) -> None:
    job.results.write("quality", report.quality)
    job.results.write("losses", report.losses)
    job.results.write("expectations", report.expectations)
    job.results.write("rejected", report.export(job.workspace.settings.locale))
    job.results.write("problems", report.rejected)  # with parameters: pages tell them in either language
    job.results.write("account", pd.DataFrame([asdict(fate) for fate in report.fates]))


def _remember(job: Job, report: CheckReport) -> None:
    db = Database.of(job.workspace)
    at = db.instant(job.cycle.as_of)
    ledger.record_scores(db, job.cycle.name, report.quality)
    ledger.record_quality(db, job.cycle.name, report.results)
    frame = job.lake.read(ACCEPTED, "dealers")
    ledger.record_dealers(db, (_dealer(row) for row in frame.to_dict("records")), at=at)


def _dealer(row: dict[str, object]) -> Dealer:
    def word(name: str) -> str | None:
        value = row.get(name)
        return None if pd.isna(value) else str(value)  # type: ignore[call-overload]

    return Dealer(
        dealer_id=str(row["dealer_id"]),
        name=str(row["name"]),
        region_id=word("region_id") or "",
        region_name=word("region_name"),
        city=word("city"),
        tier=word("tier"),
        active=True,
    )
