"""The steps of the cycle as Prefect subflows: which shell does the work, what is retried, what runs in shards.

Shells are plain functions of ``tasks``; Prefect's decorators are put on here, so that tests and other commands call
the same functions without a server. Steps get ids and paths only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.reader import reader_locale
from flows.records import RunRef, StepReport, keep
from models.enums import Step
from models.errors import UserError
from models.messages import LOCALES
from tasks.job import Job, Outcome, together

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
    from tasks.analysing import analyse  # noqa: PLC0415
    from tasks.planning import compare_dealers  # noqa: PLC0415

    def work() -> Outcome:
        return together(_work("diagnose", compare_dealers)(ref), _work("analyse", analyse)(ref))

    return keep(ref, Step.DIAGNOSE, work)


@flow(name="plan")
def draft_plans(ref: RunRef) -> StepReport:
    """The few problems of each dealer, and its plan from the playbook."""
    from tasks.planning import draft  # noqa: PLC0415

    return keep(ref, Step.PLAN, lambda: _work("plan", draft)(ref))


@flow(name="deliver")
def deliver_plans(ref: RunRef) -> StepReport:
    """Issue the plans; write every dealer's pages and workbooks, the OEM's overview and the Data Docs; in shards."""
    from tasks.delivering import issue_and_list, write_dealers, write_overview  # noqa: PLC0415
    from tasks.quality_docs import write_data_docs  # noqa: PLC0415
    from tasks.quality_reports import write_quality  # noqa: PLC0415

    @task(name="plans", cache_policy=NO_CACHE, persist_result=False)
    def plans(dealers: list[str]) -> Outcome:
        return write_dealers(ref.job(), dealers)

    @task(name="quality", cache_policy=NO_CACHE, persist_result=False)
    def quality(dealers: list[str]) -> Outcome:
        return write_quality(ref.job(), dealers)

    def work() -> Outcome:
        job = ref.job()
        dealers = issue_and_list(job)
        checked = [future.result() for future in quality.map(_shards(list(job.results.read("quality")["dealer_id"])))]
        written = [future.result() for future in plans.map(_shards(dealers))]
        docs = _work("data docs", write_data_docs)(ref)
        _publish_gates(ref)
        overview = write_overview(job, [*checked, *written])
        said = tuple(problem for outcome in checked for problem in outcome.problems)
        return replace(together(docs, overview), problems=said)

    return keep(ref, Step.DELIVER, work)


def _shards(dealers: list[str]) -> list[list[str]]:
    return [dealers[start : start + SHARD] for start in range(0, len(dealers), SHARD)]


def _publish_gates(ref: RunRef) -> None:
    """The gates as a table and the Data Docs as links on the run's page in Prefect; ids and figures only."""
    from prefect.artifacts import create_link_artifact, create_table_artifact  # noqa: PLC0415

    from tasks.quality_reports import docs_path, gate_table  # noqa: PLC0415

    job = ref.job()
    create_table_artifact(table=gate_table(job), key="gates", description=f"Data quality gates {ref.cycle}")
    for locale in LOCALES:
        link = docs_path(job, locale).as_uri()
        create_link_artifact(link=link, key=f"data-docs-{locale.lower().replace('_', '-')}", link_text=ref.cycle)
