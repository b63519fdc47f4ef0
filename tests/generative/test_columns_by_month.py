"""A column by months says of every month what pandas says of that month's cells."""

from datetime import datetime

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from expectations.columns import ByMonth, Months
from expectations.standard import standard_until
from expectations.view import UNASSIGNED, Links, View

LINKS = Links(standard_until(datetime(2025, 1, 1)), pd.Index([UNASSIGNED]))
ROWS = st.lists(
    st.tuples(
        st.integers(-4, 2) | st.just(np.iinfo(np.int64).max),
        st.none() | st.sampled_from(["a", "b", "丙"]),
        st.none() | st.integers(0, 5),
        st.none() | st.floats(0, 10),
        st.none() | st.just(datetime(2024, 5, 1)),
    ),
    max_size=40,
)


@given(ROWS)
def test_every_month_has_its_own_cells(rows):
    names = ["number", "word", "count", "amount", "at"]
    frame = pd.DataFrame(rows, columns=names).astype(
        {"number": "int64", "word": "str", "count": "Int64", "amount": "float64", "at": "datetime64[us]"}
    )
    months = Months.of(frame["number"].to_numpy(), -3, 0)
    view = View("any", frame, LINKS)
    parts = [frame[frame["number"] == month] for month in range(-3, 1)]
    assert months.rows.tolist() == [len(part) for part in parts]
    assert months.last.tolist() == parts[-1].index.tolist()
    for name in names[1:]:
        column = ByMonth.of(view, name, months)
        filled = [int(part[name].notna().sum()) for part in parts]
        assert column.filled.tolist() == filled
        assert [cells.size for cells in column.enough(1)] == [count for count in filled[:-1] if count]
        for at, part in enumerate(parts):
            cells, there = column.of_month(at), part[name].dropna()
            if column.numeric:
                assert cells.tolist() == there.tolist()
            if column.words is not None:
                counts = column.counts(months.bounds[at], months.bounds[at + 1])
                told = dict(zip(column.words.to_pylist(), counts.tolist(), strict=True))
                assert {word: count for word, count in told.items() if count} == there.value_counts().to_dict()
