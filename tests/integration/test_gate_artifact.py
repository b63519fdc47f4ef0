"""What a run shows of data quality on its page in Prefect: gates and signs by dealer id, links, nothing of a person."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest
from support.corrections import CYCLE, FILES, checked, write

from flows.records import RunRef
from flows.steps import _publish_gates
from tasks.quality_docs import write_data_docs


@pytest.fixture
def published(workspace, tmp_path, monkeypatch):
    """The artifacts of a small network in which D2 has two signs to check and D1 none, by their keys."""
    job = checked(workspace, write(tmp_path / "in", **FILES))
    lines = [("D2", "shared_phone", True), ("D2", "no_contact", True), ("D1", "no_contact", False)]
    found = pd.DataFrame(lines, columns=["dealer_id", "signal", "flagged"]).astype({"flagged": "boolean"})
    job.results.write("signals", found.assign(rows=50, evidence_rows=9, expected_rows=1.0))
    write_data_docs(job)
    made = {}
    for name in ("create_table_artifact", "create_link_artifact"):
        monkeypatch.setattr(f"prefect.artifacts.{name}", lambda key, **content: made.update({key: content}))
    _publish_gates(RunRef(str(workspace.home), "r1", "", "", CYCLE.name, CYCLE.as_of.isoformat(), "v1"))
    return made


def test_gates_with_the_number_of_signs_by_dealer_id(published):
    lines = {line["dealer"]: line for line in published["gates"]["table"]}
    assert set(lines) == {"D1", "D2", "D3", "_unassigned"}
    assert {dealer: line["signs_to_check"] for dealer, line in lines.items()} == {
        **{"D1": 0, "D2": 2, "D3": 0, "_unassigned": 0}
    }
    assert {line["gate"] for line in lines.values()} <= {"pass", "warn", "fail"}


def test_nothing_of_a_person_in_any_artifact(published):
    said = str(published["gates"])
    assert not re.search(r"\d{11}|张三|李四|王五|钱七|Store", said)
    assert set(published) == {"gates", "data-docs-zh-cn", "data-docs-en"}


@pytest.mark.parametrize("key", ["data-docs-zh-cn", "data-docs-en"])
def test_links_lead_to_the_data_docs(published, key):
    assert Path(unquote(urlsplit(published[key]["link"]).path)).is_file()
