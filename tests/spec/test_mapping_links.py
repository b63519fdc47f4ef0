"""Joins, folds, distinct, checks: what comes out, and which problem stands with which row."""

import json

import pytest

from tests.support.mapping_cases import apply

PIPELINE = [
    {"id": "1", "agent": "Ann", "account": "Acme", "stage": "Won"},
    {"id": "2", "agent": "bob ", "account": "", "stage": "Lost"},
    {"id": "3", "agent": "Anne", "account": "Acme", "stage": "Lost"},
]
TEAMS = [
    {"agent": "Ann", "manager": "M1"},
    {"agent": "Bob", "manager": "M2"},
    {"agent": "Idle", "manager": "M2"},
    {"agent": "Bob", "manager": "M3"},
    {"agent": "Ann", "manager": "M1"},
]
OFFICES = [{"boss": "M1", "office": "East"}, {"boss": "M2", "office": "West"}]
JOINED = """
    inputs.pipeline.files = "p.csv"
    inputs.teams.files = "t.csv"
    inputs.offices.files = "o.csv"
    [[tables.leads]]
    from = "pipeline"
    [[tables.leads.join]]
    input = "teams"
    on = "agent"
    unmatched = "quarantine"
    unused = "warn"
    [[tables.leads.join]]
    input = "offices"
    as = "home"
    on = { "teams.manager" = "boss" }
    [tables.leads.fields]
    lead_id = "id"
    dealer_id = "teams.manager"
    city = "home.office"
    [[tables.dealers]]
    from = "teams"
    distinct = true
    fields = { dealer_id = "manager", name = "manager", city = "agent" }
"""


@pytest.fixture(scope="module")
def joined():
    return apply(JOINED, pipeline=PIPELINE, teams=TEAMS, offices=OFFICES)


def problems(mapped, rule):
    return mapped.problems[mapped.problems["rule"] == rule]


def test_joins_chain_and_match_loosely(joined):
    leads = joined.tables["leads"].fillna("-")
    assert leads["dealer_id"].tolist() == ["M1", "M2", "-"]
    assert leads["city"].tolist() == ["East", "West", "-"]


def test_a_row_without_partner_is_named_with_the_nearest_key(joined):
    [row] = problems(joined, "unmatched_lookup").to_dict("records")
    assert (row["table"], row["source_file"], row["row_number"]) == ("leads", "pipeline.csv", 3)
    assert (row["row_key"], row["severity"], row["column"]) == ("3", "quarantine", "agent")
    assert json.loads(row["params"])["nearest"].startswith("Ann")


def test_lookup_rows_nobody_asked_for_and_ambiguous_and_repeated_ones(joined):
    assert problems(joined, "unused_lookup")["row_number"].tolist() == [3]
    assert problems(joined, "ambiguous_lookup")["row_number"].tolist() == [4]
    assert problems(joined, "exact_duplicate")["row_number"].tolist() == [5]
    assert set(problems(joined, "unused_lookup")["table"]) == {"teams"}


def test_distinct_keeps_the_first_and_reports_contradictions(joined):
    dealers = joined.tables["dealers"]
    assert dealers["dealer_id"].tolist() == ["M1", "M2", "M3"]
    assert dealers["city"].tolist() == ["Ann", "Bob", "Bob"]
    assert problems(joined, "conflicting_values")["row_number"].tolist() == [3]


EVENTS = """
    inputs.leads.files = "l.csv"
    inputs.calls.files = "c.csv"
    [[inputs.calls.checks]]
    column = "minutes"
    max = 60
    severity = "quarantine"
    label = "minutes of a call"
    [[tables.leads]]
    from = "leads"
    [[tables.leads.fold]]
    input = "calls"
    on = { id = "lead" }
    order_by = "day"
    formats = ["%d.%m.%Y"]
    [tables.leads.fold.columns]
    count = { take = "count" }
    reached = { take = "count", where = { column = "result", is = "ok" } }
    first = { take = "first", column = "day" }
    last = { take = "last", column = "day" }
    earliest = { take = "min", column = "day" }
    longest = { take = "max", column = "minutes" }
    sum = { take = "sum", column = "minutes" }
    mean = { take = "mean", column = "minutes" }
    kinds = { take = "distinct", column = "result" }
    won = { take = "any", where = { column = "result", is = "sold" } }
    [tables.leads.fields]
    lead_id = "id"
    dealer_id = { constant = "D1" }
    contact_count = "calls.count"
    first_contact_at = { column = "calls.first", formats = ["%d.%m.%Y"] }
    last_contact_at = "calls.last"
    created_at = "calls.earliest"
    budget = "calls.longest"
    quoted_price = "calls.sum"
    list_price = "calls.mean"
    age = "calls.kinds"
    model = "calls.reached"
    status = { rules = [{ when = { column = "calls.won", is = true }, value = "won" }], default = "open" }
"""
CALLS = [
    {"lead": "1", "day": "10.02.2026", "result": "ok", "minutes": "9"},
    {"lead": "1", "day": "09.03.2026", "result": "sold", "minutes": "10"},
    {"lead": "1", "day": "10.02.2026", "result": "ok", "minutes": "9"},
    {"lead": "1", "day": "", "result": "ok", "minutes": ""},
    {"lead": "2", "day": "01.01.2026", "result": "no", "minutes": "99"},
    {"lead": "9", "day": "01.01.2026", "result": "no", "minutes": "1"},
]


@pytest.fixture(scope="module")
def folded():
    return apply(EVENTS, leads=[{"id": "1"}, {"id": "2"}], calls=CALLS)


FOLDED = {
    "contact_count": ["3", "0"],  # the repetition counts once, the row set apart not at all
    "model": ["2", "0"],
    "first_contact_at": ["10.02.2026", "-"],
    "last_contact_at": ["09.03.2026", "-"],
    "created_at": ["10.02.2026", "-"],
    "budget": ["10", "-"],  # as numbers: 10 is more than 9
    "quoted_price": ["19", "-"],
    "list_price": ["9.5", "-"],
    "age": ["2", "0"],
    "status": ["won", "open"],
}


@pytest.mark.parametrize("column", FOLDED)
def test_fold(folded, column):
    assert folded.tables["leads"][column].fillna("-").tolist() == FOLDED[column]


def test_event_problems_carry_the_leads_key_and_dealer(folded):
    for rule, row, key in [("exact_duplicate", 3, "1"), ("source_check", 5, "2"), ("unmatched_event", 6, None)]:
        [found] = problems(folded, rule).to_dict("records")
        assert (found["table"], found["row_number"]) == ("calls", row)
        assert found["row_key"] == key or key is None
        assert found["dealer_id"] == "D1" or key is None


def test_every_row_of_an_input_is_accounted_for(folded):
    [calls] = [account for account in folded.inputs if account.input == "calls"]
    assert (calls.rows, calls.duplicates, calls.quarantined, calls.filtered, calls.used) == (6, 1, 1, 0, 4)


def checked(check, rows, table="leads"):
    text = f"""
        [inputs.data]
        files = "d.csv"
        [[inputs.data.checks]]
        {check}
        [inputs.products]
        files = "p.csv"
        [[tables.{table}]]
        from = "data"
        [tables.{table}.fields]
        lead_id = "id"
        phone = "tel"
    """
    numbered = [{"id": str(number), "tel": "", **row} for number, row in enumerate(rows, start=1)]
    return apply(text, data=numbered, products=[{"product": "GTX Pro"}, {"product": "MG"}]).problems


CHECKS = [
    ('column = "x"\nmin = 0\nmax = 100', [{"x": "510"}, {"x": "50"}, {"x": ""}, {"x": "abc"}], [1, 4], "source_check"),
    ('column = "x"\npattern = "[A-Z]+"', [{"x": "AB"}, {"x": "ABc"}], [2], "source_check"),
    (
        'column = "x"\nat_most = "y"',
        [{"x": "5", "y": "4"}, {"x": "5", "y": "5"}, {"x": "", "y": "1"}, {"x": "about 5", "y": "9"}],
        [1, 4],
        "source_check",
    ),
    ('column = "x"\npresent = true', [{"x": ""}, {"x": "1"}], [1], "source_blank"),
    (
        'column = "x"\npresent = true\nwhen = { column = "y", is = 5 }',
        [{"x": "", "y": "5"}, {"x": "", "y": "1"}],
        [1],
        "source_blank",
    ),
    (
        'column = "x"\nunique = true',
        [{"x": "1"}, {"x": "2"}, {"x": "1"}, {"x": ""}, {"x": ""}],
        [1, 3],
        "source_repeated",
    ),
    ('column = "x"\nin = ["technology"]', [{"x": "technolgy"}, {"x": "Technology "}, {"x": ""}], [1], "source_value"),
    ('column = "x"\nknown_in = "products.product"', [{"x": "GTXPro"}, {"x": "MG"}], [1], "source_value"),
]


@pytest.mark.parametrize(("check", "rows", "wrong", "rule"), CHECKS)
def test_check(check, rows, wrong, rule):
    found = checked(check, rows)
    assert found["row_number"].tolist() == wrong
    assert set(found["rule"]) == {rule}
    assert set(found["severity"]) == {"warn"}


def test_a_value_unlike_the_lookup_names_the_nearest():
    [params] = checked('column = "x"\nknown_in = "products.product"', [{"x": "GTXPro"}])["params"]
    assert json.loads(params)["nearest"] == "GTX Pro"


def test_personal_values_are_never_shown():
    found = checked('column = "tel"\npattern = "x"', [{"tel": "Zhang"}, {"tel": "13800138000"}])
    assert not found["params"].str.contains("Zhang|138").any()
    found = checked('column = "x"\npattern = "x"', [{"x": "call 138 0013 8000 please"}, {"x": "753.0353986"}])
    assert not found["params"].str.contains("0013").any()
    assert found["params"].str.contains("753.0353986").tolist() == [False, True]


def test_a_quarantined_row_is_apart_in_every_table_it_feeds():
    text = """
        [inputs.data]
        files = "d.csv"
        [[inputs.data.checks]]
        column = "price"
        max = 10
        severity = "quarantine"
        [[tables.leads]]
        from = "data"
        fields = { lead_id = "id" }
        [[tables.sales]]
        from = "data"
        fields = { sale_id = "id" }
    """
    mapped = apply(text, data=[{"id": "1", "price": "11"}, {"id": "2", "price": "9"}])
    assert sorted(mapped.problems["table"]) == ["leads", "sales"]
    assert [len(frame) for frame in mapped.tables.values()] == [2, 2]


def test_values_the_dictionary_lacks_are_reported_with_their_row():
    text = """
        inputs.data.files = "d.csv"
        [[tables.leads]]
        from = "data"
        [tables.leads.fields]
        lead_id = "id"
        status = { column = "s", values = { W = "won" }, otherwise = "quarantine" }
    """
    mapped = apply(text, data=[{"id": "1", "s": "w"}, {"id": "2", "s": "???"}])
    [row] = mapped.problems.to_dict("records")
    assert (row["rule"], row["row_number"], row["severity"]) == ("unmapped_value", 2, "quarantine")


def test_nothing_is_made_up_silently():
    text = """
        inputs.data.files = "d.csv"
        [[tables.leads]]
        from = "data"
        [tables.leads.fields]
        lead_id = "id"
        phone = { absent = true, because = "published without contacts" }
        created_at = { column = "at", default = "2026-01-31" }
        status = { constant = "open", because = "no outcome yet" }
    """
    mapped = apply(text, data=[{"id": "1", "at": ""}, {"id": "2", "at": "2026-01-02"}])
    said = {notice.key: notice.params for notice in mapped.notices}
    assert said["mapping.default_used"]["rows"] == 1
    assert said["mapping.constant_used"]["because"] == "no outcome yet"
    assert "published" in next(n for n in mapped.notices if n.key == "mapping.absent_phone").text("en")
    assert mapped.absent["leads"] == {"phone"}
    assert mapped.tables["leads"]["phone"].isna().all()


def test_several_feeds_add_up_and_formats_are_united():
    text = """
        inputs.a.files = "a.csv"
        inputs.b.files = "b.csv"
        [[tables.leads]]
        from = "a"
        fields = { lead_id = "id", created_at = { column = "d", formats = ["%m/%d/%Y"] } }
        [[tables.leads]]
        from = "b"
        where = { column = "id", present = true }
        fields = { lead_id = "id", created_at = { column = "d", formats = ["%d.%m.%Y"] } }
    """
    mapped = apply(text, a=[{"id": "1", "d": "1/2/2026"}], b=[{"id": "2", "d": "3.2.2026"}, {"id": "", "d": ""}])
    assert mapped.tables["leads"]["lead_id"].tolist() == ["1", "2"]
    assert mapped.tables["leads"]["_file"].tolist() == ["a.csv", "b.csv"]
    assert mapped.formats["leads"]["created_at"] == ("%m/%d/%Y", "%d.%m.%Y")


def test_folds_read_times_and_numbers_as_the_fields_do():
    """An event dated 2026年1月10日 comes after one of 2026/1/9, and 12.8万 is more than 99,000."""
    mapped = apply(
        """
        inputs.leads.files = "l.csv"
        inputs.offers.files = "o.csv"
        [[tables.leads]]
        from = "leads"
        [[tables.leads.fold]]
        input = "offers"
        on = "id"
        order_by = "day"
        [tables.leads.fold.columns]
        last = { take = "last", column = "price" }
        most = { take = "max", column = "price" }
        total = { take = "sum", column = "price" }
        [tables.leads.fields]
        lead_id = "id"
        quoted_price = "offers.last"
        list_price = "offers.most"
        budget = "offers.total"
        """,
        leads=[{"id": "L1"}],
        offers=[
            {"id": "L1", "day": "2026年1月10日", "price": "99,000"},
            {"id": "L1", "day": "2026/1/9", "price": "12.8万"},
        ],
    )
    row = mapped.tables["leads"].iloc[0]
    assert (row["quoted_price"], row["list_price"], row["budget"]) == ("99,000", "12.8万", "227000")
