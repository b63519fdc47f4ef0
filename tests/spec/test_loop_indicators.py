"""The loop's own indicators: duties by their day, who had none, scopes and months; and from a ledger's plans."""

from __future__ import annotations

import math
from datetime import datetime

import pandas as pd
import pytest
from support.plans import CYCLE, drive

from models import ledger
from models.catalogue.indicators import Base, Group, indicators
from models.database import Database, migrate
from models.facts import Cycle
from tasks.compute.loop import COUNT_COLUMNS, answered, duty_counts, loop_table
from tasks.job import Job
from tasks.loop import loop_indicators
from tasks.results import Results

AS_OF = pd.Timestamp("2025-04-30 23:59:59")
EVENTS = [
    ("in_time", "2025-04-01 09:00", "issued"), ("in_time", "2025-04-06 22:00", "filed"),
    ("late", "2025-04-01 09:00", "issued"), ("late", "2025-04-07 00:30", "filed"), ("late", "2025-04-09", "returned"),
    ("late", "2025-04-10", "filed"),
    ("never", "2025-04-01 09:00", "issued"),
    ("withdrawn", "2025-04-01 09:00", "issued"), ("withdrawn", "2025-04-03", "withdrawn"),
    ("own_system", "2025-04-01 09:00", "issued"), ("own_system", "2025-04-04", "in_progress"),
    ("not_due", "2025-04-28", "issued"),
]  # fmt: skip


def history():
    frame = pd.DataFrame(EVENTS, columns=["plan_id", "at", "to_state"])
    return frame.assign(at=pd.to_datetime(frame["at"], format="ISO8601"))


def counts(rows):
    return pd.DataFrame(rows, columns=COUNT_COLUMNS)


def test_a_plan_is_filed_in_time_until_the_end_of_the_day():
    found = answered(history(), "issued", ["filed"], 5).set_index("plan_id")["kept"].to_dict()
    assert found == {"in_time": True, "late": False, "never": False, "not_due": False}


def test_every_filing_is_to_be_answered():
    found = answered(history(), "filed", ["approved", "returned"], 3)
    assert sorted(zip(found["plan_id"], found["kept"], strict=True)) == [
        ("in_time", False),
        ("late", False),  # filed again on the 10th and never answered
        ("late", True),
    ]


def test_what_is_not_yet_due_counts_nowhere():
    duties = answered(history(), "issued", ["filed"], 5).assign(dealer_id="A", region_id="R1")
    found = duty_counts("plans_filed_in_time", duties, AS_OF)
    assert (found["numerator"].sum(), len(found), set(found["month"])) == (1, 3, {"2025-04"})


def test_scopes_and_earlier_months():
    rows = [("x", "2025-04", "A", "R1", 1, 1), ("x", "2025-04", "A", "R1", 0, 1), ("x", "2025-04", "B", "R2", 1, 1),
            ("x", "2025-03", "A", "R1", 1, 1), ("x", "2024-04", "C", "R2", 0, 1)]  # fmt: skip
    table = loop_table(counts(rows), "2025-04", ["x", "y"]).set_index(["scope", "scope_id", "indicator"])
    nation = table.loc[("nation", "all", "x")]
    assert nation[["numerator", "denominator", "previous", "same_month_last_year"]].tolist() == [2, 3, 1, 0]
    assert table.loc[("dealer", "A", "x"), "value"] == 0.5
    assert math.isnan(table.loc[("nation", "all", "y"), "value"])
    assert ("dealer", "C", "x") not in table.index


def test_without_plans_the_nation_answers_empty():
    table = loop_table(counts([]), "2025-04", ["x"])
    assert table["scope"].tolist() == ["nation"]
    assert (table["denominator"].iloc[0], table["value"].isna().all()) == (0, True)


def test_from_the_plans_of_a_ledger(workspace):
    migrate(workspace.database_url)
    db = Database.of(workspace)
    drive(db, ledger, "reported", "D0001")
    drive(db, ledger, "issued", "D0002")
    year, month = (int(part) for part in CYCLE.name.split("-"))
    following = Cycle(f"{year + month // 12}-{month % 12 + 1:02d}", datetime(year + month // 12, month % 12 + 1, 28))
    job = Job(workspace, following, Results.of(workspace.results, following, "test"), "")
    table = loop_indicators(job).query("scope == 'nation'").set_index("indicator")
    declared = [one for one in indicators().indicators.values() if one.group is Group.LOOP]
    assert all(one.base is Base.LOOP for one in declared)
    assert list(table.index) == [one.code for one in declared]
    filed = table.loc["plans_filed_in_time"]
    assert (filed["denominator"], filed["value"]) == (2, pytest.approx(0.5))
    assert table.loc["measures_effective", "denominator"] == 0
