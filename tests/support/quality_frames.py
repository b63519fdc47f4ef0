"""Small tables in the lake's dtypes for tests of the quality checks."""

from datetime import datetime

import pandas as pd

from expectations.runner import CheckContext, run_suites
from models.catalogue.contract import contract
from tasks.compute.frames import lake_dtypes, personal_columns

AS_OF = datetime(2025, 12, 31, 23, 59, 59)
GOOD = {
    "dealers": {"dealer_id": "D1", "name": "Store 1", "region_id": "R1", "opened_on": "2012-05-01"},
    "leads": {
        "dealer_id": "D1",
        "consultant_id": "C1",
        "source": "web",
        "series": "S1",
        "created_at": "2025-03-03 10:00",
        "status": "open",
    },
    "defeats": {"defeated_at": "2025-03-20 10:00", "reason_code": "process_follow_up", "destination": "competitor"},
    "revisits": {"called_at": "2025-03-22 10:00", "reached": True},
    "sales": {"dealer_id": "D1", "series": "S1", "sold_at": "2025-03-09 12:00", "price": 120000.0},
    "service_visits": {"dealer_id": "D1", "visited_at": "2025-03-09 12:00", "kind": "maintenance"},
    "interactions": {"dealer_id": "D1", "kind": "call", "at": "2025-03-09 12:00"},
}
DEFEATED = {"status": "defeated", "defeated_at": "2025-03-20 10:00", "last_contact_at": "2025-03-19 10:00"}
WON = {"status": "won", "ordered_at": "2025-03-20 10:00"}


def typed(table, rows):
    """``rows`` (dicts) as a frame of the received layer without its personal columns."""
    canonical = contract().tables[table]
    columns = {}
    for name, dtype in lake_dtypes(canonical).items():
        if name in personal_columns(canonical) or name.startswith("_"):
            continue
        values = [row.get(name) for row in rows]
        if dtype.startswith("datetime"):
            columns[name] = pd.to_datetime(pd.Series(values, dtype="object"), format="ISO8601").astype(dtype)
        else:
            columns[name] = pd.Series(values, dtype=dtype)
    columns["_file"] = pd.Series([row.get("_file", f"{table}.csv") for row in rows], dtype="str")
    columns["_row"] = pd.Series(range(1, len(rows) + 1), dtype="int64")
    return pd.DataFrame(columns)


def rows_of(table, *changes):
    """Good rows of ``table``, each with its own ids, with the given changes (None empties a cell)."""
    identity = contract().tables[table].key[0]
    made = []
    for number, change in enumerate(changes, start=1):
        own = {"phone_key": f"{table}-{number}"}
        if identity not in GOOD[table] and identity in contract().tables[table].fields:
            own[identity] = f"{table[0].upper()}{number}"
        made.append({**GOOD[table], **own, **change})
    return made


def check(as_of=AS_OF, *, absent=None, waiting=None, **tables):
    """Run the suites over ``tables`` (lists of rows or frames); a dealer D1 is there unless given."""
    tables.setdefault("dealers", rows_of("dealers", {}))
    frames = {name: rows if isinstance(rows, pd.DataFrame) else typed(name, rows) for name, rows in tables.items()}
    return run_suites(frames, CheckContext(as_of, absent or {}, waiting or {}))


def found(result, table, rule):
    """Row numbers of ``table`` that ``rule`` is said of."""
    problems = result.problems()
    return sorted(problems.loc[(problems["table"] == table) & (problems["rule"] == rule), "row_number"].tolist())


def outcome(result, identity):
    """The verdict and the note of one expectation."""
    row = result.expectations().set_index("id").loc[identity]
    return row["outcome"], row["note"]
