"""What results keep of a table."""

import pandas as pd

from tasks.results import Results


def test_an_empty_table_can_be_asked_for_some_of_its_rows(tmp_path):
    results = Results(tmp_path, "2026-10", "a1")
    results.write("maturity", pd.DataFrame(columns=["scope", "outcome", "age"]))
    read = results.read("maturity", ["scope", "age"], where={"outcome": ["won"]})
    assert list(read.columns) == ["scope", "age"]
    assert read.empty
