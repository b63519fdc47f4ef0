"""What a run of the cycle leaves behind: its lock, its key points in our own tables, its finished steps, its end.

Prefect's history is telemetry; the record of a cycle is ours (design.md section 4). Steps get a ``RunRef`` of ids and
paths only, so that neither frames nor personal data ever become Prefect parameters.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect.states import State

from flows.locking import workspace_lock
from flows.sweeping import INTERRUPTED, close_dead_runs
from models import ledger
from models.database import Database
from models.enums import PointState, Step
from models.errors import NotAvailableError, RunFailedError, UserError
from models.facts import Cycle
from models.messages import text
from models.schemas import DealerOutcome
from models.workspace import Workspace, home_from
from tasks.job import DealerFailure, Job, Outcome
from tasks.results import Results, fingerprint
from tasks.settling import (
    notes_fingerprint,
    received_fingerprints,
    scenes_fingerprint,
    settle_cycle,
    standards_fingerprint,
)


@dataclass(frozen=True)
class RunRef:
    """A run as steps know it: ids and paths, nothing personal, small enough for Prefect's parameters."""

    home: str
    run_id: str
    source: str
    mapping: str
    cycle: str = ""
    as_of: str = ""  # ISO time; before ingest only where the caller names one
    version: str = ""

    @property
    def workspace(self) -> Workspace:
        """The workspace of the run."""
        return Workspace.open(Path(self.home))

    def job(self) -> Job:
        """What the steps after ingest work on."""
        workspace = self.workspace
        cycle = Cycle(self.cycle, datetime.fromisoformat(self.as_of))
        return Job(workspace, cycle, Results(workspace.results, self.cycle, self.version), self.source)


@dataclass(frozen=True)
class StepReport:
    """How one step ended, for the screen and for the end of the run."""

    step: Step
    state: PointState
    started: datetime
    finished: datetime
    counts: dict[str, object]
    failures: tuple[DealerFailure, ...] = ()
    dealers: int = 0
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.finished - self.started).total_seconds()


Listener = Callable[[RunRef, StepReport], None]
_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell ``listener`` of every step that ends inside the ``with`` block (the command line's progress)."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def _flow_run_id() -> str | None:
    from prefect.runtime import flow_run  # noqa: PLC0415

    identifier = flow_run.id
    return str(identifier) if identifier else None


def _why(workspace: Workspace, error: BaseException) -> str:
    """Why a run or step ended, as it is remembered: what the user can mend in words, a defect by its kind."""
    if isinstance(error, UserError):
        return error.text(workspace.settings.locale)
    if isinstance(error, Exception):
        return type(error).__name__
    return text(INTERRUPTED, workspace.settings.locale)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class CycleRun:
    """A run in progress: its reference for the steps, the reports of those that ended, and how it concludes."""

    ref: RunRef
    asked_as_of: datetime | None
    reports: list[StepReport]

    def settle(self) -> None:
        """Fix cycle, ``as_of`` and version: from the caller where given, else from the loaded data.

        The version names what the results follow from: received rows, settings, standards, named scenes, notes, and
        what dealers did on earlier plans; a run that finds the same version again continues it.
        """
        workspace = self.ref.workspace
        db = Database.of(workspace)
        cycle = settle_cycle(workspace, self.ref.cycle, self.asked_as_of)
        inputs = fingerprint(
            received_fingerprints(workspace),
            workspace.settings.model_dump(mode="json", exclude={"secret_key", "database_url", "prefect_api_url"}),
            standards_fingerprint(),
            scenes_fingerprint(workspace),
            notes_fingerprint(workspace),
            [repr(measure) for measure in ledger.open_measures(db, cycle.name)],
        )
        version = Results.of(workspace.results, cycle, inputs).version
        self.ref = replace(self.ref, cycle=cycle.name, as_of=cycle.as_of.isoformat(), version=version)
        ledger.open_run(
            db,
            self.ref.run_id,
            cycle,
            source=Path(self.ref.source).name,
            at=_now(),
            host=socket.gethostname(),
            pid=os.getpid(),
            settings_fingerprint=inputs,
            prefect_flow_run_id=_flow_run_id(),
        )
        for report in self.reports:  # steps that ended before the cycle had a name
            _record(self.ref, report)
            self.ref.job().results.finish(report.step, (), report.counts, report.notices)

    def conclude(self) -> State[RunRef]:
        """Publish the results and answer the run's final state by the stated rule (see ``flows.closed_loop``)."""
        from prefect.states import Completed  # noqa: PLC0415

        job = self.ref.job()
        job.results.publish(job.cycle)
        state = PointState.FINISHED
        if any(report.state is PointState.WITH_PROBLEMS for report in self.reports):
            state = PointState.WITH_PROBLEMS
        ledger.close_run(Database.of(job.workspace), self.ref.run_id, state, at=_now())
        name = "Completed" if state is PointState.FINISHED else "CompletedWithProblems"
        return Completed(name=name, data=self.ref)


@contextmanager
def cycle_run(cycle: str, source: str, mapping: str, as_of: datetime | None) -> Iterator[CycleRun]:
    """A run of the cycle in the workspace ``REMATCH_HOME`` names, alone in it until the ``with`` block ends.

    Raises BusyError when another run holds the workspace, NotAvailableError when no source is named anywhere.
    """
    home = home_from()
    with workspace_lock(home):
        workspace = Workspace.open(home)
        workspace.create()
        db = Database.of(workspace)
        db.migrate()
        close_dead_runs(db, workspace.settings.locale)
        named = source or workspace.settings.cycle_source
        if not named:
            raise NotAvailableError("run.no_source")
        ref = RunRef(str(home), uuid.uuid4().hex, named, mapping, cycle, as_of.isoformat() if as_of else "")
        run = CycleRun(ref, as_of, [])
        with listening(lambda _, report: run.reports.append(report)):
            try:
                yield run
            except BaseException as error:
                if run.ref.version:
                    ledger.close_run(db, run.ref.run_id, PointState.FAILED, at=_now(), message=_why(workspace, error))
                raise


def keep(ref: RunRef, step: Step, work: Callable[[], Outcome], *, resumable: bool = True) -> StepReport:
    """Do the work of ``step`` unless this version already finished it, and record the key point either way it ends.

    Raises RunFailedError when more dealers failed than the setting ``failed_dealer_share`` allows.
    """
    results = ref.job().results if ref.version else None
    done = results.finished(step) if resumable and results is not None else None
    if done is not None:
        return _tell(ref, StepReport(step, PointState.SKIPPED, _now(), _now(), done["counts"]))
    started = _now()
    if ref.version:
        _point(ref, step, PointState.RUNNING, started)
    try:
        outcome = work()
    except BaseException as error:
        if ref.version:
            _point(ref, step, PointState.FAILED, _now(), note=_why(ref.workspace, error))
        raise
    state = PointState.WITH_PROBLEMS if outcome.failures or outcome.problems else PointState.FINISHED
    report = StepReport(
        step,
        state,
        started,
        _now(),
        dict(outcome.counts),
        outcome.failures,
        outcome.dealers,
        outcome.problems,
        outcome.notices,
    )
    if ref.version:
        _record(ref, report)
    limit = ref.workspace.settings.failed_dealer_share
    if outcome.dealers and len(outcome.failures) > limit * outcome.dealers:
        raise RunFailedError("run.too_many_failed", step=step, failed=len(outcome.failures), dealers=outcome.dealers)
    if results is not None:
        results.finish(step, outcome.outputs, outcome.counts, outcome.notices)
    return _tell(ref, report)


def _point(ref: RunRef, step: Step, state: PointState, at: datetime, **more: Any) -> None:
    job = ref.job()
    ledger.record_point(
        Database.of(job.workspace), job.cycle, step, state, at=at, prefect_flow_run_id=_flow_run_id(), **more
    )


def _record(ref: RunRef, report: StepReport) -> None:
    """The key point of a step that ended, and the dealers it could not serve."""
    _point(ref, report.step, PointState.RUNNING, report.started)
    _point(ref, report.step, report.state, report.finished, counts=report.counts)
    outcomes = [
        DealerOutcome(failure.dealer_id, False, failure.key, tuple(failure.params.items()))
        for failure in report.failures
    ]
    if outcomes:
        db = Database.of(ref.workspace)
        ledger.record_dealer_outcomes(db, ref.cycle, report.step, outcomes, at=report.finished)


def _tell(ref: RunRef, report: StepReport) -> StepReport:
    for listener in _listeners:
        listener(ref, report)
    return report
