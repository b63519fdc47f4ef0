"""A network of seven dealers as results and plans, made by hand: every kind of plan, hostile names, one that fails.

Small, without chance and without the judgement engine, so that pages change only when the pages change.
"""

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pandas as pd
from support import analysed
from support import plans as made
from support.stored_sums import store

from models import ledger
from models.catalogue.contract import contract
from models.database import Database
from models.enums import PlanKind
from models.facts import Cycle
from models.workspace import Workspace
from tasks import delivering
from tasks.compute.defeat_filter import DTYPES
from tasks.compute.frames import lake_dtypes
from tasks.compute.judgement.verify import EFFECT_COLUMNS
from tasks.compute.learning.check import CHECK_COLUMNS
from tasks.compute.learning.following import FOLLOW_COLUMNS
from tasks.compute.learning.practice import PRACTICE_COLUMNS
from tasks.compute.learning.record import RECORD_COLUMNS
from tasks.job import Job
from tasks.results import Results

CYCLE, EARLIER = Cycle("2026-10", datetime(2026, 10, 31, 23, 59, 59)), Cycle("2026-08", datetime(2026, 8, 31))
SCRIPT, FORMULA = "<script>alert(1)</script>", "=cmd|' /C calc'!A0"
RECTIFY, UNDER_WAY, DATA, KEEP, COACHING, FAILS, FEW = "D001", "../D/2", "D003", "D004", "D005", "D006", FORMULA
NAMES = {
    RECTIFY: SCRIPT,
    UNDER_WAY: "杭州&宏图<b>店",
    DATA: FORMULA,
    KEEP: "苏州立成店",
    COACHING: "南京宝源店",
    FEW: "@SUM(A1)",
}
LEADS = ("=1+1", "+L2", "-L3", "@L4", "<i>L5</i>")
MONTHS = ("2026-08", "2026-09", "2026-10")
SHARES = {  # indicator: (denominator, peers' level)
    "lead_to_visit": (200, 0.6),
    "visit_to_test_drive": (120, 0.5),
    "test_drive_to_order": (60, 0.5),
    "close_rate": (200, 0.18),
    "premature_share": (150, 0.08),
    "reason:process_follow_up": (200, 0.04),
    "reason:product_power": (200, 0.05),
}


def build(folder: Path) -> Job:
    """The cycle of 2026-10 in a fresh workspace under ``folder``, its pages delivered."""
    workspace = Workspace.open(folder, locale="zh_CN", timezone="Asia/Shanghai", database_url="", window_months=3)
    workspace.create()
    db = Database.of(workspace)
    db.migrate()
    job = Job(workspace, CYCLE, Results(workspace.results, CYCLE.name, "20261031-0123456789ab"), "exports")
    _dealers(job)
    _plans(db)
    _figures(job)
    _quality(job)
    listed = delivering.issue_and_list(job)
    delivering.write_overview(job, [delivering.write_dealers(job, listed)])
    return job


def _dealers(job):
    dtypes = lake_dtypes(contract().tables["dealers"])
    frame = pd.DataFrame(
        {
            "dealer_id": list(NAMES),
            "name": list(NAMES.values()),
            "region_id": ["R1", "R1", "R2", "R2", "R2", "R1"],
            "region_name": ["华东", "华东", None, None, None, "华东"],
            "_file": "dealers.csv",
            "_row": range(1, len(NAMES) + 1),
        }
    )
    job.lake.replace("accepted", "dealers", frame.reindex(columns=list(dtypes)).astype(dtypes))


def _plans(db):
    before = made.draft(UNDER_WAY, cycle=EARLIER.name, measures=1, not_fixable=())
    before = replace(before, measures=(made.measure("first_hour_response", due_on=date(2026, 9, 20)),))
    late = replace(made.draft(KEEP, cycle=EARLIER.name, not_fixable=()), measures=before.measures)
    ledger.save_plan_drafts(db, EARLIER, [before, late], at=made.MONDAY.replace(month=9))
    day = made.MONDAY.replace(month=9)
    ledger.issue_cycle(db, EARLIER.name, actor=made.OEM, at=day)
    plan_id = f"{EARLIER.name}-{UNDER_WAY}"
    ledger.file(db, plan_id, made.filing(ledger.plan(db, plan_id)), actor=made.dealer(UNDER_WAY), at=day)
    ledger.approve(db, plan_id, actor=made.region(), at=day)
    ledger.save_plan_drafts(db, CYCLE, _drafts(), at=db.instant(CYCLE.as_of))


def _problem(dealer, indicator, reason, better_high=False, **more):
    cases, expected = SHARES[indicator]
    value = expected - 0.1 if better_high else expected + 0.06
    gap = (-8.0, -12.0, -4.0) if better_high else (4.0, 1.5, 6.5)
    return made.problem(
        dealer,
        indicator=indicator,
        reason=reason,
        numerator=round(cases * value),
        denominator=cases,
        value=round(cases * value) / cases,
        expected=expected,
        gap_points=gap[0],
        lo90=gap[1],
        hi90=gap[2],
        months=MONTHS,
        **{"also": (), "lead_ids": (), **more},
    )


def _drafts():
    high = _problem(RECTIFY, "premature_share", "process_follow_up", deals_at_stake=4.2, also=("lead_to_visit",))
    low = _problem(RECTIFY, "visit_to_test_drive", "process_no_test_drive", better_high=True, deals_at_stake=2.1)
    lost = _problem(RECTIFY, "reason:process_follow_up", "process_follow_up", deals_at_stake=1.4, lead_ids=LEADS)
    power = _problem(RECTIFY, "reason:product_power", "product_power", deals_at_stake=3.0)
    same = "process_follow_up"
    measures = (
        made.measure("first_hour_response", reason=same, indicator="premature_share", verify_after_months=None),
        made.measure("test_drive_for_every_visit", reason="process_no_test_drive", indicator="visit_to_test_drive"),
    )
    kinds = PlanKind
    waiting = _problem(UNDER_WAY, "reason:process_follow_up", same, deals_at_stake=1.2)
    return [
        _plan(RECTIFY, kinds.RECTIFY, "rectify", (high, low, lost), measures, (power,), closings=200, problems=3),
        _plan(UNDER_WAY, kinds.KEEP, "under_way", (waiting,), problems=1, since=EARLIER.name),
        _plan(DATA, kinds.DATA, "data", score=41.5, limit=60.0),
        _plan(KEEP, kinds.KEEP, "nothing_abnormal", closings=200, indicators=7),
        _plan(COACHING, kinds.COACHING, "coaching_not_executed", (low,), measures[1:], plans=2),
        _plan(FAILS, kinds.KEEP, "nothing_abnormal", closings=200, indicators=7),
        _plan(FEW, kinds.KEEP, "too_few", closings=12, minimum=30),
    ]


def _plan(dealer, kind, note, found=(), measures=(), not_fixable=(), **figures):
    return replace(
        made.draft(dealer, kind),
        region_id="R2" if dealer in (DATA, KEEP, COACHING) else "R1",
        problems=tuple(found),
        measures=tuple(measures),
        not_fixable=tuple(not_fixable),
        note=f"plan_note.{note}",
        note_params={"months": 3, "deals": sum(problem.deals_at_stake for problem in found), **figures},
    )


def _row(dealer, indicator, value, gap, low, high, enough=True):
    cases, expected = SHARES[indicator]
    cases = cases if enough else 4
    nothing = float("nan")
    return {
        "dealer_id": dealer,
        "indicator": indicator,
        "numerator": round(cases * value),
        "denominator": cases,
        "value": round(cases * value) / cases,
        "expected": expected if enough else nothing,
        "gap_points": gap if enough else nothing,
        "lo90": low if enough else nothing,
        "hi90": high if enough else nothing,
        "q_value": 0.02 if gap < 0 else 0.5,
        "peers": 6,
        "enough": enough,
        "missing": "" if enough else "judge.missing.few_cases",
        "funnel_z": (-3.0 if gap < 0 else 1.0) if enough else nothing,
        "funnel_outside": gap < 0 if enough else None,
        "funnel_between": 0.02 if enough else nothing,
        "region_id": "R1" if dealer in (RECTIFY, UNDER_WAY, FEW) else "R2",
    }


def _figures(job):
    rows = []
    for dealer in (RECTIFY, UNDER_WAY, KEEP, COACHING):
        for indicator, (_, expected) in SHARES.items():
            weak = dealer == RECTIFY and indicator == "lead_to_visit"
            strong = dealer == KEEP and indicator == "visit_to_test_drive"
            gap = (-6.0, -9.0, -3.0) if weak else (7.0, 3.0, 11.0) if strong else (0.5, -1.5, 2.5)
            rows.append(_row(dealer, indicator, expected + gap[0] / 100, *gap))
    rows += [_row(FEW, indicator, 0.25, 0.0, 0.0, 0.0, enough=False) for indicator in SHARES]
    job.results.write("comparisons", pd.DataFrame(rows))
    month = [
        {"scope": scope, "scope_id": name, "indicator": code, "numerator": 10.0 * size, "denominator": 50.0 * size,
         "value": 0.2, "previous": 0.19}
        for scope, names, size in (("nation", ["all"], 5), ("region", ["R1", "R2"], 2), ("dealer", list(NAMES), 1))
        for name in names
        for code in ("close_rate", "lead_to_visit", "defeat_rate_filed")
    ]  # fmt: skip
    job.results.write("indicators", pd.DataFrame(month))
    reasons = [
        {"scope": scope, "scope_id": name, "reason": reason, "level": 2, "defeats": count, "declared": count + 3}
        for scope, name in (("nation", "all"), ("dealer", RECTIFY))
        for reason, count in (("process_follow_up", 9), ("product_power", 5), ("customer_funds_not_ready", 2))
    ]
    job.results.write("reasons", pd.DataFrame(reasons))
    sums = [
        {"dealer_id": dealer, "month": month, "won": 10 + number, "true_defeat": 10 + number, "closed": 50}
        for dealer in NAMES
        for number, month in enumerate(("2026-07", *MONTHS))
    ]
    store(job.results, pd.DataFrame(sums))
    defeats = [
        {"cycle": CYCLE.name, "filed_month": CYCLE.name, "lead_id": f"L{number}", "dealer_id": RECTIFY,
         "verdict": verdict, "destination": "competitor", "lacking": "sales", "counted": True, "last_filing": True,
         "reactivated": False, "premature": False, "consultant_id": "C1", "region_id": "R1", "series": "骋远A6",
         "competitor_brand": SCRIPT if number < 2 else None, "reason": "product_power"}
        for number, verdict in enumerate(("true", "true", "quasi", "false"))
    ]  # fmt: skip
    earlier = [one | {"cycle": one["filed_month"]} for one in analysed.filings(RECTIFY, KEEP)]
    defeats += [one for one in earlier if one["filed_month"] != CYCLE.name]
    analysed.write(job, NAMES, RECTIFY, FEW)
    job.results.write("defeats", pd.DataFrame(defeats).reindex(columns=list(DTYPES)).astype(DTYPES))
    rival = {"series": "骋远A6", "competitor_brand": SCRIPT, "defeats": 9, "defeats_previous": None,
             "top_reasons": "product_power;price_too_high"}  # fmt: skip
    job.results.write("competitors", pd.DataFrame([rival, rival | {"competitor_brand": None, "top_reasons": None}]))
    _verification(job)


def _verification(job):
    looks = {
        "dealer_id": UNDER_WAY, "plan_id": f"{EARLIER.name}-{UNDER_WAY}", "measure_id": f"{EARLIER.name}-{UNDER_WAY}-1",
        "measure": "first_hour_response", "reason": "process_follow_up", "months": 3, "executed": True,
        "denominator": 140, "effect_points": 2.4, "lo90": -1.1, "hi90": 5.9, "target_points": 3.0, "months_needed": 6,
        "shrunk_points": 1.9, "indicator": "close_rate", "execution": "partly",
        "process_indicator": "first_response_in_1h",
        "execution_because": "judge.execution.reported;judge.execution.process_in_part", "process_points": 8.0,
        "process_lo90": 3.1, "process_hi90": 12.9, "process_least": 15.0, "notes": "judge.note.mix_moved",
        "untreated": 20, "verdict": "not_enough_evidence", "reason_key": "judge.verdict.not_enough_evidence",
    }  # fmt: skip
    columns = list(dict.fromkeys([*EFFECT_COLUMNS, *looks]))
    job.results.write("effects", pd.DataFrame([looks]).reindex(columns=columns))
    same = "process_follow_up"
    first = {"reason": same, "measure": "first_hour_response", "dealers": 3, "executed": 2, "pooled": 2, "shared": 0,
             "basis": "executed", "indicator": "close_rate", "effect_points": 1.8, "lo90": 0.4, "hi90": 3.2,
             "verdict": "effective", "shrunk_points": 1.5, "shrunk_lo90": 0.2, "shrunk_hi90": 2.8, "best_chance": 0.7,
             "rank": 1, "because": "learning.because.record"}  # fmt: skip
    other = dict.fromkeys(first) | {"reason": "process_no_test_drive", "measure": "test_drive_for_every_visit",
             "dealers": 0, "executed": 0, "pooled": 0, "basis": "", "verdict": "not_enough_evidence", "rank": 1,
             "best_chance": 1.0, "because": "learning.because.only"}  # fmt: skip
    columns = list(dict.fromkeys([*RECORD_COLUMNS, *first]))
    job.results.write("measures", pd.DataFrame([first, other]).reindex(columns=columns))
    follow = {"plan_id": looks["plan_id"], "measure_id": looks["measure_id"], "dealer_id": UNDER_WAY,
              "region_id": "R1", "measure": looks["measure"], "reason": same, "verdict": looks["verdict"],
              "step": "extend", "owner": "dealer", "due_on": pd.Timestamp("2026-11-30"), "consent": False,
              "next_measure": ""}  # fmt: skip
    visit = follow | {"step": "worse", "owner": "region", "dealer_id": KEEP, "measure_id": "2026-08-D004-1",
                      "region_id": "R2", "next_measure": "lead_alarm"}  # fmt: skip
    job.results.write("follow_ups", pd.DataFrame([follow, visit]).reindex(columns=FOLLOW_COLUMNS))
    nothing = float("nan")
    checks = [
        ("aa_false", 0.05, 0.01, 0.16, 0.045, 20, "as_expected"), ("placebo_z", 0.97, 0.8, 1.2, 1.0, 40, "as_expected"),
        ("inconclusive", 1.0, 0.2, 1.0, nothing, 1, "for_information"),
        ("programme_network", 0.4, -0.1, 0.9, 0.0, 9, "not_sure"),
        ("close_rate_with", 18.4, nothing, nothing, nothing, 3000, "for_information"),
        ("close_rate_without", 18.0, 17.5, 18.5, nothing, 3000, "not_sure"),
        ("extra_deals", 12.0, -3.0, 27.0, 0.0, 3000, "not_sure"),
        *((name, nothing, nothing, nothing, nothing, 0, "no_hours")
          for name in ("hours_per_closed_plan", "hours_per_extra_deal", "cost_per_extra_deal")),
    ]  # fmt: skip
    rows = [[*row[:-1], f"learning.verdict.{row[-1]}"] for row in checks]
    job.results.write("self_checks", pd.DataFrame(rows, columns=CHECK_COLUMNS))
    worked = {"reason": same, "measure": "first_hour_response", "indicator": "close_rate", "plan_id": "2026-08-D004",
              "measure_id": "2026-08-D004-1", "dealer_id": KEEP, "months": 3, "shrunk_points": 2.6, "lo90": 0.9,
              "hi90": 4.6, "consent": "given", "named": True}  # fmt: skip
    job.results.write("practices", pd.DataFrame([worked], columns=PRACTICE_COLUMNS))


def _quality(job):
    scores = [
        {"dealer_id": dealer, "rows": 500, "quarantined": 7, "held": 1, "score": 41.5 if dealer == DATA else 96.0,
         "gate": "fail" if dealer == DATA else "pass"}
        for dealer in (*NAMES, FAILS)
    ]  # fmt: skip
    scores.append(scores[0] | {"dealer_id": "_unassigned", "rows": 31, "score": None, "gate": "fail"})
    job.results.write("quality", pd.DataFrame(scores))
    rules = ["missing_required", "malformed_phone", "impossible_date", "unknown_code", "age_out_of_range",
             "non_positive_price", "unknown_reason", "filed_late", "ambiguous_id", "same_customer_again",
             "status_against_times", "missing_expected"]  # fmt: skip
    losses = [
        {"dealer_id": DATA, "table": "leads", "rule": rule, "failed": 40 - number, "rows": 500,
         "points": 12.0 - number}
        for number, rule in enumerate(rules)
    ]  # fmt: skip
    job.results.write("losses", pd.DataFrame(losses))
    rejected = [
        {"cycle": CYCLE.name, "table": "leads", "source_file": "leads.csv", "row_number": number, "row_key": key,
         "dealer_id": DATA, "rule": rule, "column": column, "severity": "quarantine", "message": ""}
        for number, (key, rule, column) in enumerate(
            [(LEADS[0], "malformed_phone", "phone"), (LEADS[3], "missing_required", "series"),
             ("L9", "missing_required", "created_at")], 1)
    ]  # fmt: skip
    job.results.write("rejected", pd.DataFrame(rejected).astype({"row_number": "Int64"}))
    account = {"table": "leads", "rows": 600, "accepted": 580, "quarantined": 12, "held": 3, "duplicates": 5}
    job.results.write("account", pd.DataFrame([account]))
