"""The authenticity signals of a cycle: read the accepted tables, find the signs, keep them and the rows behind them."""

from __future__ import annotations

import json
from datetime import datetime, time

import pandas as pd

from expectations.authenticity import SignalOptions, find_signals
from expectations.authenticity.phones import phone_marks
from models.catalogue.contract import PROVENANCE, contract
from models.catalogue.signals import PERSONAL_COLUMNS, signals
from models.database import Database
from models.ledger.frames import plans_frame
from models.messages import text
from tasks.check import ACCEPTED
from tasks.compute.frames import lake_dtypes
from tasks.job import Job, Outcome
from tasks.results import Results, published_cycles

OUTPUTS = ("signals", "signal_evidence", "signals_checked", "defeated_phones")
_TABLES = ("dealers", "leads", "defeats", "revisits", "sales")


def find(job: Job) -> tuple[pd.DataFrame, Outcome]:
    """Write ``signals``, ``signal_evidence``, ``signals_checked`` (what could not be tested, and why); what was found.

    ``defeated_phones`` is for later cycles: marks of the numbers of leads defeated by now, to see a number changed
    after the defeat. Months after the cycle's, loaded or not, are not looked at.
    """
    tables = {name: _read(job, name) for name in _TABLES if job.lake.has(ACCEPTED, name)}
    standard = signals()
    options = SignalOptions(
        until=datetime.combine(job.cycle.ends, time()),
        changes=_issued(job),
        earlier_phones=_earlier_phones(job),
        standard=standard,
    )
    result = find_signals(tables, standard.test.window_months, options)
    job.results.write("signals", result.found.assign(cycle=job.cycle.name))
    job.results.write("signal_evidence", result.evidence.assign(cycle=job.cycle.name))
    job.results.write("signals_checked", _in_words(result.checked, job.workspace.settings.locale))
    job.results.write("defeated_phones", phone_marks(tables["leads"], options.until))
    return result.found, Outcome(OUTPUTS, result.counts())


def exported(results: Results) -> pd.DataFrame:
    """``signals`` as exported: dealers and signals that were tested and have evidence."""
    found = results.read("signals")
    return found[found["flagged"].notna() & (found["evidence_rows"] > 0)]


def _read(job: Job, table: str) -> pd.DataFrame:
    """The columns that detectors may use; of personal ones only those of the leads."""
    columns = lake_dtypes(contract().tables[table])
    hidden = {name for name, field in contract().tables[table].fields.items() if field.personal}
    wanted = [
        name
        for name in columns
        if name not in hidden or (table == "leads" and name in PERSONAL_COLUMNS) or name in PROVENANCE
    ]
    return job.lake.read(ACCEPTED, table, columns=wanted, personal=table == "leads")


def _earlier(job: Job) -> list[str]:
    return [cycle for cycle in published_cycles(job.workspace.results) if cycle < job.cycle.name]


def _earlier_phones(job: Job) -> pd.DataFrame | None:
    for cycle in reversed(_earlier(job)):
        results = Results.published(job.workspace.results, cycle)
        if results.has("defeated_phones"):
            return results.read("defeated_phones")
    return None


def _issued(job: Job) -> dict[str, datetime]:
    """When each dealer got its first plan within the months looked at, from the second of them on."""
    starts = pd.Timestamp(job.cycle.ends) - pd.DateOffset(months=signals().test.window_months - 1)
    db = Database.of(job.workspace)
    at = db.instant(job.cycle.as_of)
    frames = [plans_frame(db, cycle, at=at)[["dealer_id", "issued_on"]] for cycle in _earlier(job)]
    if not frames:
        return {}
    issued = pd.concat(frames, ignore_index=True).dropna()
    issued["issued_on"] = pd.to_datetime(issued["issued_on"])
    issued = issued[(issued["issued_on"] >= starts) & (issued["issued_on"] < pd.Timestamp(job.cycle.starts))]
    first = issued.groupby("dealer_id")["issued_on"].min()
    return {str(dealer): day.to_pydatetime() for dealer, day in first.items()}


def _in_words(checked: pd.DataFrame, locale: str) -> pd.DataFrame:
    told = [
        text(f"signals.note.{reason}", locale, **params) if reason else ""
        for reason, params in zip(checked["reason"], checked["params"], strict=True)
    ]
    params = [json.dumps(dict(each), ensure_ascii=False) for each in checked["params"]]
    return checked.assign(params=pd.Series(params, dtype="str"), note=pd.Series(told, dtype="str"))
