"""What must hold for any counts: no warning, no invented number, no dependence on how the rows are written down."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.compute.judgement.compare import compare
from tasks.compute.judgement.posterior import Options
from tasks.compute.judgement.verify import verify

LOOSE = Options(minimum_dealers=2, minimum_untreated=2, minimum_history=1)


@st.composite
def counts(draw):
    """Small, sparse networks: empty months, dealers with one case, cells of one dealer, all won or none."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 7), st.integers(1, 8), st.sampled_from("abc"), st.integers(0, 60), st.floats(0, 1)
            ),
            min_size=1,
            max_size=60,
        )
    )
    frame = pd.DataFrame(rows, columns=["dealer", "month", "cell", "n", "share"])
    frame["x"] = (frame["n"] * frame["share"]).round().astype(int)
    frame["dealer_id"] = "D" + frame["dealer"].astype(str)
    frame["region_id"] = "R" + (frame["dealer"] % 3).astype(str)
    return frame[["dealer_id", "region_id", "month", "cell", "n", "x"]]


ANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@ANY
@given(counts())
def test_compare_answers_or_says_why_not(frame):
    found = compare(frame, options=LOOSE)
    assert sorted(found["dealer_id"]) == sorted(frame["dealer_id"].unique())
    estimated = found["gap_points"].notna()
    rates = found.loc[estimated, ["value", "expected"]]
    assert ((rates >= 0) & (rates <= 1)).all(axis=None)
    gap = found.loc[estimated]
    assert (gap["lo90"] <= gap["gap_points"] + 1e-9).all()
    assert (gap["gap_points"] <= gap["hi90"] + 1e-9).all()
    assert (gap["gap_points"].abs() <= 100).all()
    assert (found["denominator"] > 0).eq(found["value"].notna()).all()
    assert found["enough"].eq(found["missing"] == "").all()
    assert not found.loc[~found["enough"], "flagged"].any()


@ANY
@given(counts(), st.randoms(use_true_random=False))
def test_order_and_splitting_of_rows_do_not_matter(frame, random):
    halves = frame.assign(n=frame["n"] // 2, x=np.minimum(frame["x"], frame["n"] // 2))
    rest = frame.assign(n=frame["n"] - halves["n"], x=frame["x"] - halves["x"])
    split = pd.concat([halves, rest]).sample(frac=1, random_state=random.randrange(2**31))
    one, two = (compare(rows, options=LOOSE).set_index("dealer_id") for rows in (frame, split))
    for column in ("numerator", "denominator", "expected", "gap_points", "level"):
        assert two[column].to_numpy(float) == pytest.approx(one[column].to_numpy(float), abs=1e-5, nan_ok=True)


@ANY
@given(counts(), st.lists(st.tuples(st.integers(0, 7), st.integers(1, 8)), min_size=1, max_size=6, unique=True))
def test_verify_answers_or_says_why_not(frame, planned):
    known = set(frame["dealer_id"])
    last = int(frame["month"].max())
    plans = pd.DataFrame(
        [(f"D{d}", f"m{i}", 3.0, start) for i, (d, start) in enumerate(planned) if f"D{d}" in known and start <= last],
        columns=["dealer_id", "measure_id", "target_points", "start"],
    )
    effects = verify(frame, plans, looks=(1, 3), alone=True, options=LOOSE)
    assert set(effects["measure_id"]) == set(plans["measure_id"])
    judged = effects["effect_points"].notna()
    assert (effects.loc[judged, "denominator"] > 0).all()
    assert effects.loc[judged, ["lo90", "hi90", "p_up", "p_down", "shrunk_points"]].notna().all(axis=None)
    assert effects.loc[judged, "p_up"].between(0, 1).all()
    assert effects.loc[~judged, "reason_key"].str.startswith("judge.why.").all()
    assert effects.loc[~judged, "verdict"].eq("not_enough_evidence").all()
