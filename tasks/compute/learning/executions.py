"""Was a measure carried out: what the dealer reported, and what its process indicator shows (domain.md sections 3, 10).

"Not executed" and "executed without effect" are two outcomes. The dealer's own report says most; beside it stands an
indicator of the work itself where the playbook names one, judged by the same forecast as every measure. It can turn a
reported "done" into "in part", and speak where nobody reported; it never overrules a dealer that says it did nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import pandas as pd

from models.enums import ExecutionState

PROCESS_COLUMNS = ["measure_id", "process_indicator", "process_points", "process_lo90", "process_hi90", "process_least"]
EXECUTION_COLUMNS = ["measure_id", "execution", "executed", "execution_because", *PROCESS_COLUMNS[1:]]
KEY = "judge.execution"


class Process(StrEnum):
    """What the process indicator did since: all that carrying out the measure brings at least, part of it, nothing."""

    MOVED = "moved"
    IN_PART = "in_part"
    NOT_MOVED = "not_moved"
    UNCLEAR = "unclear"


_BY_PROCESS: Mapping[Process, ExecutionState] = {
    Process.MOVED: ExecutionState.EXECUTED,
    Process.IN_PART: ExecutionState.PARTLY,
    Process.NOT_MOVED: ExecutionState.NOT,
}


def process_state(lo90: float, hi90: float, least: float) -> Process:
    """What an interval of the process indicator (points, positive = as carrying out the measure moves it) says.

    ``least``: what carrying it out moves at least. Unclear while the interval holds both nothing and ``least``, and
    where there is none (NaN).
    """
    if hi90 < least:
        return Process.IN_PART if lo90 > 0 else Process.NOT_MOVED
    return Process.MOVED if lo90 > 0 else Process.UNCLEAR


def executions(reported: pd.DataFrame, processes: pd.DataFrame) -> pd.DataFrame:
    """How far each measure was carried out, EXECUTION_COLUMNS.

    ``reported``: measure_id, executed (True, False, missing = nobody said), partly; ``processes``: PROCESS_COLUMNS of
    the measures whose process indicator could be judged (points, 90 % interval, the least movement asked for).

    - execution: ``executed``, ``partly``, ``not`` or ``unknown``; executed: the same as true, false or missing (in
      part is true).
    - execution_because: message keys joined by ``;``, one per source: the report, then the process indicator.
    """
    table = reported[["measure_id", "executed", "partly"]].merge(processes, on="measure_id", how="left")
    rows = []
    for row in table.to_dict("records"):
        said, words = _reported(row["executed"], bool(row["partly"]))
        shown = None
        if isinstance(row["process_indicator"], str):
            shown = process_state(row["process_lo90"], row["process_hi90"], row["process_least"])
            words = [*words, f"{KEY}.process_{shown.value}"]
        state = _together(said, shown)
        rows.append(
            {
                "measure_id": row["measure_id"],
                "execution": state.value,
                "executed": None if state is ExecutionState.UNKNOWN else state is not ExecutionState.NOT,
                "execution_because": ";".join(words),
                **{name: row[name] for name in PROCESS_COLUMNS[1:]},
            }
        )
    return pd.DataFrame(rows, columns=EXECUTION_COLUMNS).astype({"executed": "boolean"})


def _reported(executed: object, partly: bool) -> tuple[ExecutionState, list[str]]:
    if pd.isna(executed):  # type: ignore[call-overload]
        return ExecutionState.UNKNOWN, [f"{KEY}.not_reported"]
    if not executed:
        return ExecutionState.NOT, [f"{KEY}.reported_not"]
    return (
        (ExecutionState.PARTLY, [f"{KEY}.reported_partly"])
        if partly
        else (ExecutionState.EXECUTED, [f"{KEY}.reported"])
    )


def _together(said: ExecutionState, shown: Process | None) -> ExecutionState:
    if said is ExecutionState.UNKNOWN:
        return _BY_PROCESS.get(shown, ExecutionState.UNKNOWN) if shown else ExecutionState.UNKNOWN
    if said is ExecutionState.EXECUTED and shown in (Process.IN_PART, Process.NOT_MOVED):
        return ExecutionState.PARTLY
    return said
