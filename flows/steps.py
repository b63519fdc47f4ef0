"""The steps of the cycle as Prefect subflows: which shell does the work, what is retried, what runs in shards.

Shells are plain functions of ``tasks``; Prefect's decorators are put on here, so that tests and other commands call
the same functions without a server. Steps get ids and paths only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.reader import reader_locale
from flows.records import RunRef, StepReport, keep
from models.enums import Step
from models.errors import UserError
from tasks.job import Job, Outcome

RETRIES = 2
RETRY_DELAY_S = 2
SHARD = 75  # dealers per task of a heavy step: tasks of seconds, at most about 20 a cycle for 1,500 dealers


def _worth_retrying(_task: object, _run: object, state: object) -> bool:
    """A fault of disk or database may pass; what a user must mend, or a defect of ours, will not."""
    try:
        state.result()  # type: ignore[attr-defined]
    except UserError:
        return False
    except OSError:
        return True
    except Exception as error:
        return type(error).__name__ in {"OperationalError", "InterfaceError"}
    return False


def _work(name: str, work: Callable[[Job], Outcome]) -> Callable[[RunRef], Outcome]:
    """``work`` as a Prefect task of that name; only its reference crosses Prefect."""

    @task(
        name=name,
        retries=RETRIES,
        retry_delay_seconds=RETRY_DELAY_S,
        retry_condition_fn=_worth_retrying,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    def run(ref: RunRef) -> Outcome:
        return work(ref.job())

    return run


@flow(name="ingest")
def receive_exports(ref: RunRef) -> StepReport:
    """Dealers' exports into the lake: read, mapped, typed, personal data protected."""
    from tasks.receiving import receive  # noqa: PLC0415

    @task(name="receive", cache_policy=NO_CACHE, persist_result=False)
    def run() -> Outcome:
        as_of = datetime.fromisoformat(ref.as_of) if ref.as_of else None
        return receive(ref.workspace, ref.source, ref.mapping, reader_locale(), datetime.now(UTC), as_of)

    return keep(ref, Step.INGEST, run, resumable=False)


@flow(name="check")
def check_records(ref: RunRef) -> StepReport:
    """Records against the expectations: quarantine, scores, gates."""
    from tasks.gating import check  # noqa: PLC0415

    return keep(ref, Step.CHECK, lambda: _work("check", check)(ref), resumable=False)


@flow(name="filter")
def filter_defeats(ref: RunRef) -> StepReport:
    """Every filed defeat: true, quasi or false, with its evidence."""
    from tasks.measuring import judge_filings  # noqa: PLC0415

    return keep(ref, Step.FILTER, lambda: _work("filter", judge_filings)(ref))


@flow(name="measure")
def measure_indicators(ref: RunRef) -> StepReport:
    """Indicators and reasons as sums per month and cell."""
    from tasks.measuring import measure  # noqa: PLC0415

    return keep(ref, Step.MEASURE, lambda: _work("measure", measure)(ref))


@flow(name="verify")
def verify_measures(ref: RunRef) -> StepReport:
    """Did the measures of earlier plans work?"""
    from tasks.verifying import verify_earlier  # noqa: PLC0415

    return keep(ref, Step.VERIFY, lambda: _work("verify", verify_earlier)(ref))


@flow(name="diagnose")
def diagnose_dealers(ref: RunRef) -> StepReport:
    """Each dealer against its peers with the same mix of customers."""
    from tasks.planning import compare_dealers  # noqa: PLC0415

    return keep(ref, Step.DIAGNOSE, lambda: _work("diagnose", compare_dealers)(ref))


@flow(name="plan")
def draft_plans(ref: RunRef) -> StepReport:
    """The few problems of each dealer, and its plan from the playbook."""
    from tasks.planning import draft  # noqa: PLC0415

    return keep(ref, Step.PLAN, lambda: _work("plan", draft)(ref))


@flow(name="deliver")
def deliver_plans(ref: RunRef) -> StepReport:
    """Issue the plans; write every dealer's page and workbook, and the OEM's overview; in shards of dealers."""
    from tasks.delivering import issue_and_list, write_dealers, write_overview  # noqa: PLC0415

    @task(name="dealers", cache_policy=NO_CACHE, persist_result=False)
    def shard(dealers: list[str]) -> Outcome:
        return write_dealers(ref.job(), dealers)

    def work() -> Outcome:
        dealers = issue_and_list(ref.job())
        shards = [dealers[start : start + SHARD] for start in range(0, len(dealers), SHARD)]
        outcomes = [future.result() for future in shard.map(shards)]
        return write_overview(ref.job(), outcomes)

    return keep(ref, Step.DELIVER, work)
