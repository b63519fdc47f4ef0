"""For any texts whatever: no row lost or made up, no crash."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.mapping_cases import apply

CELL = st.one_of(
    st.sampled_from(["", " ", "NA", "won", "Lost", "1", "1.0", "1/2/2026", "2026-01-31", "-5", "1e400"]),
    st.text("aA1-./ é中\t0", max_size=5),
)
ROW = st.fixed_dictionaries({"id": CELL, "k": CELL, "x": CELL, "y": CELL})
EVENT = st.fixed_dictionaries({"id": CELL, "at": CELL, "n": CELL})
TEXT = """
    [inputs.rows]
    files = "r.csv"
    na = ["NA"]
    where = { column = "x", not_in = ["-5"] }
    [[inputs.rows.checks]]
    column = "y"
    min = 0
    severity = "quarantine"
    [[inputs.rows.checks]]
    column = "k"
    known_in = "events.id"
    [inputs.events]
    files = "e.csv"
    columns.number = { column = "n", scale = { from = [0, 10], to = [1, 10] }, round = 2 }
    [[inputs.events.checks]]
    column = "n"
    max = 100
    severity = "quarantine"
    [[tables.leads]]
    from = "rows"
    [[tables.leads.join]]
    input = "events"
    as = "first"
    on = { k = "id" }
    unused = "warn"
    [[tables.leads.fold]]
    input = "events"
    on = "id"
    order_by = "at"
    [tables.leads.fold.columns]
    count = { take = "count" }
    last = { take = "last", column = "at" }
    total = { take = "sum", column = "number" }
    top = { take = "max", column = "n" }
    [tables.leads.fields]
    lead_id = { concat = ["id", "k"], separator = "-" }
    contact_count = "events.count"
    last_contact_at = "events.last"
    budget = "events.total"
    quoted_price = "events.top"
    model = "first.at"
    status = { column = "x", values = { won = "won", lost = "defeated" }, otherwise = "warn", default = "open" }
    [[tables.dealers]]
    from = "rows"
    distinct = true
    fields = { dealer_id = "k", name = "x" }
"""


@settings(deadline=None, max_examples=20)
@given(st.lists(ROW, max_size=12), st.lists(EVENT, max_size=12))
def test_rows_are_conserved(rows, events):
    columns = {
        "rows": rows or [dict.fromkeys(("id", "k", "x", "y"), "")],
        "events": events or [dict.fromkeys(("id", "at", "n"), "")],
    }
    mapped = apply(TEXT, **columns)
    accounts = {account.input: account for account in mapped.inputs}
    for name, given_rows in columns.items():
        account = accounts[name]
        assert account.rows == len(given_rows)
        assert min(account.used, account.filtered, account.duplicates, account.quarantined) >= 0
    leads = mapped.tables["leads"]
    assert len(leads) == accounts["rows"].rows - accounts["rows"].filtered
    assert not leads.duplicated(["_file", "_row"]).any()
    assert leads["contact_count"].astype(int).sum() >= 0
    apart = mapped.problems[(mapped.problems["severity"] == "quarantine") & (mapped.problems["table"] == "leads")]
    assert apart["row_number"].nunique() == accounts["rows"].quarantined
    keys = mapped.tables["dealers"]["dealer_id"]
    assert keys.notna().all()
    assert not keys.duplicated().any()
    assert set(mapped.problems["source_file"]) <= {"rows.csv", "events.csv"}
