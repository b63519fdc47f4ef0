"""The Data Docs as frames: denominators, regions, rules found at reading, trend and first finding."""

import pandas as pd

from expectations.data_docs import DOC_COLUMNS, NATION, current, with_history

EXPECTATIONS = pd.DataFrame(
    [
        {"id": "leads.missing_required.series", "table": "leads", "rule": "missing_required", "column": "series"}
        | {"severity": "quarantine", "outcome": "failed", "note": "", "rows": 10, "checked": 10, "failed": 3},
        {"id": "leads.age_out_of_range.age", "table": "leads", "rule": "age_out_of_range", "column": "age"}
        | {"severity": "warn", "outcome": "not_checked", "note": "all_null", "rows": 10, "checked": 0, "failed": 0},
    ]
)
RESULTS = pd.DataFrame(
    [("D1", "leads.missing_required.series", "leads", 4, 3), ("D2", "leads.missing_required.series", "leads", 6, 0)],
    columns=["dealer_id", "expectation", "table", "checked", "failed"],
)
PROBLEMS = pd.DataFrame(
    [("leads", "a.csv", 9, "D1", "malformed_phone", "phone", "quarantine")],
    columns=["table", "source_file", "row_number", "dealer_id", "rule", "column", "severity"],
)
REGIONS = {"D1": "R1", "D2": "R2"}


def docs(earlier=(), cycle="2026-02"):
    found = with_history(current(EXPECTATIONS, RESULTS, PROBLEMS, REGIONS), list(earlier), cycle)
    assert tuple(found.columns) == DOC_COLUMNS
    return found.set_index(["scope", "rule"])


def test_regions_have_their_own_denominator():
    found = docs()
    shown = {scope: tuple(found.loc[(scope, "missing_required"), ["checked", "failed"]]) for scope in ("R1", "R2")}
    assert shown == {"R1": (4, 3), "R2": (6, 0)}
    assert found.loc[("R2", "missing_required"), "outcome"] == "passed"
    assert found.loc[(NATION, "missing_required"), "share"] == 0.3


def test_not_checked_is_never_passed_and_has_no_share():
    line = docs().loc[(NATION, "age_out_of_range")]
    assert line["outcome"] == "not_checked"
    assert pd.isna(line["share"])


def test_rules_found_at_reading_are_listed_with_what_was_looked_at():
    found = docs()
    assert tuple(found.loc[(NATION, "malformed_phone"), ["checked", "failed", "note"]]) == (11, 1, "reading")
    assert tuple(found.loc[("R1", "malformed_phone"), ["checked", "failed"]]) == (5, 1)
    assert ("R2", "malformed_phone") not in found.index


def test_trend_and_first_finding_come_from_earlier_cycles():
    calm = docs(cycle="2025-12").reset_index().assign(failed=0, share=0.1, first_seen="")[list(DOC_COLUMNS)]
    failing = calm.assign(failed=1, share=0.2)
    found = docs([("2025-12", calm), ("2026-01", failing)])
    line = found.loc[(NATION, "missing_required")]
    assert (line["share_before"], line["first_seen"]) == (0.2, "2026-01")
    fresh = docs([("2025-12", calm)])
    assert fresh.loc[(NATION, "missing_required"), "first_seen"] == "2026-02"
    assert fresh.loc[("R2", "missing_required"), "first_seen"] == ""
