"""Ingest end to end on small folders: every row accounted for, unchanged files change nothing, corrections replace."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from models.errors import MappingError, SourceError
from models.mapping import SourceMapping
from models.messages import LOCALES
from models.workspace import Workspace
from tasks.ingest import absent_fields, ingest, received_counts, received_problems, usable
from tasks.lake import Lake

DEALERS = "dealer_id,name,region_id\nD1,一店,R1\nD2,二店,R1\n"
DEFEATS = "lead_id,defeated_at,reason_code\nL2,2026-02-03,price_too_high\n"
HEADER = "lead_id,dealer_id,phone,series,created_at,status\n"
LEADS = (
    HEADER
    + "L1,D1,13812345671,星途,2026-01-03,open\n"
    + "L2,D1,13812345672,星途,2026/1/4,战败\n"
    + "L3,D2,13812345673,远景,2026-02-05 08:00:00,成交\n"
)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    write(folder, **{"dealers.csv": DEALERS, "defeats.csv": DEFEATS, "leads.csv": LEADS})
    return folder


@pytest.fixture
def lake(workspace):
    return Lake(workspace.lake, workspace.key())


def write(folder, **files):
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, "utf-8")


def account(report, table):
    (found,) = [each for each in report.tables if each.table == table]
    return found


def figures(report, table):
    return {
        file.file: (file.rows, file.received, file.duplicate, file.unreadable, file.quarantined)
        for file in account(report, table).files
    }


def manifests(lake):
    return {path: path.read_bytes() for path in lake.root.rglob("manifest.json")}


def sayable(*told):
    for each in told:
        for locale in LOCALES:
            assert each.text(locale)
    return [each.key for each in told]


def test_a_folder_in_the_contract_needs_no_mapping(workspace, source, lake):
    report = ingest(workspace, source)
    assert figures(report, "leads") == {"leads.csv": (3, 3, 0, 0, 0)}
    assert account(report, "leads").months == ("2026-01", "2026-02")
    assert report.errors == ()
    assert set(sayable(*report.notices)) == {"ingest.optional_table"}
    leads = lake.read("received", "leads", personal=True)
    assert leads["phone"].tolist() == ["+8613812345671", "+8613812345672", "+8613812345673"]
    assert leads["status"].tolist() == ["open", "defeated", "won"]
    assert received_problems(lake).empty


def test_every_bad_row_is_kept_or_named_and_the_sums_hold(workspace, source, lake):
    bad = (
        "L4,D1,1381234,星途,2026-01-03,open\n"  # malformed phone
        "L5,D1,13812345675,星途,昨天,open\n"  # required date
        "L6,D2,13812345676,星途,2026-01-03,defeatd\n"  # unknown status
        "L1,D1,13812345671,星途,2026-01-03,open\n"  # exact repetition
        "L7,D1,13812345677,星途,2026-01-03,open\n"
        "L7,D2,13812345677,星途,2026-01-03,open\n"  # the same id otherwise
        "L8,D2\n"  # ragged
    )
    write(source, **{"leads.csv": LEADS + bad})
    report = ingest(workspace, source)
    assert figures(report, "leads") == {"leads.csv": (10, 8, 1, 1, 6)}
    problems = received_problems(lake)
    assert sorted(zip(problems["row_number"], problems["rule"], problems["row_key"].fillna(""), strict=True)) == [
        (4, "malformed_phone", "L4"),
        (5, "bad_date", "L5"),
        (6, "unknown_word", "L6"),
        (7, "exact_duplicate", "L1"),
        (8, "ambiguous_id", "L7"),
        (9, "ambiguous_id", "L7"),
        (10, "ragged_row", ""),
    ]
    assert json.loads(problems.loc[problems["rule"] == "unknown_word", "params"].iloc[0])["candidates"] == "defeated"
    leads = lake.read("received", "leads")
    assert leads["lead_id"][usable(leads, problems, "leads")].tolist() == ["L1", "L2", "L3"]
    counts = received_counts(lake)
    leads_counts = counts[counts["table"] == "leads"].set_index("dealer_id")
    assert leads_counts["rows"].to_dict() == {"D1": 6, "D2": 3, "_unassigned": 1}
    assert leads_counts["unreadable"].to_dict() == {"D1": 0, "D2": 0, "_unassigned": 1}


def test_the_same_files_again_change_nothing(workspace, source, lake):
    ingest(workspace, source)
    before = manifests(lake)
    report = ingest(workspace, source)
    assert manifests(lake) == before
    assert [table.months for table in report.tables] == [(), (), ()]
    assert sayable(*report.notices).count("ingest.nothing_new") == 3
    assert figures(report, "leads") == {"leads.csv": (3, 3, 0, 0, 0)}


def test_a_corrected_file_replaces_what_came_from_it(workspace, source, lake):
    ingest(workspace, source)
    write(source, **{"leads.csv": LEADS.replace("星途", "锐行", 1).replace("L3,D2", "L9,D2")})
    report = ingest(workspace, source)
    assert account(report, "leads").months == ("2026-01", "2026-02")
    assert lake.read("received", "leads")["lead_id"].tolist() == ["L1", "L2", "L9"]
    assert account(report, "dealers").months == ()


def test_a_correction_brings_a_row_back_and_takes_its_problem_away(workspace, source, lake):
    write(source, **{"leads.csv": LEADS + "L4,D1,1381234,星途,2026-01-03,open\n"})
    ingest(workspace, source)
    assert received_problems(lake)["rule"].tolist() == ["malformed_phone"]
    write(source, **{"leads_correction.csv": HEADER + "L4,D1,13812345674,星途,2026-01-03,open\n"})
    report = ingest(workspace, source)
    assert received_problems(lake).empty
    assert figures(report, "leads") == {"leads.csv": (4, 3, 1, 0, 0), "leads_correction.csv": (1, 1, 0, 0, 0)}


def test_deltas_build_on_files_no_longer_there(workspace, source, lake):
    write(source, **{"leads.csv": LEADS + "L1,D1,13812345671,星途,2026-01-03,open\nL8,D2\n"})
    ingest(workspace, source)
    (source / "leads.csv").unlink()
    write(
        source,
        **{
            "leads_2026-02.csv": HEADER
            + "L1,D1,13812345671,星途,2026-01-03,成交\nL4,D2,13812345674,海纳,2026-02-09,open\n"
        },
    )
    report = ingest(workspace, source)
    assert figures(report, "leads") == {"leads.csv": (5, 2, 2, 1, 1), "leads_2026-02.csv": (2, 2, 0, 0, 0)}
    leads = lake.read("received", "leads").set_index("lead_id")
    assert leads["status"].to_dict() == {"L1": "won", "L2": "defeated", "L3": "won", "L4": "open"}
    assert sorted(received_problems(lake)["rule"]) == ["exact_duplicate", "ragged_row"]
    again = ingest(workspace, source)
    assert figures(again, "leads") == figures(report, "leads")


def test_an_earlier_name_loaded_later_still_counts_as_newer(workspace, source, lake):
    (source / "leads.csv").rename(source / "leads_b.csv")
    ingest(workspace, source)
    (source / "leads_b.csv").unlink()
    write(source, **{"leads_a.csv": HEADER + "L1,D1,13812345671,星途,2026-01-03,成交\n"})
    ingest(workspace, source)
    assert lake.read("received", "leads").set_index("lead_id").loc["L1", "status"] == "won"


def test_a_broken_file_stops_only_itself_and_keeps_its_last_load(workspace, source, lake):
    write(source, **{"leads_2.csv": HEADER + "L4,D2,13812345674,海纳,2026-02-09,open\n"})
    ingest(workspace, source)
    (source / "leads_2.csv").write_bytes(b"")
    write(source, **{"leads.csv": LEADS.replace("open", "成交")})
    report = ingest(workspace, source)
    assert sayable(*report.errors) == ["ingest.empty_file"]
    assert "ingest.kept" in sayable(*report.notices)
    leads = lake.read("received", "leads").set_index("lead_id")
    assert leads.loc["L1", "status"] == "won"
    assert leads.loc["L4", "status"] == "open"
    assert sayable(*ingest(workspace, source).errors) == ["ingest.empty_file"]  # told until it is mended


def test_a_required_table_without_any_readable_file_is_an_error(workspace, source, lake):
    (source / "leads.csv").write_bytes(b"")
    with pytest.raises(SourceError) as caught:
        ingest(workspace, source)
    assert caught.value.key == "ingest.empty_file"
    assert not lake.has("received", "leads")


def test_a_missing_column_names_it_and_its_candidates(workspace, source):
    write(source, **{"leads.csv": LEADS.replace("phone", "phon")})
    with pytest.raises(SourceError) as caught:
        ingest(workspace, source)
    assert caught.value.params == {"file": "leads.csv", "column": "phone", "candidates": "phon"}


def test_a_missing_table_names_it_and_its_candidates(workspace, source):
    (source / "leads.csv").rename(source / "lead.csv")
    with pytest.raises(SourceError) as caught:
        ingest(workspace, source)
    assert caught.value.key == "ingest.missing_table"
    assert caught.value.params["candidates"] == "lead.csv"
    assert caught.value.text("en")


def test_unknown_files_and_columns_are_named_with_their_nearest(workspace, source):
    wide = "\n".join(
        line + (",colour,modell" if number == 0 else ",,") for number, line in enumerate(LEADS.splitlines())
    )
    write(source, **{"sale.csv": "x\n1\n", "leads.csv": wide})
    told = {notice.key: notice.params for notice in ingest(workspace, source).notices}
    assert told["ingest.unknown_file"] == {"file": "sale.csv", "candidate": "sales"}
    assert told["ingest.unknown_column"] == {"file": "leads.csv", "column": "modell", "candidate": "model"}


def test_files_of_one_table_in_many_forms(workspace, tmp_path, lake):
    folder = tmp_path / "forms"
    folder.mkdir()
    write(
        folder, **{"dealers.csv": DEALERS, "defeats.csv": DEFEATS, "leads/a.csv": LEADS, "service_visits_x.csv": "a\n"}
    )
    more = HEADER.replace(",", ";").upper() + "L4;D2;13812345674;海纳;2026-02-09;open\n"
    (folder / "leads-2.csv").write_bytes(more.encode("gb18030"))
    report = ingest(workspace, folder)
    assert {file.file for file in account(report, "leads").files} == {"leads/a.csv", "leads-2.csv"}
    assert len(lake.read("received", "leads")) == 4
    assert account(report, "service_visits").files[0].error.key == "ingest.missing_column"


def test_no_source(workspace, tmp_path):
    for root in (tmp_path / "nowhere", tmp_path / "workspace" / "rematch.toml"):
        with pytest.raises(SourceError):
            ingest(workspace, root)


def mapping(**changes):
    value = {
        "inputs": {"dms": {"files": ["线索*.csv"]}},
        "tables": {
            "dealers": {
                "from": "dms",
                "distinct": True,
                "fields": {"dealer_id": "门店", "name": "门店", "region_id": {"constant": "R1"}},
            },
            "leads": {
                "from": "dms",
                "fields": {
                    "lead_id": "编号",
                    "dealer_id": "门店",
                    "phone": {"absent": True, "because": "not exported"},
                    "series": "车系",
                    "created_at": {"column": "日期", "formats": ["%m/%d/%Y"]},
                    "status": "状态",
                },
            },
        },
    }
    return SourceMapping.model_validate(value | changes)


DMS = "编号,门店,车系,日期,状态\nL1,D1,星途,1/3/2026,战败\nL2,D2,远景,2/4/2026,跟进中\nL3\n"


def test_a_mapped_source(workspace, tmp_path, lake):
    (tmp_path / "dms").mkdir()
    (tmp_path / "dms" / "线索1.csv").write_bytes(DMS.encode("gb18030"))
    report = ingest(workspace, tmp_path / "dms", mapping())
    assert figures(report, "leads") == {"线索1.csv": (3, 2, 0, 1, 1)}
    assert lake.read("received", "leads")["created_at"].dt.strftime("%Y-%m-%d").tolist() == ["2026-01-03", "2026-02-04"]
    assert lake.read("received", "dealers")["dealer_id"].tolist() == ["D1", "D2"]
    assert absent_fields(lake)["leads"] == {"phone"}
    assert received_problems(lake)[["table", "rule", "row_number"]].values.tolist() == [["leads", "ragged_row", 3]]
    before = manifests(lake)
    assert sayable(*ingest(workspace, tmp_path / "dms", mapping()).notices) == ["ingest.nothing_new"] * 2
    assert manifests(lake) == before


def test_a_changed_mapping_reads_unchanged_files_again(workspace, tmp_path, lake):
    (tmp_path / "dms").mkdir()
    (tmp_path / "dms" / "线索1.csv").write_text(DMS, "utf-8")
    ingest(workspace, tmp_path / "dms", mapping())
    inputs = {"dms": {"files": ["线索*.csv"], "where": [{"column": "门店", "is": "D1"}]}}
    ingest(workspace, tmp_path / "dms", mapping(inputs=inputs))
    assert lake.read("received", "leads")["lead_id"].tolist() == ["L1"]


def test_a_mapping_that_does_not_fit_leaves_the_lake_alone(workspace, tmp_path, lake):
    (tmp_path / "dms").mkdir()
    (tmp_path / "dms" / "线索1.csv").write_text(DMS.replace("车系", "系列"), "utf-8")
    with pytest.raises(MappingError):
        ingest(workspace, tmp_path / "dms", mapping())
    (tmp_path / "dms" / "线索1.csv").write_bytes(b"")
    with pytest.raises(SourceError):
        ingest(workspace, tmp_path / "dms", mapping())
    assert not lake.has("received", "leads")


LOOP = """
import sys
from pathlib import Path
from models.workspace import Workspace
from tasks.ingest import ingest
home, source = map(Path, sys.argv[1:])
workspace = Workspace.open(home)
print("ready", flush=True)
lines = (source / "leads.csv").read_text("utf-8")
while True:
    for word in ("远景", "海纳", "锐行"):
        (source / "leads.csv").write_text(lines.replace("星途", word), "utf-8")
        ingest(workspace, source)
"""


def test_an_ingest_killed_anywhere_is_finished_by_the_next(workspace, source, lake, tmp_path):
    for pause in (0.1, 0.3, 0.7):
        command = [sys.executable, "-c", LOOP, str(workspace.home), str(source)]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        try:
            assert running.stdout.readline() == b"ready\n"
            time.sleep(pause)
        finally:
            running.kill()
            running.wait()
            running.stdout.close()
    write(source, **{"leads.csv": LEADS + "L4,D1,1381234,星途,2026-01-03,open\n"})
    report = ingest(workspace, source)
    assert figures(report, "leads") == {"leads.csv": (4, 4, 0, 0, 1)}
    undisturbed = Workspace.open(tmp_path / "undisturbed", secret_key=workspace.key().hex())
    undisturbed.create()
    ingest(undisturbed, source)
    other = Lake(undisturbed.lake, undisturbed.key())
    for table in ("dealers", "leads", "defeats"):
        assert lake.fingerprint("received", table) == other.fingerprint("received", table)
    pd.testing.assert_frame_equal(received_problems(lake), received_problems(other))
    pd.testing.assert_frame_equal(received_counts(lake), received_counts(other))
