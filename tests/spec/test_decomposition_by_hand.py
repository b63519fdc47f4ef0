"""The gap decomposition, by hand: mix, steps, reasons (domain.md section 8)."""

from __future__ import annotations

import pandas as pd
import pytest

from tasks.compute import decomposition
from tasks.compute.decomposition import DECOMPOSITION_COLUMNS, STEPS, decompose

NO_COMPARISONS = pd.DataFrame(columns=["dealer_id", "indicator", "gap_points", "lo90", "hi90"])
NOW = pd.Timestamp("2025-03-10")


def _customers(dealer, count, *, series="S1", visits=0, drives=0, won=0, reason="process_follow_up"):
    """``count`` closed leads; the first ``visits`` visited, of them ``drives`` drove, of those ``won`` ordered."""
    return pd.DataFrame(
        {
            "dealer_id": dealer,
            "region_id": "R1",
            "series": series,
            "source": "web",
            "visited_at": [NOW if n < visits else pd.NaT for n in range(count)],
            "test_drive_at": [NOW if n < drives else pd.NaT for n in range(count)],
            "won": [n < won for n in range(count)],
            "reason": [None if n < won else reason for n in range(count)],
        }
    )


def _parts(*customers, comparisons=NO_COMPARISONS, excluded=()):
    closed = pd.concat(customers, ignore_index=True)
    closed["visited_at"] = closed["visited_at"].astype("datetime64[us]")
    closed["test_drive_at"] = closed["test_drive_at"].astype("datetime64[us]")
    return decompose(closed, comparisons, excluded)


def _of(parts, dealer):
    return parts[parts["dealer_id"] == dealer].set_index(["kind", "code"])


@pytest.fixture
def plain_cells(monkeypatch):
    """Cells count as they are, so that figures can be checked by hand."""
    monkeypatch.setattr(decomposition, "_CELL_PRIOR", 1e-9)


def test_mix_is_what_the_series_explain(plain_cells):
    # S1 closes 2 of 10 everywhere, S2 8 of 10; A sells mostly S1, B mostly S2
    funnel = {"visits": 10, "drives": 10}
    parts = _parts(
        *(_customers("A", 10, series="S1", won=2, **funnel) for _ in range(3)),
        _customers("A", 10, series="S2", won=8, **funnel),
        _customers("B", 10, series="S1", won=2, **funnel),
        *(_customers("B", 10, series="S2", won=8, **funnel) for _ in range(3)),
    )
    mine = _of(parts, "A")
    assert mine.loc[("gap", ""), "points"] == pytest.approx(-15)  # 14 of 40 against 40 of 80
    assert mine.loc[("mix", ""), "points"] == pytest.approx(-15)
    assert mine.loc[("mix", ""), "deals"] == pytest.approx(-6)
    assert mine.loc[("own", ""), "points"] == pytest.approx(0, abs=1e-9)
    assert mine.xs("step", level="kind")["points"].abs().max() < 1e-9


def test_a_single_weak_step_carries_the_whole_gap(plain_cells):
    # both: all visit; A drives with 20 of 100, B with 60 of 100; of those who drove half order, of the others none
    parts = _parts(
        _customers("A", 100, visits=100, drives=20, won=10), _customers("B", 100, visits=100, drives=60, won=30)
    )
    mine = _of(parts, "A")
    assert mine.loc[("gap", ""), "points"] == pytest.approx(-10)  # 10 % against 20 %
    assert mine.loc[("step", "visit_to_test_drive"), "points"] == pytest.approx(-10)
    assert mine.loc[("step", "visit_to_test_drive"), ["observed", "expected"]].tolist() == pytest.approx([0.2, 0.4])
    assert mine.loc[("step", "lead_to_visit"), "points"] == pytest.approx(0)
    assert mine.loc[("step", "test_drive_to_order"), "points"] == pytest.approx(0)
    assert mine.loc[("step", "visit_to_test_drive"), "rank"] == 1


def test_two_weak_steps_share_what_they_cause_together(plain_cells):
    # expected: 60 % visit, all drive, half order = 30 %; A: 40 % and a quarter = 10 %
    parts = _parts(
        _customers("A", 100, visits=40, drives=40, won=10), _customers("B", 100, visits=80, drives=80, won=50)
    )
    mine = _of(parts, "A")
    visit, order = (mine.loc[("step", STEPS[place]), "points"] for place in (0, 2))
    # Shapley of a product: difference of one x mean of the other
    assert visit == pytest.approx(100 * (0.4 - 0.6) * (0.25 + 0.5) / 2)
    assert order == pytest.approx(100 * (0.25 - 0.5) * (0.4 + 0.6) / 2)
    assert visit + order == pytest.approx(-20)


def test_orders_outside_the_funnel_remain(plain_cells):
    # the network: a quarter visits, of those who drove 40 % order, of those who never came 30 of 150
    parts = _parts(_customers("A", 100, won=30), _customers("B", 50, visits=50, drives=50, won=20), _customers("B", 50))
    mine = _of(parts, "A")
    assert mine.loc[("own", ""), "points"] == pytest.approx(5)  # 30 % against 25 %
    assert mine.loc[("step", "lead_to_visit"), "points"] == pytest.approx(100 * (0 - 0.25) * (0.4 - 0.25))
    assert mine.loc[("remaining", ""), "points"] == pytest.approx(100 * (0.3 - 0.2) * (1 + 0.75) / 2)


def test_reasons_are_defeats_per_lead_beyond_the_own_mix(plain_cells):
    parts = _parts(
        _customers("A", 60, won=20, reason="process_follow_up"),
        _customers("A", 40, won=0, reason="price_too_high"),
        _customers("B", 100, won=40, reason="price_too_high"),
    )
    mine = _of(parts, "A").xs("reason", level="kind")
    # the network loses 40 of 200 by follow-up and 100 of 200 by price
    assert mine.loc["process_follow_up", ["observed", "expected"]].tolist() == pytest.approx([0.4, 0.2])
    assert mine.loc["process_follow_up", "points"] == pytest.approx(-20)
    assert mine.loc["price_too_high", ["observed", "expected"]].tolist() == pytest.approx([0.4, 0.5])
    assert mine.loc["price_too_high", "points"] == pytest.approx(10)
    assert mine["rank"].to_dict() == {"process_follow_up": 1, "price_too_high": 2}
    assert mine["points"].sum() == pytest.approx(_of(parts, "A").loc[("own", ""), "points"])


def test_a_reason_nobody_filed_is_a_part_too():
    parts = _parts(_customers("A", 50, won=10, reason=None), _customers("B", 50, won=10))
    assert ("reason", "") in _of(parts, "A").index


def test_intervals_come_from_the_comparison_where_it_judged():
    judged = pd.DataFrame(
        {
            "dealer_id": ["A", "A", "B"],
            "indicator": ["close_rate", "reason:process_follow_up", "close_rate"],
            "gap_points": [-3.0, 2.0, None],
            "lo90": [-5.0, 0.5, None],
            "hi90": [-1.0, 3.5, None],
        }
    )
    parts = _parts(_customers("A", 50, won=5), _customers("B", 50, won=15), comparisons=judged)
    own = _of(parts, "A").loc[("own", "")]
    assert own[["shrunk_points", "lo90", "hi90", "basis", "chance"]].tolist() == [-3.0, -5.0, -1.0, "posterior", False]
    reason = _of(parts, "A").loc[("reason", "process_follow_up")]  # two defeats more are two points less
    assert reason[["shrunk_points", "lo90", "hi90", "basis"]].tolist() == [-2.0, -3.5, -0.5, "posterior"]
    assert _of(parts, "B").loc[("own", ""), "basis"] == "sampling"


def test_small_samples_are_not_told_from_chance():
    parts = _parts(_customers("A", 4, won=0), _customers("B", 400, won=100))
    assert _of(parts, "A").loc[("gap", ""), "chance"]
    many = _parts(_customers("A", 400, won=0), _customers("B", 400, won=100))
    assert not many.set_index(["dealer_id", "kind"]).loc[("A", "gap"), "chance"].any()


@pytest.mark.parametrize(
    "customers",
    [
        [_customers("A", 10, won=0)],
        [_customers("A", 10, won=10)],
        [_customers("A", 1, won=1), _customers("B", 1)],
        [_customers("A", 2, series=None), _customers("B", 3, visits=3)],
    ],
)
def test_edges_give_parts_without_missing_figures(customers):
    parts = _parts(*customers)
    assert parts[["points", "deals", "lo90", "hi90"]].notna().all().all()
    assert parts["chance"].notna().all()


def test_one_dealer_has_no_gap_to_itself():
    parts = _parts(_customers("A", 30, won=10, visits=20))
    assert parts["points"].abs().max() < 1e-9


def test_steps_that_nobody_recorded_have_no_row():
    kinds = _parts(_customers("A", 10, won=2), _customers("B", 10, won=8)).groupby("dealer_id")["kind"].agg(set)
    assert kinds.to_dict() == {key: {"gap", "mix", "own", "remaining", "reason"} for key in "AB"}


def test_excluded_dealers_are_in_neither_side():
    alone = _parts(_customers("A", 50, won=10), _customers("B", 50, won=10))
    also = _parts(_customers("A", 50, won=10), _customers("B", 50, won=10), _customers("C", 50), excluded=["C"])
    pd.testing.assert_frame_equal(alone, also)


def test_nothing_closed_gives_an_empty_table():
    empty = _parts(_customers("A", 1)).iloc[:0]
    assert list(empty.columns) == DECOMPOSITION_COLUMNS
    assert list(_parts(_customers("A", 1), excluded=["A"]).columns) == DECOMPOSITION_COLUMNS
