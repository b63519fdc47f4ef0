"""Cohorts and their maturity: a small network by hand, complete data, too little data, cover of the intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.compute.cohorts import (
    AGE_COLUMNS,
    COHORT_COLUMNS,
    LACKING,
    MATURITY_COLUMNS,
    CohortRules,
    cohort_sums,
    cohort_tables,
    merge_cohort_sums,
)
from tests.support.cohort_networks import counts, network, seen_at

MARCH = pd.Timestamp("2025-03-31 23:59:59")
CELL = ("A", "R1", "S")
# cohort, age, leads, won, lost: February is seen for two months, March for one
SMALL = [
    ("2025-01", 0, 100, 0, 0), ("2025-01", 1, 0, 10, 20), ("2025-01", 2, 0, 7, 14), ("2025-01", 3, 0, 5, 5),
    ("2025-02", 0, 200, 0, 0), ("2025-02", 1, 0, 20, 40), ("2025-02", 2, 0, 14, 28),
    ("2025-03", 0, 100, 0, 0), ("2025-03", 1, 0, 15, 15),
]  # fmt: skip


def small():
    return counts([(month, age, *CELL, *numbers) for month, age, *numbers in SMALL])


@pytest.fixture(scope="module")
def tables():
    return cohort_tables(small(), MARCH)


def test_the_curve_is_made_of_the_cohorts_that_lived_through_each_age(tables):
    maturity = tables[2]
    assert list(maturity.columns) == MATURITY_COLUMNS
    curve = maturity[(maturity["scope"] == "nation") & (maturity["outcome"] == "won")].set_index("age_months")
    assert curve["at_risk"].tolist() == [400, 210, 49]
    assert curve["events"].tolist() == [45, 21, 5]
    assert curve["hazard"].tolist() == pytest.approx([0.1125, 0.1, 5 / 49])
    # open after one age 280 of 400, after two 0.7 x 0.7
    assert curve["share"].tolist() == pytest.approx([0.1125, 0.1825, 0.2325])
    assert curve["completeness"].tolist() == pytest.approx([0.1125 / 0.2325, 0.1825 / 0.2325, 1])


def test_what_open_leads_will_still_do_is_projected_from_the_curve(tables):
    cohorts = tables[0]
    assert list(cohorts.columns) == COHORT_COLUMNS
    won = cohorts[(cohorts["scope"] == "nation") & (cohorts["outcome"] == "won")].set_index("cohort")
    assert won["age_months"].tolist() == [3, 2, 1]
    assert won["by_age"].tolist() == [22, 34, 15]
    assert won["projected"].tolist() == pytest.approx(
        [0.22, (34 + 98 * 5 / 49) / 200, (15 + 70 * 0.1 + 49 * 5 / 49) / 100]
    )
    assert won["mature"].tolist() == [True, False, False]
    done = won.loc["2025-01"]
    assert (done["lo90"], done["hi90"]) == (0.22, 0.22)
    young = won.loc["2025-03"]
    assert young["share_by_age"] <= young["lo90"] < young["projected"] < young["hi90"] <= 0.85
    assert (won["lacking"] == "").all()


def test_won_and_lost_within_k_months(tables):
    ages = tables[1]
    assert list(ages.columns) == AGE_COLUMNS
    mine = ages[(ages["scope"] == "region") & (ages["cohort"] == "2025-02")]
    assert mine.groupby("outcome")["within"].agg(list).to_dict() == {"won": [20, 34], "lost": [40, 68]}
    assert mine["share"].tolist() == pytest.approx((mine["within"] / 200).tolist())


def test_a_month_that_still_runs_is_no_age_yet():
    cohorts = cohort_tables(small(), pd.Timestamp("2025-03-20"))[0]
    won = cohorts[(cohorts["scope"] == "nation") & (cohorts["outcome"] == "won")].set_index("cohort")
    assert won["age_months"].tolist() == [2, 1, 0]
    assert won.loc["2025-03", "by_age"] == 0
    assert won.loc["2025-03", "projected"] > 0


def test_too_little_history_is_said_and_nothing_is_projected():
    few = counts([("2025-03", 0, *CELL, 12, 0, 0), ("2025-03", 1, *CELL, 0, 2, 3)])
    cohorts, _, maturity = cohort_tables(few, MARCH)
    assert set(cohorts["lacking"]) == {LACKING}
    assert cohorts[["projected", "lo90", "hi90"]].isna().all(axis=None)
    assert maturity.empty
    nothing = cohort_tables(counts([]), MARCH)
    assert [len(frame) for frame in nothing] == [0, 0, 0]


def test_leads_become_counts_by_age():
    facts = pd.DataFrame(
        [
            ("2025-01", "2025-01", 1, True), ("2025-01", "2025-03", 0, True), ("2025-01", None, 0, True),
            ("2025-02", "2025-04", 1, True),  # April is not over
            ("2025-02", "2025-01", 1, True),  # closed before it was created: in the first month
            ("2025-02", "2025-03", 1, False),  # a duplicate
            ("2024-12", None, 0, True),  # before the history: of its cohort only the open ones are known
        ],
        columns=["created_month", "closed_month", "won", "counted"],
    ).assign(dealer_id="A", region_id="R1", series="S", defeated=0)  # fmt: skip
    found = cohort_sums(facts, pd.Timestamp("2025-04-12"), pd.Timestamp("2025-01-01"))
    rows = found.astype({"cohort": "str", "age": "str"})[["cohort", "age", "leads", "won", "lost"]]
    assert sorted(rows.itertuples(index=False, name=None)) == [
        ("2025-01", "0", 3, 0, 0), ("2025-01", "1", 0, 1, 0), ("2025-01", "3", 0, 0, 1),
        ("2025-02", "0", 2, 0, 0), ("2025-02", "1", 0, 1, 0),
    ]  # fmt: skip
    pd.testing.assert_frame_equal(merge_cohort_sums([found.iloc[:2], found.iloc[2:]]), found)


shares = st.tuples(*[st.integers(0, 40)] * 4)


@settings(max_examples=15, deadline=None)
@given(st.lists(shares, min_size=2, max_size=4))
def test_of_complete_data_the_projection_is_the_truth(cohorts):
    months = [f"2024-{number:02d}" for number in range(1, len(cohorts) + 1)]
    rows = []
    for month, (won, lost, later_won, later_lost) in zip(months, cohorts, strict=True):
        leads = won + lost + later_won + later_lost + 30
        rows += [(month, 0, *CELL, leads, 0, 0), (month, 1, *CELL, 0, won, lost)]
        rows += [(month, 2, *CELL, 0, later_won, later_lost + 30)]  # nobody stays open
    found = cohort_tables(counts(rows), pd.Timestamp("2026-12-31"))[0]
    assert np.allclose(found["projected"], found["share_by_age"])
    assert np.allclose(found["lo90"], found["hi90"])
    total = found.pivot_table(index=["scope", "scope_id", "cohort"], columns="outcome", values="projected")
    assert np.allclose(total["won"] + total["lost"], 1)


def cover(seeds, **setting):
    """Share of immature cohorts whose final share lies in its interval, per scope."""
    found = []
    for seed in seeds:
        truth = network(seed, **setting)
        known = cohort_tables(seen_at(truth, "2026-02"), pd.Timestamp("2026-02-28"), CohortRules(horizon=6))[0]
        final = cohort_tables(truth, pd.Timestamp("2026-12-31"), CohortRules(horizon=6))[0]
        keys = ["scope", "scope_id", "outcome", "cohort"]
        both = known.merge(final[[*keys, "share_by_age"]], on=keys, suffixes=("", "_end"))
        young = both[(both["age_months"] < 6) & (both["horizon_months"] == 6)]
        inside = (young["lo90"] - 1e-9 <= young["share_by_age_end"]) & (
            young["share_by_age_end"] <= young["hi90"] + 1e-9
        )
        found.append(young.assign(inside=inside, width=young["hi90"] - young["lo90"]))
    return pd.concat(found).groupby("scope")[["inside", "width"]].mean()


def test_intervals_cover_the_truth():
    found = cover(range(12))["inside"]
    assert found["dealer"] == pytest.approx(0.93, abs=0.05)  # whole leads: at least .90
    assert found["region"] > 0.84
    assert found["nation"] > 0.75  # 120 intervals, ten of each cohort's network together
