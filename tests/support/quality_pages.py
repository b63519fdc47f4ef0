"""A dealer's quality and a region's Data Docs as facts made by hand: every part of the pages, hostile names."""

from datetime import datetime

from models.enums import Gate, Severity
from reports.quality_docs import CheckLine, DealerScoreLine, DocsFacts, RegionLine, SignLine
from reports.quality_page import Corrected, DealerQuality, Loss, TrendPoint
from reports.quality_signs import NotTested, Sign

AS_OF = datetime(2026, 10, 31, 23, 59, 59)
SCRIPT = "<script>alert(1)</script>"
LEADS = tuple(("leads", f"L{number:03d}") for number in range(1, 260))
UNTESTED = (
    NotTested("phone_changed", "no_versions", {}),
    NotTested("sequential_phone", "no_column", {"table": "leads", "column": "phone"}),
    NotTested("copied_text", "few_rows", {"rows": 40}),
    NotTested("reason_shift", "few_rows", {"rows": 40}),
)

DEALER = DealerQuality(
    dealer_id="D001",
    name=SCRIPT,
    region="华东",
    cycle="2026-10",
    as_of=AS_OF,
    score=71.25,
    gate=Gate.WARN,
    fail_below=60.0,
    warn_below=85.0,
    counts={"rows": 1200, "accepted": 1100, "quarantined": 60, "held": 20, "warned": 90},
    dimensions={
        **{"completeness": 88.0, "validity": 95.0, "consistency": 100.0, "uniqueness": None},
        **{"timeliness": 100.0, "authenticity": 88.25},
    },
    losses=(
        Loss("leads", "missing_required", "completeness", ("series", "phone"), 60, 1000, 12.0, ("L7", "=L8")),
        Loss("signals", "shared_phone", "authenticity", (), 259, 400, 11.5),
        Loss("leads", "malformed_phone", "validity", ("phone",), 25, 1000, 5.0),
        Loss("signals", "revisit_seconds", "authenticity", (), 12, 90, 0.25),
    ),
    new=(Loss("leads", "malformed_phone", "validity", ("phone",), 25, 1000, 5.0),),
    mended=14,
    corrections=(Corrected(datetime(2026, 10, 20, 9, 5), "user1", 9, 11, 2),),
    trend=(TrendPoint("2026-08", None, 90.0), TrendPoint("2026-09", 65.0, 91.0), TrendPoint("2026-10", 71.25, 91.5)),
    listed=80,
    action_points={"drop": 200.0, "null": 50.0, "keep": 20.0, "hold": 0.0},
    table_weights={"leads": 1.0, "defeats": 0.5},
    most_by_signs=15.0,
    signs=(
        Sign("revisit_seconds", 90, 12, 3.4, "2026-10", (("revisits", "H1"), ("revisits", "revisits.csv:12")), 0.25),
        Sign("shared_phone", 400, 259, 0.02, "2026-08", LEADS, 11.5),
    ),
    untested=UNTESTED,
    docs={"zh_CN": "../../data-docs/zh_CN/region-R1.html", "en": "../../data-docs/en/region-R1.html"},
)

HARD = Severity.QUARANTINE
CHECKS = (
    CheckLine("leads", "missing_required", "series", HARD, "failed", "", 1000, 60, 0.06, 0.05, "2026-08"),
    CheckLine("leads", "malformed_phone", "phone", HARD, "failed", "reading", 1000, 25, 0.025, None, "2026-10"),
    CheckLine("leads", "age_out_of_range", "age", Severity.WARN, "passed", "", 800, 0, 0.0, 0.01, "2026-09"),
    CheckLine("leads", "out_of_range", "mileage", Severity.WARN, "not_checked", "all_null", 0, 0, None, None, ""),
    CheckLine("sales", "non_positive_price", "price", Severity.WARN, "passed", "", 300, 0, 0.0, 0.0, ""),
)
SIGNS = (
    SignLine("shared_phone", 12, 2, 310, 1, 1, "2026-08"),
    SignLine("revisit_seconds", 12, 1, 12, 0, 0, "2026-10"),
    SignLine("straight_top_marks", 12, 0, 0, 2, 0, "2026-07"),
    SignLine("no_contact", 12, 0, 0, 0, 0, ""),
    SignLine("phone_changed", 0, 0, 0, 0, 0, ""),
)
REGION = DocsFacts(
    *("华东", "2026-10", AS_OF, "99bf8eb2"),
    checks=CHECKS,
    dealers=(
        DealerScoreLine("D003", "", None, None, Gate.FAIL, 0, 0, ()),
        DealerScoreLine(SCRIPT, "../../dealers/D001/quality", 71.25, 65.0, Gate.WARN, 1200, 60,
                        ("shared_phone", "revisit_seconds")),
        DealerScoreLine("D002", "../../dealers/D002/quality", 95.0, 96.1, Gate.PASS, 900, 3, ("shared_phone",)),
    ),
    signs=SIGNS,
    untested=UNTESTED[:1],
)  # fmt: skip
NATION = DocsFacts(
    *("", "2026-10", AS_OF, "99bf8eb2"),
    checks=CHECKS,
    regions=(
        RegionLine("华东", "region-R1.html", ((Gate.PASS, 1), (Gate.WARN, 1), (Gate.FAIL, 1)), 83.1, 2),
        RegionLine(SCRIPT, "region-R2.html", ((Gate.PASS, 9), (Gate.WARN, 0), (Gate.FAIL, 0)), None, 0),
    ),
    signs=SIGNS,
)
