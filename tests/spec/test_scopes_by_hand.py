"""Counts of funnels, differences of rates, named scenes: by hand (domain.md section 8)."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from models.catalogue.filter_rules import filter_rules
from models.catalogue.scenes import FIELDS, check_values, load_scene
from models.errors import CatalogueError
from models.workspace import EXAMPLE_SCENES
from tasks.analysis_counts import Filing, beside, change, defeat_figures, known_months, rate_of, without
from tasks.compute.closings import closed_leads
from tasks.compute.defeat_filter import judge_defeats
from tasks.compute.difference import difference, wilson
from tasks.compute.funnel_table import FUNNEL_COUNTS, funnel_of, funnel_table
from tasks.compute.scenes import known_values, members, months_of
from tests.support.filter_tables import tables

WON = {"status": "won", "ordered_at": "2025-03-10"}
LOST = {"status": "defeated", "defeated_at": "2025-03-20"}
VISIT, DRIVE = {"visited_at": "2025-03-02"}, {"test_drive_at": "2025-03-03"}
LEADS = [
    {"lead_id": "1", "series": "S1", **WON, **VISIT, **DRIVE},
    {"lead_id": "2", "series": "S1", "source": "展会", **WON, **VISIT},
    {"lead_id": "3", "series": "S1", "source": "展会", **LOST, **VISIT, **DRIVE},
    {"lead_id": "4", "series": "S2", "dealer_id": "C", **LOST, **DRIVE},  # drove without a recorded visit
    {"lead_id": "5", "series": "S2", "dealer_id": "C", "status": "defeated", "defeated_at": "2025-02-20"},
    {"lead_id": "6", "series": "S2", "dealer_id": "C", "status": "open"},
]
DEFEATS = [{"lead_id": "3", "defeated_at": "2025-03-20", "destination": "competitor", "competitor_brand": "竞品甲"}]


@pytest.fixture(scope="module")
def closed():
    known = tables(leads=LEADS, defeats=DEFEATS)
    return closed_leads(known, judge_defeats(known, filter_rules()), ["2025-02", "2025-03"])


@pytest.fixture(scope="module")
def brands():
    return pd.Series({"3": "竞品甲"})


def counts(table, scope, scope_id, month="2025-03"):
    mine = table[(table["scope"] == scope) & (table["scope_id"] == scope_id) & (table["month"] == month)]
    return mine[FUNNEL_COUNTS].to_numpy().tolist()


def test_every_lead_is_counted_once_per_scope_at_every_step_it_took(closed):
    table = funnel_table(closed)
    # leads, visited, visited and drove, drove, drove and ordered, won
    assert counts(table, "nation", "all") == [[4, 3, 2, 3, 1, 2]]
    assert counts(table, "series", "S1") == [[3, 3, 2, 2, 1, 2]]
    assert counts(table, "dealer", "C") == [[1, 0, 0, 1, 0, 0]]
    assert counts(table, "dealer", "C", "2025-02") == [[1, 0, 0, 0, 0, 0]]
    for scope in ("region", "dealer", "series"):
        assert table[table["scope"] == scope]["leads"].sum() == len(closed)


def test_no_leads_make_an_empty_table(closed):
    assert not len(funnel_table(closed.head(0)))


def scene(tmp_path, text, name="show"):
    file = tmp_path / f"{name}.toml"
    file.write_text('name = { zh_CN = "车展", en = "show" }\n[filter]\n' + text, "utf-8")
    return file


def test_a_scene_holds_the_leads_that_pass_every_filter(tmp_path, closed, brands):
    found = load_scene(scene(tmp_path, 'source = ["展会"]\nseries = ["S1", "S2"]'))
    assert members(closed, brands, found)["lead_id"].tolist() == ["2", "3"]
    assert counts(funnel_of(members(closed, brands, found), "scene", "show"), "scene", "show") == [[2, 2, 1, 1, 0, 1]]
    rival = load_scene(scene(tmp_path, 'competitor = ["竞品甲"]'))
    assert members(closed, brands, rival)["lead_id"].tolist() == ["3"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('source = ["展会"]', ["2025-02", "2025-03"]),  # the window
        ('from = "2025-03"', ["2025-03", "2025-04"]),
        ('to = "2025-02"', ["2025-01", "2025-02"]),
        ('from = "2025-02"\nto = "2025-03"', ["2025-02", "2025-03"]),
        ('from = "2031-01"', []),
    ],
)
def test_the_months_of_a_scene(tmp_path, text, expected):
    found = load_scene(scene(tmp_path, text))
    known = ["2025-01", "2025-02", "2025-03", "2025-04"]
    assert months_of(found, known[1:3], known) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "at least one filter"),
        ('from = "2025-04"\nto = "2025-03"', "later than"),
        ('from = "2025-13"', "from"),
        ("series = []", "series"),
        ('colour = ["red"]', "colour"),
        ('series = "S1"', "series"),
    ],
)
def test_a_broken_scene_names_its_file_and_key(tmp_path, text, told):
    with pytest.raises(CatalogueError) as caught:
        load_scene(scene(tmp_path, text))
    assert "show.toml" in str(caught.value)
    assert told in str(caught.value)


def test_a_value_no_lead_has_is_named_with_what_there_is(tmp_path, closed, brands):
    file = scene(tmp_path, 'series = ["S1", "S11"]')
    with pytest.raises(CatalogueError) as caught:
        check_values(load_scene(file), known_values(closed, brands), file)
    assert "S11" in str(caught.value)
    assert "S1" in str(caught.value)
    assert "show.toml" in str(caught.value)


def test_a_scene_is_named_by_its_file(tmp_path):
    with pytest.raises(CatalogueError, match="lower-case"):
        load_scene(scene(tmp_path, 'series = ["S1"]', "Show 2"))


@given(st.integers(0, 400), st.integers(1, 400))
def test_wilson_is_that_of_statsmodels(cases, of):
    cases = min(cases, of)
    assert wilson(cases, of) == pytest.approx(proportion_confint(cases, of, alpha=0.1, method="wilson"), abs=1e-9)


def test_a_difference_of_rates_and_of_changes():
    assert difference((1, 20, 40), (-1, 10, 40))[0] == pytest.approx(25)
    points, low, high = difference((1, 20, 40), (-1, 10, 40), (-1, 300, 1000), (1, 250, 1000))
    assert points == pytest.approx(20)  # 25 here, of which 5 everywhere
    assert low < points < high
    assert difference((1, 1, 2), (-1, 0, 0)) is None
    assert wilson(0, 0) is None


def month(leads, won, visited=0):
    return {"leads": leads, "won": won, "visited": visited, "visited_driven": 0, "driven": 0, "driven_won": 0}


def test_early_orders_before_the_export_begins_are_no_month():
    nation = {"2025-01": month(19, 19), "2025-02": month(100, 20), "2025-03": month(120, 20), "2025-04": month(90, 20)}
    assert known_months(nation) == ["2025-02", "2025-03", "2025-04"]
    assert rate_of(nation, ["2025-01"], known_months(nation)).rate is None
    assert known_months({}) == []


def test_what_is_beside_leaves_the_scope_itself_out():
    nation, own = {"2025-03": month(100, 30, 50)}, {"2025-03": month(40, 20, 30)}
    rest = without(nation, own)
    assert rest["2025-03"] == month(60, 10, 20)
    visit, close = beside(own, ["2025-03"], rest, ["2025-03"], 30)
    assert (visit.indicator, visit.value, visit.expected) == ("lead_to_visit", 0.75, pytest.approx(1 / 3))
    assert close.gap_points == pytest.approx(50 - 100 / 6)
    few = beside({"2025-03": month(2, 1)}, ["2025-03"], rest, ["2025-03"], 30)
    assert [(one.enough, one.missing, one.expected) for one in few if one.indicator == "close_rate"] == [
        (False, "judge.missing.few_cases", None)
    ]


def test_season_and_market_are_taken_out_of_a_change():
    own = {"2024-03": month(100, 20), "2025-03": month(100, 30)}
    rest = {"2024-03": month(900, 90), "2025-03": month(900, 180)}
    found = change(own, rest, ["2025-03"], ["2024-03", "2025-03"])
    assert found.own_points == pytest.approx(10)
    assert found.other_points == pytest.approx(10)
    assert found.beyond == pytest.approx(0)
    assert change(own, rest, ["2025-03"], ["2025-03"]) is None, "a year before is not in the data"


def filing(lead, month="2025-03", **fields):
    plain = dict.fromkeys(Filing._fields, "") | {"counted": True, "last_filing": True, "premature": False}
    told = {"lead_id": lead, "filed_month": month, "verdict": "true", "destination": "competitor"}
    return Filing(**(plain | told | fields))


def test_defeats_by_destination_brand_and_consultant():
    rows = [
        filing("1", competitor_brand="甲", reason="product_power", consultant_id="C1"),
        filing("2", competitor_brand="", reason="product_power", consultant_id="C1", verdict="quasi"),
        filing("3", "2025-02", competitor_brand="甲"),
        filing("4", "2024-03", competitor_brand="乙"),
        filing("5", destination="same_brand_other_dealer", bought_dealer_id="B", consultant_id="C2"),
        filing("6", destination="", verdict="false", consultant_id="C2"),
        filing("6", destination="", verdict="quasi", consultant_id="C2"),  # filed again in the month: one lead
        filing("7", counted=False, competitor_brand="甲"),  # a test lead: out of the rates
    ]
    found = defeat_figures(rows, "2025-03", ["2025-03"], ["2025-02", "2025-03"], {"B": "Second"}, (0.8, 0.6))
    assert (found.filed, found.verdicts["true"], found.verdicts["quasi"], found.verdicts["false"]) == (5, 3, 2, 0)
    went = {code: (one.now, one.previous, one.last_year) for code, one in found.destinations}
    assert went == {"competitor": (2, 1, None), "same_brand_other_dealer": (1, 0, None)}
    brands = {one.name: (one.defeats.now, one.defeats.previous, one.reasons) for one in found.brands}
    assert brands == {"甲": (1, 1, ("product_power",)), "": (1, 0, ("product_power",)), "乙": (0, 0, ())}
    assert found.sisters == (("Second", 1),)
    assert found.people == (("C1", 2, 1, 1, 0), ("C2", 2, 1, 1, 0))


def test_the_example_of_rematch_init_is_a_scene_once_it_is_renamed(tmp_path):
    [example] = EXAMPLE_SCENES.iterdir()
    assert not list(EXAMPLE_SCENES.glob("*.toml")), "nothing is a scene before somebody wants it"
    lines = example.read_text("utf-8").splitlines()
    for number, extra in enumerate(["", *(line[2:] for line in lines if re.match("# [a-z_]+ = ", line))]):
        file = tmp_path / f"show_{number}.toml"
        place = lines.index("[filter]") + 1
        file.write_text("\n".join([*lines[:place], extra, *lines[place:]]), "utf-8")
        found = load_scene(file)
        assert (found.name.en, found.filter.source) == ("Autumn motor show", ("车展外拓",))
        assert set(found.filter.values()) == {"source", *([extra.split(" = ")[0]] if extra else [])}
    assert number == len(FIELDS) - 1, "every other filter stands there as a comment"
