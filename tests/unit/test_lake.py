"""The lake: what is written is what is read, month by month, whole or not at all, personal data behind the key."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.catalogue.contract import contract
from models.errors import SettingsError
from tasks.compute.frames import lake_dtypes
from tasks.lake import Lake

KEY = b"k" * 32
DTYPES = lake_dtypes(contract().tables["leads"])


def leads(count, start="2026-01-15", **columns):
    days = pd.Timestamp(start) + pd.to_timedelta(np.arange(count) * 20, unit="D")
    values = {
        "lead_id": [f"L{number}" for number in range(count)],
        "customer_name": ["张三"] * count,
        "phone": [f"+8613812345{number:03d}" for number in range(count)],
        "phone_key": [f"{number:032x}" for number in range(count)],
        "created_at": days,
        "age": [None if number % 2 else number for number in range(count)],
        "quoted_price": [None if number % 3 else number / 2 for number in range(count)],
        "_file": ["a.csv"] * count,
        "_row": range(1, count + 1),
    } | columns
    return pd.DataFrame(
        {name: pd.Series(values.get(name, [None] * count), dtype=dtype) for name, dtype in DTYPES.items()}
    )


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path, KEY)


def files(lake):
    return {path: path.stat().st_mtime_ns for path in lake.root.rglob("*.parquet")}


def test_a_table_never_loaded_reads_as_empty_with_its_columns(lake):
    frame = lake.read("received", "leads", personal=True)
    assert frame.empty
    assert frame.dtypes.astype(str).to_dict() == DTYPES
    assert not lake.has("received", "leads")
    assert lake.months("received", "leads") == []
    assert lake.fingerprint("received", "leads") == ""


def test_what_is_written_is_read_in_order_of_months(lake):
    frame = leads(9)
    frame.loc[4, "created_at"] = pd.NaT
    lake.replace("received", "leads", frame.sample(frac=1, random_state=1))
    assert lake.months("received", "leads") == [
        "2026-01",
        "2026-02",
        "2026-03",
        "2026-04",
        "2026-05",
        "2026-06",
        "none",
    ]
    read = lake.read("received", "leads", personal=True)
    assert read.dtypes.astype(str).to_dict() == DTYPES
    pd.testing.assert_frame_equal(read.sort_values("_row", ignore_index=True), frame)
    assert pd.isna(read["created_at"].iloc[-1])


def test_tables_of_all_kinds_survive_the_way(lake):
    for name, table in contract().tables.items():
        samples = {
            "str": ["甲", None],
            "datetime64[us]": [pd.Timestamp("2026-03-01 08:00"), None],
            "Int64": [2**53 + 1, None],
            "boolean": [True, None],
            "float64": [0.1, None],
            "int64": [1, 2],
        }
        frame = pd.DataFrame(
            {column: pd.Series(samples[kind], dtype=kind) for column, kind in lake_dtypes(table).items()}
        )
        lake.replace("accepted", name, frame)
        pd.testing.assert_frame_equal(lake.read("accepted", name, personal=True), frame)


def test_columns_and_months_restrict_what_is_read(lake):
    lake.replace("received", "leads", leads(5))
    part = lake.read("received", "leads", columns=["_row", "lead_id"], months=["2026-02", "2030-01"])
    assert part.values.tolist() == [[2, "L1"], [3, "L2"]]
    assert list(part) == ["_row", "lead_id"]


def test_personal_columns_come_only_when_asked_for(lake):
    lake.replace("received", "leads", leads(3))
    plain = lake.read("received", "leads")
    assert not {"phone", "customer_name"} & set(plain)
    assert "phone_key" in plain
    with pytest.raises(KeyError):
        lake.read("received", "leads", columns=["phone"])
    assert lake.read("received", "leads", columns=["phone"], personal=True)["phone"].tolist()[0] == "+8613812345000"


def test_nothing_personal_lies_open_on_disk(lake):
    lake.replace("received", "leads", leads(200))
    content = b"".join(path.read_bytes() for path in lake.root.rglob("*") if path.is_file())
    assert b"L199" in content or b"leads" in content  # the search itself works
    for secret in ("13812345", "张三"):
        assert secret.encode() not in content


def test_another_key_reads_the_rest_but_no_personal_column(lake):
    lake.replace("received", "leads", leads(3))
    stranger = Lake(lake.root, b"x" * 32)
    assert len(stranger.read("received", "leads")) == 3
    with pytest.raises(SettingsError) as caught:
        stranger.read("received", "leads", personal=True)
    assert caught.value.key == "ingest.wrong_key"


def test_only_months_that_changed_are_written_again(lake):
    frame = leads(6)
    lake.replace("received", "leads", frame)
    before = files(lake)
    assert lake.replace("received", "leads", frame) == []
    assert files(lake) == before
    changed = frame.copy()
    changed.loc[0, "series"] = "星途"
    assert lake.replace("received", "leads", changed) == ["2026-01"]
    after = files(lake)
    assert len(set(after) - set(before)) == 1
    assert {path: when for path, when in after.items() if path in before} == before


def test_a_month_without_rows_is_gone(lake):
    frame = leads(6)
    lake.replace("received", "leads", frame)
    assert lake.replace("received", "leads", frame[frame["created_at"] < "2026-03-01"]) == ["2026-03", "2026-04"]
    assert lake.months("received", "leads") == ["2026-01", "2026-02"]


def test_an_emptied_table_was_still_loaded(lake):
    lake.replace("received", "leads", leads(2))
    lake.replace("received", "leads", leads(0))
    assert lake.has("received", "leads")
    assert lake.read("received", "leads").empty


def test_the_fingerprint_follows_content_not_files(lake, tmp_path):
    frame = leads(6)
    lake.replace("received", "leads", frame)
    twin = Lake(tmp_path / "twin", KEY)
    twin.replace("received", "leads", pd.concat([frame[:3], frame[3:]], ignore_index=True))
    assert lake.fingerprint("received", "leads") == twin.fingerprint("received", "leads") != ""
    for column, value in {"age": 99, "series": "x", "created_at": pd.Timestamp("2026-01-16"), "phone": None}.items():
        other = frame.copy()
        other.loc[0, column] = value
        twin.replace("received", "leads", other)
        assert lake.fingerprint("received", "leads") != twin.fingerprint("received", "leads"), column


def test_shifting_text_between_cells_changes_the_fingerprint(lake, tmp_path):
    twin = Lake(tmp_path / "twin", KEY)
    lake.replace("received", "leads", leads(2, start="2026-01-01", source=["ab", "c"], created_at=[None] * 2))
    twin.replace("received", "leads", leads(2, start="2026-01-01", source=["a", "bc"], created_at=[None] * 2))
    assert lake.fingerprint("received", "leads") != twin.fingerprint("received", "leads")


def test_attached_frames_and_notes_change_together_with_the_table(lake):
    counts = pd.DataFrame({"file": ["a"], "rows": [3]}).astype({"file": "str"})
    dtypes = {"file": "str", "rows": "int64"}
    assert lake.attached("received", "leads", "counts", dtypes).empty
    lake.replace("received", "leads", leads(2), frames={"counts": counts}, notes={"files": ["a"]})
    lake.replace("received", "leads", leads(3))
    pd.testing.assert_frame_equal(lake.attached("received", "leads", "counts", dtypes), counts)
    assert lake.notes("received", "leads") == {"files": ["a"]}


def test_files_nobody_names_are_swept_one_replacement_later(lake):
    lake.replace("received", "leads", leads(8))
    (lake.root / "received" / "leads" / "data" / "killed-writer.parquet").touch()
    for word in ("first", "second", "third"):
        lake.replace("received", "leads", leads(1, source=[word]))
    assert len(files(lake)) == 2  # the current one, and the one a reader may still have open
    assert lake.read("received", "leads")["source"].tolist() == ["third"]


WRITER = """
import sys
sys.path[:0] = sys.argv[1].split(";")
from pathlib import Path
from test_lake import KEY, Lake, leads
lake = Lake(Path(sys.argv[2]), KEY)
versions = [leads(400, source=[word] * 400) for word in ("old", "new")]
lake.replace("received", "leads", versions[0], notes={"version": "old"})
print("ready", flush=True)
while True:
    for word, frame in zip(("new", "old"), reversed(versions)):
        lake.replace("received", "leads", frame, notes={"version": word})
"""


def test_a_killed_writer_leaves_the_old_table_or_the_new_one(tmp_path):
    here = Path(__file__).parent
    path = f"{here.parents[1]};{here}"
    lake = Lake(tmp_path, KEY)
    reads = []
    for pause in (0.02, 0.15, 0.4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path, str(tmp_path)], stdout=subprocess.PIPE)
        try:
            assert writer.stdout.readline() == b"ready\n"
            ends = time.monotonic() + pause
            while time.monotonic() < ends:
                reads.append(lake.read("received", "leads", columns=["source"])["source"])
        finally:
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
            writer.stdout.close()
        read = lake.read("received", "leads", personal=True)
        assert len(read) == 400
        assert set(read["source"]) == {lake.notes("received", "leads")["version"]}
    assert {len(read) for read in reads} == {400}
    assert {read.nunique() for read in reads} == {1}
    lake.replace("received", "leads", leads(400, source=["last"] * 400))
    assert set(lake.read("received", "leads")["source"]) == {"last"}
