"""Each rule by one bad row it must find and a good neighbour it must leave alone (domain.md sections 12 and 14)."""

import pytest
from support.quality_cases import CASES, KNOWN_LEAD, NOBODY
from support.quality_frames import AS_OF, DEFEATED, check, rows_of

from expectations.results import ACCEPTED, QUARANTINED
from expectations.rules import Action, rules
from expectations.standard import standard_until
from expectations.suites import TABLES, declared

# Rules about several rows together, tried one by one below.
TOGETHER = {"duplicate_id", "same_customer_again", "held_with_lead", "empty_table", "no_rows", "late_filing"}


@pytest.fixture(scope="module")
def checked():
    """All cases in one run: rows 2n-1 (bad) and 2n (good) of each table are its n-th case."""
    changes = {name: [] for name in TABLES}
    for table, _, _, bad, good in CASES:
        changes[table] += [bad, good]
    rows = {name: rows_of(name, *made) for name, made in changes.items()}
    rows["dealers"] += rows_of("dealers", {})
    rows["leads"] += rows_of("leads", {"lead_id": KNOWN_LEAD, "phone_key": KNOWN_LEAD})
    # Every filing and call stands on a defeated lead of its own that is beyond doubt; every call on a filing.
    for name in ("defeats", "revisits"):
        for number, row in enumerate(rows[name]):
            own = f"{name}-{number}"
            lead = {**DEFEATED, "lead_id": own, "phone_key": own, "last_contact_at": "2025-03-18"}
            rows["leads"] += rows_of("leads", lead)
            row["lead_id"] = row["lead_id"] if row["lead_id"] in (None, NOBODY) else own
    rows["defeats"] += [
        *(row for call in rows["revisits"] for row in rows_of("defeats", {"lead_id": call["lead_id"]})),
    ]
    result = check(**rows)
    return result, result.problems()


def _numbered():
    seen = dict.fromkeys(TABLES, 0)
    for table, rule, column, _, _ in CASES:
        seen[table] += 1
        yield pytest.param(table, rule, column, 2 * seen[table] - 1, id=f"{table}-{rule}-{column}-{seen[table]}")


@pytest.mark.parametrize(("table", "rule", "column", "bad"), list(_numbered()))
def test_finds_the_bad_row_and_not_its_neighbour(checked, table, rule, column, bad):
    result, problems = checked
    about = problems[(problems["table"] == table) & (problems["rule"] == rule) & (problems["column"] == column)]
    rows = set(about["row_number"])
    assert bad in rows
    assert bad + 1 not in rows
    dropped = rules()[rule].action is Action.DROP
    assert bool(result.tables[table].fate[bad - 1] == QUARANTINED) is dropped
    assert result.tables[table].fate[bad] == ACCEPTED, "the good neighbour is accepted"
    assert set(about["severity"]) == {rules()[rule].severity}


def test_every_rule_of_the_suites_is_tried():
    tried = {(table, rule, column) for table, rule, column, _, _ in CASES}
    asked = {
        (table, expectation.meta["rule"]) for table in TABLES for expectation in declared(table, standard_until(AS_OF))
    }
    assert {pair for pair in asked if pair[1] not in TOGETHER} == {(table, rule) for table, rule, _ in tried}
