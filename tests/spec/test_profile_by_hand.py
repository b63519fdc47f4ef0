"""The profile of defeated against won customers, by hand (domain.md section 8)."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from scipy import stats

from models.catalogue.filter_rules import filter_rules
from models.catalogue.profile_rules import NOT_RECORDED, profile_rules
from models.errors import CatalogueError
from models.messages import text
from tasks.compute.closings import closed_leads
from tasks.compute.defeat_filter import judge_defeats
from tasks.compute.lead_facts import lead_facts
from tasks.compute.profile import PROFILE_COLUMNS, profile_table
from tests.support.filter_tables import tables


def _leads(count, won, **fields):
    ended = {"status": "won", "ordered_at": "2025-03-10"}, {"status": "defeated", "defeated_at": "2025-03-20"}
    name = "-".join(map(str, fields.values()))
    return [{"lead_id": f"{name}{n}", **fields, **ended[n >= won]} for n in range(count)]


def _closed(leads, defeats=()):
    known = tables(leads=leads, defeats=list(defeats))
    return closed_leads(known, judge_defeats(known, filter_rules()), ["2025-03"])


def _table(leads, **kwargs):
    return profile_table(_closed(leads), "2025-03", profile_rules(), **kwargs)


def _rows(table, attribute, scope="nation", scope_id="all"):
    mine = (table["scope"] == scope) & (table["scope_id"] == scope_id) & (table["attribute"] == attribute)
    return table[mine].set_index("value")


def test_counts_lift_and_test_of_one_attribute():
    # 40 first buyers, 20 won; 60 of whom nothing is recorded, 10 won; all in all 30 of 100
    table = _rows(_table([*_leads(40, 20, purchase_type="first"), *_leads(60, 10, city="X")]), "purchase_type")
    assert table.index.tolist() == ["first", NOT_RECORDED]
    first = table.loc["first"]
    assert first[["leads", "won", "defeated"]].tolist() == [40, 20, 20]
    assert first["close_rate"] == 0.5
    assert first["lift"] == pytest.approx(0.5 / 0.3)
    assert first["won_share"] == pytest.approx(20 / 30)
    assert first["defeated_share"] == pytest.approx(20 / 70)
    # two proportions, 20 of 40 against 10 of 60, pooled variance with N - 1
    z = (20 / 40 - 10 / 60) / math.sqrt(0.3 * 0.7 * (1 / 40 + 1 / 60)) * math.sqrt(99 / 100)
    assert first["p_value"] == pytest.approx(2 * stats.norm.sf(z))
    assert table.loc[NOT_RECORDED, "p_value"] == pytest.approx(first["p_value"])  # the rest of a pair is the other
    assert first["lift_lo90"] < first["lift"] < first["lift_hi90"]


def test_tests_are_corrected_over_all_values_of_a_scope():
    leads = [*_leads(60, 30, purchase_type="first", gender="男"), *_leads(60, 12, purchase_type="additional")]
    tested = _table(leads)
    nation = tested[(tested["scope"] == "nation") & tested["p_value"].notna()]
    # purchase_type and gender part the customers alike: four tests of the same p
    assert len(nation) == 4
    assert nation["q_value"].to_numpy() == pytest.approx(nation["p_value"].to_numpy())
    ordered = pd.Series(stats.false_discovery_control(nation["p_value"]), index=nation.index)
    assert nation["q_value"].to_numpy() == pytest.approx(ordered.to_numpy())


@pytest.mark.parametrize(
    ("age", "band"),
    [(15, NOT_RECORDED), (16, "16-24"), (24, "16-24"), (25, "25-29"), (60, "60+"), (99, "60+"), (None, NOT_RECORDED)],
)
def test_bands_begin_at_their_figure(age, band):
    assert _rows(_table(_leads(1, 1, age=age)), "age_band").index.tolist() == [band]


def test_every_lead_is_in_one_value_of_every_attribute_of_every_scope():
    leads = [
        *_leads(7, 3, series="S1", age=30, budget=90_000.0),
        *_leads(5, 0, series="S2", dealer_id="C", occupation=" "),
        *_leads(2, 1, series="S2", dealer_id="B", source="官网"),
    ]
    table = _table(leads)
    assert list(table.columns) == PROFILE_COLUMNS
    whole = table.groupby(["scope", "scope_id", "attribute"])["leads"].sum().unstack()
    assert list(whole.columns) == sorted(profile_rules().attributes)
    expected = {("nation", "all"): 14, ("region", "R1"): 9, ("region", "R2"): 5, ("dealer", "A"): 7, ("dealer", "B"): 2}
    expected |= {("dealer", "C"): 5, ("series", "S1"): 7, ("series", "S2"): 7}
    assert {key: set(row) for key, row in whole.iterrows()} == {key: {n} for key, n in expected.items()}
    assert (table["won"] + table["defeated"] == table["leads"]).all()


@pytest.mark.parametrize(
    ("leads", "why"),
    [
        (_leads(100, 50), "one_value"),
        ([*_leads(50, 50, gender="男"), *_leads(50, 50)], "all_alike"),
        ([*_leads(50, 0, gender="男"), *_leads(50, 0)], "all_alike"),
        ([*_leads(9, 5, gender="男"), *_leads(50, 25)], "few_cases"),  # 4.6 won expected
    ],
)
def test_what_cannot_be_tested_says_why(leads, why):
    row = _rows(_table(leads), "gender").iloc[0]
    assert pd.isna(row["p_value"])
    assert pd.isna(row["q_value"])
    assert row["missing"] == f"analysis.profile.missing.{why}"
    assert text(row["missing"], "en")


def test_no_closed_leads_gives_an_empty_table():
    assert list(_table([]).columns) == PROFILE_COLUMNS
    assert not len(_table([{"lead_id": "O", "status": "open"}]))


def test_excluded_leads_are_left_out():
    leads = [*_leads(2, 1, gender="男"), {"lead_id": "X", "defeated_at": "2025-03-20"}]
    closed = _closed(leads, [{"lead_id": "X", "defeated_at": "2025-03-20", "reason_code": "record_duplicate"}])
    assert set(closed["lead_id"]) == {"男0", "男1"}


def test_closed_leads_are_those_of_the_lead_facts():
    leads = [
        {"lead_id": "W", "status": "won", "ordered_at": "2025-03-10", "defeated_at": None},
        {"lead_id": "D", "defeated_at": "2025-03-20"},
        {"lead_id": "T", "defeated_at": "2025-03-25"},  # filed twice
        {"lead_id": "R", "status": "open"},  # filed, then opened again
        {"lead_id": "V", "status": "won", "ordered_at": "2025-04-02"},  # filed, then won
        {"lead_id": "X", "defeated_at": "2025-03-20"},
        {"lead_id": "N", "defeated_at": "2025-03-21", "dealer_id": None},
    ]
    filed = [
        {"lead_id": "D", "defeated_at": "2025-03-20"},
        {"lead_id": "T", "defeated_at": "2025-02-20"},
        {"lead_id": "T", "defeated_at": "2025-03-25"},
        {"lead_id": "R", "defeated_at": "2025-03-05"},
        {"lead_id": "V", "defeated_at": "2025-03-05"},
        {"lead_id": "X", "defeated_at": "2025-03-20", "reason_code": "record_test_or_fake"},
    ]
    known = tables(leads=leads, defeats=filed)
    defeats = judge_defeats(known, filter_rules())
    facts = lead_facts(known, defeats, filter_rules(), pd.Timestamp("2025-04-30"))
    for month in ("2025-02", "2025-03", "2025-04"):
        mine = closed_leads(known, defeats, [month]).set_index("lead_id")
        theirs = facts[(facts["closed_month"] == month) & facts["counted"]].set_index("lead_id")
        assert mine["won"].to_dict() == theirs["won"].astype(bool).to_dict()
        assert mine["dealer_id"].to_dict() == theirs["dealer_id"].astype(str).to_dict()


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ('attributes = ["shoe_size"]', "shoe_size"),
        ("[bands.age_band]\nstarts = [30, 20]\nnames = ['a', 'b']", "age_band"),
    ],
)
def test_an_own_rules_file_is_checked(tmp_path, content, key):
    (tmp_path / "profile_rules.toml").write_text(content, "utf-8")
    with pytest.raises(CatalogueError, match=key):
        profile_rules(tmp_path)
