"""Looking ids up, and sums by key, against the plain way to do it."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tasks.compute.confusion import sums_by
from tasks.compute.places import places

_IDS = st.lists(st.one_of(st.none(), st.text("ab~车", max_size=2)), max_size=12)


def _texts(ids: list[str | None]) -> pd.Series:
    return pd.Series(ids, dtype="str")


@given(_IDS, _IDS)
def test_every_id_is_at_its_first_place_and_a_missing_one_nowhere(known: list[str | None], asked: list[str | None]):
    expected = [known.index(one) if one is not None and one in known else -1 for one in asked]
    assert places(_texts(known), _texts(asked)).tolist() == expected


def test_texts_in_pieces_are_counted_through():
    pieces = pd.concat([_texts(["a", "b"]), _texts(["c"])], ignore_index=True)
    assert places(pieces, pd.concat([_texts(["c"]), _texts(["x", "b"])])).tolist() == [2, -1, 1]


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-1e6, 1e6), st.floats(0, 1)), max_size=20))
def test_sums_by_key_are_those_of_a_loop_to_the_last_bit(rows: list[tuple[int, float, float]]):
    expected = np.zeros((5, 2))
    for key, *values in rows:
        expected[key] += values
    values = np.array([row[1:] for row in rows]).reshape(-1, 2)
    keys = np.array([row[0] for row in rows], dtype="int64")
    assert (sums_by(values, keys, 5) == expected).all()


def test_sums_without_columns_or_rows():
    assert sums_by(np.zeros((3, 0)), np.array([0, 1, 1]), 2).shape == (2, 0)
    assert sums_by(np.zeros((0, 3)), np.array([], dtype="int64"), 0).shape == (0, 3)
