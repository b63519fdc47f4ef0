"""How far a measure was carried out: every combination of report and process evidence, and who says what."""

import numpy as np
import pandas as pd
import pytest

from models.enums import ExecutionState
from models.messages import LOCALES
from reports.verdicts import execution
from tasks.compute.learning.executions import PROCESS_COLUMNS, Process, executions, process_state

MOVED, IN_PART, NOT_MOVED, UNCLEAR = (6.0, 12.0), (1.0, 4.0), (-3.0, 2.0), (-2.0, 8.0)


@pytest.mark.parametrize(
    ("interval", "state"),
    [(MOVED, Process.MOVED), (IN_PART, Process.IN_PART), (NOT_MOVED, Process.NOT_MOVED), (UNCLEAR, Process.UNCLEAR)],
)
def test_the_interval_says_what_the_process_did(interval, state):
    assert process_state(*interval, 5.0) is state
    assert process_state(np.nan, np.nan, 5.0) is Process.UNCLEAR


@pytest.mark.parametrize(
    ("executed", "partly", "interval", "state", "words"),
    [
        (True, False, None, "executed", "reported"),
        (True, True, None, "partly", "reported_partly"),
        (False, False, None, "not", "reported_not"),
        (None, False, None, "unknown", "not_reported"),
        (True, False, MOVED, "executed", "reported process_moved"),
        (True, False, UNCLEAR, "executed", "reported process_unclear"),
        (True, False, IN_PART, "partly", "reported process_in_part"),
        (True, False, NOT_MOVED, "partly", "reported process_not_moved"),
        (True, True, MOVED, "partly", "reported_partly process_moved"),
        (False, False, MOVED, "not", "reported_not process_moved"),
        (None, False, MOVED, "executed", "not_reported process_moved"),
        (None, False, IN_PART, "partly", "not_reported process_in_part"),
        (None, False, NOT_MOVED, "not", "not_reported process_not_moved"),
        (None, False, UNCLEAR, "unknown", "not_reported process_unclear"),
    ],
)
def test_report_and_process_together(executed, partly, interval, state, words):
    reported = pd.DataFrame([("m", executed, partly)], columns=["measure_id", "executed", "partly"])
    shown = [] if interval is None else [("m", "reviewed_in_time", np.mean(interval), *interval, 5.0)]
    row = executions(reported, pd.DataFrame(shown, columns=PROCESS_COLUMNS)).iloc[0]
    assert row["execution"] == ExecutionState(state)
    assert row["execution_because"] == ";".join(f"judge.execution.{word}" for word in words.split())
    flag = None if pd.isna(row["executed"]) else bool(row["executed"])
    assert flag == {"executed": True, "partly": True, "not": False, "unknown": None}[state]
    for locale in LOCALES:
        told = execution(row.to_dict(), locale)
        assert len(told) == len(words.split())
        assert not any("nan" in one or "{" in one for one in told)
        assert ExecutionState(state).label(locale)


def test_nothing_to_say_of_no_measures():
    empty = executions(
        pd.DataFrame(columns=["measure_id", "executed", "partly"]), pd.DataFrame(columns=PROCESS_COLUMNS)
    )
    assert empty.empty
    assert {"execution", "execution_because", "process_points"} <= set(empty.columns)
