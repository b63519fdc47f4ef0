"""Results of the analyses for the network of ``support.delivered``, made by hand: figures that add up, hostile names.

``RECTIFY`` has everything, ``FEW`` two cases, the others little or nothing: what is missing must be said.
"""

import json

import pandas as pd

from tasks.analysis_counts import Filing
from tasks.compute.cohorts import COHORT_COLUMNS, MATURITY_COLUMNS
from tasks.compute.decomposition import DECOMPOSITION_COLUMNS
from tasks.compute.funnel_table import FUNNEL_COLUMNS
from tasks.compute.price import CASE_DTYPES
from tasks.compute.product_feedback import FEEDBACK_DTYPES
from tasks.compute.profile import PROFILE_COLUMNS
from tasks.compute.reliability import AGREEMENT_COLUMNS, SHARE_COLUMNS

MONTHS = tuple(f"{year}-{month:02d}" for year in (2025, 2026) for month in range(1, 13))[7:22]  # 2025-08 .. 2026-10
WINDOW = MONTHS[-3:]
HOSTILE = "<b>骋远</b>A6"
NOTES = """[[notes]]
kind = "focus_group"
on = 2026-10-12
series = "骋远S5"
reason = "product_power"
text = "八位客户中三位说<上坡没劲>。"
tags = ["山区"]
"""
#: kind, code, points, lo90, hi90, chance: parts of the gap of one dealer over 200 leads; they add up to -6.
PARTS = (
    ("gap", "", -6.0, -9.0, -3.0, False),
    ("mix", "", -1.5, -2.0, -1.0, False),
    ("own", "", -4.5, -7.0, -2.0, False),
    ("step", "lead_to_visit", -4.0, -6.0, -2.0, False),
    ("step", "visit_to_test_drive", 0.5, -1.0, 2.0, True),
    ("step", "test_drive_to_order", -1.5, -3.5, 0.5, True),
    ("remaining", "", 0.5, 0.1, 0.9, False),
    ("reason", "process_follow_up", -3.0, -5.0, -1.0, False),
    ("reason", "product_power", -0.5, -2.0, 1.0, True),
    ("reason", "customer_funds_not_ready", 1.0, 0.2, 1.8, False),
)


def write(job, dealers, rectify, few):
    """Write every result the analysis pages read."""
    results = {
        "funnel": _funnel(dealers, rectify, few),
        "decomposition": _decomposition(rectify),
        "reliability": _reliability(rectify),
        "reliability_agreement": _agreement(rectify),
        "profile": _profile(),
        "price_cases": _price(rectify),
        "cohorts": _cohorts(dealers),
        "maturity": _maturity(),
        "analysis_notes": _notes(),
        "product_feedback": _feedback(),
        **_scenes(),
    }
    for name, frame in results.items():
        job.results.write(name, frame)
    job.workspace.notes.mkdir(exist_ok=True)
    (job.workspace.notes / "interviews.toml").write_text(NOTES, "utf-8")
    (job.workspace.notes / "refused.csv").write_text("kind,on,text\nvisit,2026-10-02,13800138000\n", "utf-8")


def _feedback():
    """A difference beyond chance, one by chance in a series of a hostile name, a reason no other series has."""
    usual = {"cycle": "2026-10", "owner": "oem_product", "dealers": 4, "to_competitors": 9,
             "competitors": "大众:5;<i>:2", "price_defeats": 0, "positioned_high": 0}  # fmt: skip
    names = ("series", "reason", "defeats", "leads", "share", "lo90", "hi90", "other_defeats", "other_leads",
             "gap_points", "gap_lo90", "gap_hi90", "q_value")  # fmt: skip
    nothing = (None, None, None, None)
    rows = [
        ("骋远S5", "product_power", 30, 300, 0.1, 0.075, 0.132, 20, 600, 6.67, 3.4, 10.1, 0.001),
        (HOSTILE, "product_noise", 6, 90, 0.067, 0.035, 0.123, 30, 810, 3.0, -1.2, 8.0, 0.3),
        ("骋远S5", "price_positioned_high", 12, 300, 0.04, 0.025, 0.063, 0, 0, *nothing),
    ]
    more = [{}, {"competitors": None}, {"owner": "oem_pricing", "price_defeats": 40, "positioned_high": 15}]
    table = [usual | dict(zip(names, row, strict=True)) | own for row, own in zip(rows, more, strict=True)]
    return pd.DataFrame(table)[list(FEEDBACK_DTYPES)].astype(FEEDBACK_DTYPES)


def filings(rectify, sister):
    """Filings of the cycle and of the months it is set beside, as columns of ``defeats``."""
    rows = []
    for month, count in (("2025-10", 6), ("2026-09", 9), ("2026-10", 12)):
        for number in range(count):
            destination = ("competitor", "competitor", "not_purchased", "same_brand_other_dealer")[number % 4]
            row = {
                "lead_id": f"F{month}-{number}",
                "dealer_id": rectify,
                "region_id": "R1",
                "series": HOSTILE,
                "consultant_id": f"C{number % 2}",
                "filed_month": month,
                "verdict": ("true", "true", "quasi", "true")[number % 4],
                "destination": destination,
                "bought_dealer_id": sister if number % 4 == 3 else None,
                "competitor_brand": ("<i>竞品</i>", None)[number % 2] if destination == "competitor" else None,
                "reason": "product_power",
                "counted": True,
                "last_filing": True,
                "premature": number == 2,
            }
            assert set(row) == set(Filing._fields)
            rows.append(row)
    return rows


def _funnel(dealers, rectify, few):
    scopes = {("dealer", dealer): (50, 24, 12, 8) for dealer in dealers if dealer != few}
    scopes[("dealer", rectify)] = (66, 20, 10, 8)
    counts = pd.DataFrame(scopes, index=["leads", "visited", "driven", "won"]).T
    scopes |= {
        ("nation", "all"): tuple(counts.sum()),
        ("region", "R1"): (166, 68, 34, 24),
        ("region", "R2"): (150, 72, 36, 24),
        ("series", HOSTILE): (200, 100, 50, 40),
        ("scene", "show"): (40, 30, 20, 12),
        ("scene", "lost"): (30, 12, 6, 0),
    }
    rows = [
        {"scope": scope, "scope_id": name, "month": month, "leads": leads, "visited": visited,
         "visited_driven": driven, "driven": driven, "driven_won": min(won, driven),
         "won": won + number % 3 * (won > 0)}
        for (scope, name), (leads, visited, driven, won) in scopes.items()
        for number, month in enumerate(MONTHS)
    ]  # fmt: skip
    rows.append(rows[0] | {"scope": "dealer", "scope_id": few, "month": "2026-10", "leads": 2, "visited": 1,
                           "visited_driven": 0, "driven": 0, "driven_won": 0, "won": 0})  # fmt: skip
    rows.append(rows[-1] | {"scope": "series", "scope_id": "二单"})
    return pd.DataFrame(rows)[FUNNEL_COLUMNS]


def _decomposition(rectify):
    rows = [
        {"dealer_id": rectify, "region_id": "R1", "kind": kind, "code": code, "leads": 200, "observed": None,
         "expected": None, "points": points, "deals": 2 * points, "lo90": low, "hi90": high, "shrunk_points": None,
         "chance": chance, "basis": "posterior", "rank": place}
        for place, (kind, code, points, low, high, chance) in enumerate(PARTS, 1)
    ]  # fmt: skip
    return pd.DataFrame(rows)[DECOMPOSITION_COLUMNS]


def _reliability(rectify):
    shares = (("process_follow_up", 20, 9, 24, 0.3, 0.22, 0.38), ("product_power", 30, 4, 26, 0.2, 0.15, 0.25))
    rows = [
        {"scope": scope, "scope_id": name, "reason": reason, "level": 2, "defeats": 100.0, "declared": declared,
         "confirmed": confirmed, "used": used, "declared_share": declared / 100, "confirmed_share": confirmed / 20,
         "used_share": used / 100, "corrected_share": share if corrected else None, "lo90": low if corrected else None,
         "hi90": high if corrected else None, "misreport_points": None,
         "missing": "" if corrected else "analysis.reliability.missing.few_revisits"}
        for scope, name, corrected in (("nation", "all", True), ("dealer", rectify, True), ("series", HOSTILE, False))
        for reason, declared, confirmed, used, share, low, high in shares
    ]  # fmt: skip
    return pd.DataFrame(rows)[SHARE_COLUMNS]


def _agreement(rectify):
    rows = [
        {"scope": scope, "scope_id": name, "compared": 20, "agreed": 9, "agreed_level1": 12, "agreement": 0.45,
         "expected": 0.8, "shrunk": 0.5, "lo90": 0.38, "hi90": 0.62, "differs": differs, "missing": ""}
        for scope, name, differs in (("nation", "all", False), ("dealer", rectify, True))
    ]  # fmt: skip
    return pd.DataFrame(rows)[AGREEMENT_COLUMNS]


def _profile():
    values = (
        ("purchase_type", "first", 1.4, 1.1, 1.8, 0.02, ""),
        ("purchase_type", "replacement", 0.6, 0.4, 0.9, 0.04, ""),
        ("gender", "not_recorded", 1.0, 0.8, 1.2, 0.9, ""),
        ("occupation", SCRIPT_VALUE, None, None, None, None, "analysis.profile.missing.few_cases"),
    )
    rows = [
        {"cycle": "2026-10", "scope": "nation", "scope_id": "all", "attribute": attribute, "value": value, "leads": 60,
         "won": 12, "defeated": 48, "close_rate": 0.2, "lift": lift, "q_value": q, "lift_lo90": low, "lift_hi90": high,
         "won_share": 0.2, "defeated_share": 0.2, "p_value": q, "missing": missing}
        for attribute, value, lift, low, high, q, missing in values
    ]  # fmt: skip
    return pd.DataFrame(rows)[PROFILE_COLUMNS]


SCRIPT_VALUE = "<script>alert(2)</script>"


def _price(rectify):
    classes = ("markup", "markup", "bidding", "unexplained", "unexplained")
    rows = [
        {"cycle": "2026-10", "lead_id": f"F2026-10-{number}", "dealer_id": rectify, "region_id": "R1",
         "series": HOSTILE, "price_class": name}
        for number, name in enumerate(classes)
    ]  # fmt: skip
    return pd.DataFrame(rows).reindex(columns=list(CASE_DTYPES))


def _cohorts(dealers):
    """Twelve months of leads, the last two still moving; none of the scenes."""
    rows = [
        {"scope": scope, "scope_id": name, "outcome": "won", "cohort": month, "age_months": 14 - number,
         "horizon_months": 12, "leads": 60, "by_age": 9, "share_by_age": 0.15,
         "completeness": (0.5, 0.8)[number - 13] if number > 12 else 1.0, "mature": number < 13, "projected": 0.2,
         "lo90": 0.16, "hi90": 0.25, "lacking": ""}
        for scope, name in (("nation", "all"), ("region", "R1"), *(("dealer", one) for one in list(dealers)[:2]))
        for number, month in enumerate(MONTHS)
    ]  # fmt: skip
    rows.append(rows[0] | {"scope": "region", "scope_id": "R2", "projected": None, "lo90": None, "hi90": None,
                           "lacking": "analysis.cohort.lacking.history"})  # fmt: skip
    return pd.DataFrame(rows)[COHORT_COLUMNS]


def _maturity():
    shares = ((1, 0.06, 0.3), (2, 0.14, 0.7), (3, 0.19, 0.96), (4, 0.2, 1.0))
    rows = [
        {"scope": "nation", "scope_id": "all", "outcome": "won", "age_months": age, "at_risk": 900 // age,
         "events": 9, "hazard": 0.1, "share": share, "completeness": complete}
        for age, share, complete in shares
    ]  # fmt: skip
    return pd.DataFrame(rows)[MATURITY_COLUMNS]


def _notes():
    params = json.dumps({"rows": 5, "count": 3, "what": "analysis.price.lacking.quote"})
    row = {"analysis": "price_split", "key": "analysis.note.price_lacking", "params": params}
    return pd.DataFrame([row])


def _scenes():
    index = [
        {"scene": "show", "kind": "event", "name_zh_CN": "秋季车展", "name_en": "Autumn show",
         "filters": json.dumps({"source": ["<车展>"]}), "months": ";".join(WINDOW[1:])},
        {"scene": "lost", "kind": "competitor", "name_zh_CN": "流失到竞品", "name_en": "Lost to a rival",
         "filters": json.dumps({"competitor": ["<i>竞品</i>"]}), "months": ";".join(WINDOW)},
    ]  # fmt: skip
    leads = [{"scene": name, "lead_id": f"F2026-10-{number}", "month": "2026-10"}
             for name, places in (("show", range(12)), ("lost", (0, 4, 8))) for number in places]  # fmt: skip
    return {
        "scenes": pd.DataFrame(index),
        "scene_leads": pd.DataFrame(leads),
        "scene_profile": pd.DataFrame(columns=PROFILE_COLUMNS),
        "scene_reasons": pd.DataFrame(columns=SHARE_COLUMNS),
    }
