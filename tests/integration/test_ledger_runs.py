"""What a run leaves behind, on both databases: runs, key points, outcomes, loads, quality, dealers, publications."""

import time
from dataclasses import replace
from datetime import datetime

import pandas as pd
import pytest
from sqlalchemy import select
from support.plans import CYCLE, day, draft

from models import ledger
from models.database import reading
from models.enums import PointState, Role, Step
from models.errors import NotAvailableError
from models.ledger.frames import (
    POINT_COLUMNS,
    SCORE_COLUMNS,
    keypoints_frame,
    outcomes_frame,
    quality_frame,
    scores_frame,
)
from models.schemas import Dealer, DealerOutcome, FileLoad
from models.tables import DealerRow, FileLoadRow, table


def open_run(db, number=0, **more):
    ledger.open_run(db, "run-1", CYCLE, source="demo", at=day(number), host="box", pid=7, **more)


def test_a_run_is_opened_once_and_closed_with_its_end(db):
    open_run(db, settings_fingerprint="abc")
    open_run(db, 1)
    (run,) = ledger.runs(db, "2026-10", PointState.RUNNING)
    assert (run.started_at, run.as_of, run.settings_fingerprint, run.pid) == (day(0), CYCLE.as_of, "abc", 7)
    ledger.close_run(db, "run-1", PointState.WITH_PROBLEMS, at=day(1), message="run.some_failed")
    assert ledger.runs(db, state=PointState.RUNNING) == ()
    assert ledger.runs(db)[0].finished_at == day(1)
    with pytest.raises(NotAvailableError):
        ledger.close_run(db, "run-9", PointState.FINISHED, at=day(1))


def test_a_key_point_has_owner_deadline_times_and_counts(db):
    ledger.record_point(db, CYCLE, Step.FILTER, PointState.RUNNING, at=day(0), prefect_flow_run_id="f1")
    ledger.record_point(db, CYCLE, Step.FILTER, PointState.FINISHED, at=day(1), counts={"rows": 5})
    (point,) = ledger.key_points(db, "2026-10")
    assert (point.owner, point.started_at, point.finished_at) == (Role.SYSTEM, day(0), day(1))
    assert (point.counts, point.prefect_flow_run_id, point.late) == ({"rows": 5}, "f1", False)
    ledger.record_point(db, CYCLE, Step.FILTER, PointState.RUNNING, at=day(30))
    (again,) = ledger.key_points(db, "2026-10")
    assert (again.started_at, again.finished_at, again.late) == (day(30), None, True)


def test_key_points_export_in_the_order_of_the_procedure(db):
    for step in (Step.PLAN, Step.INGEST, Step.VERIFY):
        ledger.record_point(db, CYCLE, step, PointState.FINISHED, at=day(0))
    frame = keypoints_frame(db, "2026-10")
    assert frame.columns.tolist() == list(POINT_COLUMNS)
    assert frame["stage"].tolist() == ["ingest", "verify", "plan"]
    assert frame["owner"].tolist() == ["oem", "system", "system"]
    assert frame["due_at"].iloc[0] == datetime(2026, 11, 6)
    assert frame["finished_at"].iloc[0] == datetime(2026, 11, 2, 9)


def test_outcomes_per_dealer_keep_the_last_word(db):
    bad = DealerOutcome("D001", False, "run.no_leads", (("month", "2026-10"),))
    ledger.record_dealer_outcomes(db, "2026-10", Step.PLAN, [bad, DealerOutcome("D002", True)], at=day(0))
    ledger.record_dealer_outcomes(db, "2026-10", Step.PLAN, [DealerOutcome("D002", False, "run.x")], at=day(1))
    frame = outcomes_frame(db, "2026-10")
    assert frame["ok"].tolist() == [False, False]
    assert frame["params"].tolist() == [{"month": "2026-10"}, {}]


def test_a_file_loaded_again_keeps_its_first_record_and_a_corrected_one_is_a_second(db):
    load = FileLoad("demo", "leads", "leads.csv", "aa", 10, 8, 1, 1)
    ledger.record_loads(db, [load], at=day(0))
    ledger.record_loads(db, [load, replace(load, sha256="bb", rows_in=11)], at=day(1))
    rows = table(FileLoadRow)
    with reading(db.url) as connection:
        found = connection.execute(select(rows.c.sha256, rows.c.loaded_at).order_by(rows.c.sha256)).all()
    assert [tuple(row) for row in found] == [("aa", day(0)), ("bb", day(1))]


def quality(failed=3):
    columns = {"dealer_id": ["D001", "_unassigned"], "expectation": ["leads.phone", "leads.phone"]}
    rest = {"table": "leads", "severity": "quarantine", "failed": [failed, 0], "checked": [9, 4], "suite_version": "1"}
    return pd.DataFrame(columns | rest)


def scores(**changes):
    row = {"dealer_id": "D001", "rows": 10, "accepted": 8, "duplicates": 1, "quarantined": 1, "held": 0, "warned": 2}
    parts = ("completeness", "validity", "consistency", "uniqueness", "timeliness", "authenticity")
    return pd.DataFrame([row | dict.fromkeys(parts, 99.5) | {"score": 88.0, "gate": "pass"} | changes])


def test_quality_of_a_cycle_is_replaced_as_a_whole(db):
    ledger.record_quality(db, "2026-10", quality())
    ledger.record_quality(db, "2026-11", quality())
    ledger.record_quality(db, "2026-10", quality(failed=1).head(1))
    assert quality_frame(db, "2026-10")["failed"].tolist() == [1]
    assert len(quality_frame(db, "2026-11")) == 2
    ledger.record_quality(db, "2026-10", quality().head(0))
    assert quality_frame(db, "2026-10").empty


def test_scores_export_in_the_public_columns_with_empty_for_not_available(db):
    ledger.record_scores(db, "2026-10", scores(authenticity=float("nan")))
    frame = scores_frame(db, "2026-10")
    assert frame.columns.tolist() == list(SCORE_COLUMNS)
    assert frame.loc[0, ["rows", "score", "gate"]].tolist() == [10, 88.0, "pass"]
    assert frame["authenticity"].isna().all()
    ledger.record_scores(db, "2026-10", scores(score=50.0, gate="fail"))
    assert scores_frame(db)["gate"].tolist() == ["fail"]


def test_dealers_no_longer_in_the_network_stay_inactive(db):
    ledger.record_dealers(db, [Dealer("D001", "一店", "R1"), Dealer("D002", "二店", "R1")], at=day(0))
    ledger.record_dealers(db, [Dealer("D001", "一店新名", "R2", city="成都")], at=day(1))
    rows = table(DealerRow)
    with reading(db.url) as connection:
        wanted = select(rows.c.name, rows.c.region_id, rows.c.active).order_by(rows.c.dealer_id)
        found = connection.execute(wanted).all()
    assert [tuple(row) for row in found] == [("一店新名", "R2", True), ("二店", "R1", False)]


def test_a_rejudged_result_is_a_new_version_and_the_old_one_is_kept(db):
    def publish(cycle, checksum, at):
        return ledger.publish_result(db, cycle, "defeats", path="results/x", checksum=checksum, rows=3, at=at)

    later = replace(CYCLE, as_of=datetime(2026, 12, 1))
    assert publish(CYCLE, "aa", day(0)) == 1
    assert publish(CYCLE, "aa", day(1)) == 1
    assert publish(later, "bb", day(2)) == 2
    assert [(one.version, one.checksum, one.as_of) for one in ledger.published(db, "2026-10", "defeats")] == [
        (1, "aa", CYCLE.as_of),
        (2, "bb", datetime(2026, 12, 1)),
    ]


def test_a_whole_network_of_drafts_is_saved_in_seconds_not_minutes(db):
    drafts = [draft(f"D{number:04d}", measures=3) for number in range(1000)]
    started = time.perf_counter()
    ledger.save_plan_drafts(db, CYCLE, drafts, at=day(0))
    assert time.perf_counter() - started < 10  # about half a second alone; the box is shared
    assert len(ledger.plans(db, "2026-10")) == 1000
