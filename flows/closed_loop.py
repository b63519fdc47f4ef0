"""The cycle: from dealers' exports to their plans and to the verdict on earlier ones, on one screen.

Each step is a subflow with its key point in our own tables; heavy steps work in shards. A dealer that fails is
recorded and does not stop the others; the run ends Failed when a step stops or more than ``failed_dealer_share`` of the
dealers failed in one, "with problems" when some dealers or files failed, Completed otherwise. Run again after any
interruption, it continues after the last finished step.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from prefect import flow
from prefect.states import State
from pydantic import Field

from flows.records import RunRef, cycle_run
from flows.steps import (
    check_records,
    deliver_plans,
    diagnose_dealers,
    draft_plans,
    filter_defeats,
    measure_indicators,
    receive_exports,
    verify_measures,
)

CycleName = Annotated[str, Field(pattern=r"^(\d{4}-(0[1-9]|1[0-2]))?$")]


@flow(name="closed-loop", flow_run_name="closed-loop {cycle}", validate_parameters=True)
def closed_loop(
    cycle: CycleName = "", source: str = "", as_of: datetime | None = None, mapping: str = ""
) -> State[RunRef]:
    """One turn of the loop for one month (domain.md section 9); ends with the state the rule above says.

    Args:
        cycle: YYYY-MM; empty: the last complete month of the data
        source: folder of exports or source mapping (.toml); empty: the setting cycle_source
        as_of: judge with what was known then; empty: the end of the data
        mapping: source mapping of the folder; empty: the files are in the data contract
    """
    with cycle_run(cycle, source, mapping, as_of) as run:
        receive_exports(run.ref)
        run.settle()  # which month and known until when, where the caller left it to the data
        check_records(run.ref)
        filter_defeats(run.ref)
        measure_indicators(run.ref)
        verify_measures(run.ref)
        diagnose_dealers(run.ref)
        draft_plans(run.ref)
        deliver_plans(run.ref)
        return run.conclude()
