"""For any frame, Great Expectations and the row mask of each expectation type count the same failing rows."""

import warnings
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expectations.declare import great_expectations
from expectations.masks import MASKS, NoMaskError, failing
from expectations.native import judge
from expectations.rules import CheckOutcome
from expectations.standard import standard_until
from expectations.view import UNASSIGNED, Links, View

NUMBERS = st.one_of(st.none(), st.sampled_from([0.0, -1.0, 15.9, 16.0, 16.1, 100.0, 100.1, float("inf")]))
WORDS = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "A", ""]))
TIMES = st.one_of(
    st.none(),
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),
    st.sampled_from([datetime(2000, 1, 1), datetime(2025, 1, 1), datetime(9999, 12, 31), datetime(1, 1, 1)]),
)
ROWS = st.lists(st.tuples(NUMBERS, WORDS, WORDS, TIMES, TIMES), min_size=1, max_size=12)


def suite():
    """At least one expectation of every type a mask is written for, on every dtype it may meet."""
    native = great_expectations().expectations
    early, late = datetime(2000, 1, 1), datetime(2025, 1, 1)
    made = [
        *(native.ExpectColumnValuesToNotBeNull(column=column) for column in ("number", "word", "text", "time")),
        native.ExpectColumnValuesToBeNull(column="number"),
        *(native.ExpectColumnValuesToBeUnique(column=column) for column in ("number", "text", "time")),
        *(
            native.ExpectCompoundColumnsToBeUnique(column_list=["text", "time"], ignore_row_if=when)
            for when in ("any_value_is_missing", "all_values_are_missing", "never")
        ),
        native.ExpectColumnValuesToBeBetween(column="number", min_value=16, max_value=100),
        native.ExpectColumnValuesToBeBetween(column="number", min_value=0, strict_min=True),
        native.ExpectColumnValuesToBeBetween(column="number", max_value=100, strict_max=True),
        native.ExpectColumnValuesToBeBetween(column="time", min_value=early, max_value=late),
        native.ExpectColumnValuesToBeInSet(column="word", value_set=["a", "b"]),
        native.ExpectColumnValuesToNotBeInSet(column="word", value_set=["a"]),
        native.ExpectColumnValuesToMatchRegex(column="word", regex="^[a-b]$"),
        native.ExpectColumnValuesToNotMatchRegex(column="word", regex="(a|A)"),
        *(
            native.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="time", column_B="other", or_equal=equal, ignore_row_if=when
            )
            for equal in (True, False)
            for when in ("either_value_is_missing", "both_values_are_missing")
        ),
    ]
    for number, expectation in enumerate(made):
        expectation.meta = {"id": str(number)}
    return made


def frame_of(rows):
    number, word, text, time, other = zip(*rows, strict=True)
    raw = pd.DataFrame(
        {
            "number": pd.Series(number, dtype="float64"),
            "word": pd.Series(word, dtype="str"),
            "text": pd.Series(text, dtype="str"),
            "time": np.array(time, dtype="datetime64[us]"),
            "other": np.array(other, dtype="datetime64[us]"),
        }
    )
    view = View("any", raw, Links(standard_until(datetime(2025, 1, 1)), pd.Index([UNASSIGNED])))
    return pd.DataFrame({column: view.thin(column, column == "word") for column in raw})


def test_every_mask_is_tried():
    assert {type(expectation).__name__ for expectation in suite()} == set(MASKS)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_counts_agree(rows):
    frame, asked = frame_of(rows), suite()
    for expectation, verdict in zip(asked, judge("any", frame, asked), strict=True):
        assert verdict.outcome is not CheckOutcome.ERROR, (type(expectation).__name__, verdict.problem)
        said = (type(expectation).__name__, expectation.configuration.kwargs)
        assert int(failing(expectation, frame).sum()) == verdict.failed, said


def test_an_expectation_without_a_mask_is_refused():
    native = great_expectations().expectations
    frame = pd.DataFrame({"word": ["a", "b"]})
    with pytest.raises(NoMaskError):
        failing(native.ExpectColumnValueLengthsToEqual(column="word", value=1), frame)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the option itself is on its way out
        conditional = native.ExpectColumnValuesToNotBeNull(
            column="word", row_condition='col("word")=="a"', condition_parser="great_expectations"
        )
    with pytest.raises(NoMaskError):
        failing(conditional, frame)
