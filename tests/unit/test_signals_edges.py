"""What cannot be tested says so and is no pass; the standard and its page."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from expectations.authenticity import SignalOptions, find_signals
from expectations.authenticity.find import DETECTORS
from expectations.authenticity.parts import clustered
from expectations.authenticity.wording import _chance, _copies, _dispersion
from expectations.scoring import weights
from models.catalogue.signal_manual import PAGE, page
from models.catalogue.signals import FILE, PeerTest, signals
from models.errors import CatalogueError
from models.messages import LOCALES, text
from tests.support.signal_cases import found, network


@pytest.fixture(scope="module")
def honest():
    return network()


def _reasons(result):
    return dict(zip(result.checked["signal"], result.checked["reason"], strict=True))


def test_the_page_is_current():
    assert PAGE.read_text("utf-8") == page(), "run: python -m models.catalogue.signal_manual"


def test_the_page_tells_what_a_sign_costs():
    cost = weights().signals
    told = " ".join(page().split())
    assert f"takes {cost.points:g} points" in told
    assert f"together at most {cost.most:g}" in told
    assert f"at least {100 - cost.most:g} points" in told


def test_the_catalogue_declares_what_there_is():
    assert list(signals().signals) == list(DETECTORS)


def test_no_tables_at_all():
    result = find_signals({}, 6)
    assert not result.checked["checked"].any()
    assert result.found.empty
    assert result.evidence.empty
    assert result.counts() == {"signals_to_check": 0, "dealers_to_check": 0, "signals_not_checked": len(DETECTORS)}


def test_empty_tables(honest):
    result = find_signals({name: frame.head(0) for name, frame in honest.items()}, 6)
    assert set(_reasons(result).values()) == {"no_table"}


@pytest.mark.parametrize(
    ("table", "lost"),
    [
        ("revisits", {"revisit_seconds", "straight_top_marks", "revisit_success_improbable"}),
        ("sales", {"phone_changed"}),
        ("defeats", {"deadline_burst", "back_dated", "one_reason", "reason_shift", "copied_text"}),
    ],
)
def test_a_missing_table_leaves_out_what_needs_it(honest, table, lost):
    result = found({name: frame for name, frame in honest.items() if name != table})
    assert set(result.checked.loc[~result.checked["checked"], "signal"]) == lost


def test_all_phones_missing(honest):
    nothing = pd.Series([None] * len(honest["leads"]), dtype="str")
    leads = honest["leads"].assign(phone=nothing, phone_key=nothing)
    told = _reasons(found(honest | {"leads": leads}))
    assert told["sequential_phone"] == "no_numbers"
    assert {told[code] for code in ("shared_phone", "staff_phone", "phone_changed")} == {"no_column"}
    assert told["never_moves"] == ""


def test_without_the_numbers_themselves_nothing_is_said_of_sequences(honest):
    result = found(honest | {"leads": honest["leads"].drop(columns=["phone", "customer_name"])})
    assert set(result.checked.loc[~result.checked["checked"], "signal"]) == {"sequential_phone"}


def test_one_dealer_has_no_peers(honest):
    one = honest | {"leads": honest["leads"][honest["leads"]["dealer_id"] == "D03"], "dealers": None}
    result = found(one)
    assert not result.checked["checked"].any()
    assert result.found["flagged"].isna().all()


def test_a_dealer_with_few_rows_is_not_passed(honest):
    leads = honest["leads"]
    kept = leads[(leads["dealer_id"] != "D03") | (leads.groupby("dealer_id").cumcount() < 20)]
    rows = found(honest | {"leads": kept.reset_index(drop=True)}).found
    few = rows[(rows["dealer_id"] == "D03") & (rows["signal"] == "shared_phone")].iloc[0]
    assert few["rows"] == 20
    assert pd.isna(few["flagged"])
    assert pd.isna(few["q_value"])


def test_months_outside_are_not_looked_at(honest):
    result = found(honest, until=datetime(2024, 12, 31))
    assert not result.checked["checked"].any()


def test_personal_data_stay_inside(honest):
    result = found(honest)
    shown = pd.concat([result.found, result.evidence, result.checked]).to_csv()
    assert "+86" not in shown
    assert "王" not in shown


def test_the_same_input_gives_the_same_answer_in_any_row_order(honest):
    mixed = {name: frame.sample(frac=1, random_state=5).reset_index(drop=True) for name, frame in honest.items()}
    keys = ["signal", "dealer_id"]
    first, second = (found(tables).found.sort_values(keys) for tables in (honest, mixed))
    sampled = first["signal"] == "copied_text"  # near copies are sought in a sample
    pd.testing.assert_frame_equal(
        first[~sampled].reset_index(drop=True), second[~sampled.to_numpy()].reset_index(drop=True), atol=1e-9
    )


def test_every_reason_has_its_words():
    for reason in ("no_table", "no_column", "no_numbers", "no_versions", "no_rows", "few_peers", "few_rows"):
        for locale in LOCALES:
            said = text(f"signals.note.{reason}", locale, table="t", column="c", dealers=1, peers=2, rows=3)
            assert said.startswith(("未检查", "not checked"))


@pytest.mark.parametrize(
    "content",
    [
        "[signals.sharedphone]\nrows = 3\n",
        "[signals.shared_phone.limits]\nleads = 3\n",
        '[signals.shared_phone]\ncolumns = ["leads.nothing"]\n',
        "[test]\nspread_low = 0.9\n",
        "[test]\nfdr = 2\n",
    ],
)
def test_an_oems_file_with_an_error_is_refused(tmp_path, content):
    (tmp_path / FILE.name).write_text(content, "utf-8")
    with pytest.raises(CatalogueError):
        signals(tmp_path)


def test_an_oems_limits_count(tmp_path, honest):
    (tmp_path / FILE.name).write_text("[signals.revisit_seconds.limits]\nseconds = 200\n", "utf-8")
    standard = signals(tmp_path)
    rows = find_signals(honest, 6, SignalOptions(until=datetime(2025, 7, 1), standard=standard)).found
    assert rows.loc[rows["signal"] == "revisit_seconds", "evidence_rows"].sum() > 0


@pytest.mark.parametrize("rate", [0.002, 0.05, 0.5])
def test_p_values_of_honest_dealers_are_no_smaller_than_they_should_be(rate):
    from expectations.authenticity.peers import learn

    test = PeerTest(window_months=6, fdr=0.05, peers=10, spread_low=0.15, spread_usual=0.5, spread_high=1.0)
    rng = np.random.default_rng(3)
    small = []
    for _ in range(30):
        n = rng.integers(50, 600, 80).astype(float)
        logit = np.log(rate / (1 - rate)) + 0.4 * rng.normal(size=80)
        x = rng.binomial(n.astype(int), 1 / (1 + np.exp(-logit))).astype(float)
        small.append(learn(x, n, np.zeros(80), test).tail(x, n, np.zeros(80)))
    p = np.concatenate(small)
    for limit in (0.05, 0.01, 0.001):
        assert (p < limit).mean() < limit * 1.5 + 3 * np.sqrt(limit / len(p))


@pytest.mark.parametrize(("chance", "found_rows"), [(1 / 252 * 1.001, 5), (1 / 252 * 0.999, 0)])
def test_a_crowd_is_as_improbable_as_the_hypergeometric_says(chance, found_rows):
    """Five of ten rows in the cell, five of ten with the level, all five together: one way of choose(10, 5) = 252."""
    cell, level = np.repeat([0, 1], 5), np.repeat([2, 0], 5)
    limits = {"cell_rows": 5, "cell_share": 0.5}
    crowd = clustered(np.zeros(10, int), cell, level, limits, chance)
    assert crowd[:5].sum() == found_rows
    assert crowd[5:].sum() == found_rows, "the other half is as odd"
    assert not clustered(np.full(10, -1), cell, level, limits, 1.0).any()
    assert not clustered(np.zeros(10, int), cell, level, limits | {"cell_rows": 6}, 1.0).any()


def test_a_level_a_dealer_has_throughout_is_no_crowd():
    """Nine of ten filings for one reason, however distributed: that is the whole dealer, not one consultant."""
    level = np.append(np.zeros(90, int), np.ones(10, int))
    cell = np.random.default_rng(2).integers(0, 4, 100)
    assert not clustered(np.zeros(100, int), cell, level, {"cell_rows": 5, "cell_share": 0.2}, 1e-3).any()


@pytest.mark.parametrize("houses_differ", [0.0, 0.5])
def test_honest_houses_reach_the_chance_of_a_copy_no_more_often_than_it_says(houses_differ):
    """Every dealer draws its remarks from common phrases, some liked more by its house than elsewhere."""
    rng = np.random.default_rng(11)
    phrases, dealers, rows = 150, 60, 200
    common = rng.dirichlet(np.ones(phrases))
    chances = []
    for _ in range(5):
        houses = common * np.exp(houses_differ * rng.normal(size=(dealers, phrases)))
        text = np.concatenate([rng.choice(phrases, rows, p=own / own.sum()) for own in houses])
        dealer, about = np.repeat(np.arange(dealers), rows), np.zeros(dealers * rows, int)
        copies = _copies(dealer, text, about, np.arange(phrases))
        dispersion = _dispersion(copies, np.array([[0.12 * rows]]), spread=0.5)
        chances.append(_chance(copies, dispersion)[copies.here > 0])
    many = 5 * dealers * phrases
    for limit in (1e-2, 1e-3, 1e-4):
        reached = (np.concatenate(chances) < limit).sum()
        assert reached < many * limit + 3 * np.sqrt(many * limit)
