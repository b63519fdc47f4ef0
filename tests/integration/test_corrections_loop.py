"""The correction loop end to end: every failing row in its dealer's workbook, and what comes back closes its rows."""

import io
import json
import stat

import pandas as pd
import pytest
from support.corrections import CYCLE, DEALERS, FILES, LEADS, checked, fill_in, lines, sheets, write

from models.catalogue.contract import contract
from models.errors import SourceError
from models.mapping import SourceMapping
from reports.correction_workbook import correction_workbook
from tasks.compute.folding import UNASSIGNED
from tasks.correction_books import CorrectionLists
from tasks.correction_tokens import ISSUED, history
from tasks.corrections import take_back
from tasks.ingest import ingest, received_counts
from tasks.lake import Lake
from tasks.quality_reports import dealer_folder, write_workbooks

EVERYBODY = ["D1", "D2", "D3", UNASSIGNED]
D1_EDITS = (
    ("leads", "lead_id", "L3", "ordered_at", "2025/3/20"),
    ("leads", "lead_id", "L2", "age", "40"),
    ("leads", "lead_id", "L2", "budget", None),
    ("defeats", "lead_id", "L2", "reason_code", "process_follow_up"),
)


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "in", **FILES)


@pytest.fixture
def job(workspace, source):
    job = checked(workspace, source)
    write_workbooks(job, EVERYBODY)
    return job


def book(job, dealer, locale="en"):
    return dealer_folder(job, dealer) / f"corrections.{locale}.xlsx"


def failing(job):
    found = job.results.read("problems")
    return {(p.table, p.row_key if isinstance(p.row_key, str) else "", p.rule) for p in found.itertuples()}


def accepted(workspace, table="leads"):
    lake = Lake(workspace.lake, workspace.key())
    return lake.read("accepted", table, personal=True)


def back(workspace, *files, dealer=""):
    return take_back(workspace, files, "user1", "en", dealer)


def test_the_workbook_lists_every_failing_row_with_its_rule(job):
    listed = {}
    for dealer in ("D1", "D2", UNASSIGNED):
        opened = sheets(book(job, dealer))
        for name in opened.sheetnames[1:]:
            if not name.startswith("_"):
                for line in lines(opened[name]):
                    listed[name, int(line["row"].value)] = line["wrong"].value
    problems = job.results.read("problems")
    assert set(listed) == set(zip(problems["table"], problems["row_number"], strict=True))
    assert "not between 16 and 100" in listed["leads", 2]
    assert "above zero" in listed["leads", 2], "both faults of a row stand in one line"
    assert "31-31-2025" in listed["leads", 9]
    assert not book(job, "D3").exists(), "nothing to correct, no file with customers' data"


def test_only_the_wrong_cells_can_be_changed(job):
    opened = sheets(book(job, "D1"))
    (line,) = [line for line in lines(opened["leads"]) if line["lead_id"].value == "L3"]
    free = {code for code, cell in line.items() if not cell.protection.locked}
    assert free == {"status", "ordered_at", "delivered_at", "defeated_at"}
    assert opened["leads"].protection.sheet


def test_the_file_is_for_its_owner_only_and_its_making_is_recorded(workspace, job):
    assert stat.S_IMODE(book(job, "D1").stat().st_mode) == 0o600
    issued = history(workspace, ISSUED)
    assert set(issued["dealer_id"]) == {"D1", "D2", UNASSIGNED}
    assert set(issued["cycle"]) == {CYCLE.name}


def test_phones_and_names_only_in_the_owners_workbook(workspace, job):
    def words(dealer):
        opened = sheets(book(job, dealer))
        return " ".join(str(cell.value) for sheet in opened for row in sheet.iter_rows() for cell in row)

    assert "13800000002" in words("D1")
    assert "13800000004" not in words(UNASSIGNED), "nobody owns that row"
    assert "赵六" not in words(UNASSIGNED)
    assert "13800000007" not in words("D1")
    fill_in(book(job, "D1"), workspace.home.parent / "filled.xlsx", *D1_EDITS)
    back(workspace, workspace.home.parent / "filled.xlsx")
    for file in workspace.home.rglob("*"):
        if file.is_file() and file.suffix != ".xlsx":
            content = file.read_bytes()
            assert b"13800000002" not in content, file.name
            assert "李四".encode() not in content, file.name


def test_text_that_looks_like_a_formula_stays_text(workspace, job, tmp_path):
    opened = sheets(book(job, "D1"))
    (line,) = [line for line in lines(opened["leads"]) if line["lead_id"].value == "L3"]
    assert line["series"].data_type == "s"
    assert line["series"].value == "=S1+1"
    assert line["series"].quotePrefix, "editing the cell must not wake it either"
    filled = fill_in(book(job, "D1"), tmp_path / "f.xlsx", D1_EDITS[0])
    (outcome,) = back(workspace, filled)
    assert (outcome.rows, outcome.refused) == (1, ())
    assert "=S1+1" in set(accepted(workspace)["series"])


@pytest.mark.parametrize("locale", ["zh_CN", "en"])
def test_a_returned_workbook_closes_its_rows(workspace, source, job, tmp_path, locale):
    opened = sheets(book(job, "D1", locale))
    names = {"leads": opened.sheetnames[1], "defeats": opened.sheetnames[2]}
    filled = fill_in(
        book(job, "D1", locale), tmp_path / "back.xlsx", *((names[edit[0]], *edit[1:]) for edit in D1_EDITS)
    )
    (outcome,) = back(workspace, filled)
    assert (outcome.rows, outcome.cells, outcome.known, outcome.wrong) == (3, 4, 0, ())
    leads = accepted(workspace).set_index("lead_id")
    assert leads.loc["L2", "age"] == 40
    assert str(leads.loc["L3", "ordered_at"]) == "2025-03-20 00:00:00"
    assert leads.loc["L3", "phone"] == "+8613800000003", "cells that were not touched stay"
    assert str(leads.loc["L3", "created_at"]) == "2025-03-03 10:20:30"
    again = checked(workspace, source, "v2")  # the source, unchanged
    before, after = failing(job), failing(again)
    closed = {("leads", "L3"), ("leads", "L2"), ("defeats", "L2"), ("defeats", "L3")}
    assert {key[:2] for key in before - after} == closed, "the held filing comes back with its lead"
    assert after < before


def test_corrections_outlast_another_reading_of_the_source(workspace, source, job, tmp_path):
    back(workspace, fill_in(book(job, "D1"), tmp_path / "back.xlsx", *D1_EDITS))
    head = LEADS.splitlines()[0]
    newer = "L10,D3,,13800000020,S1,2025-04-02,open,,,37,,C3,web"
    (source / "leads.csv").write_text(LEADS + newer + "\n", "utf-8")  # the old wrong rows come again, with a new one
    (source / "leads_old.csv").write_text(f"{head}\nL3,D1,,13800000003,S0,2025-03-03,open,,,31,,C1,web\n", "utf-8")
    ingest(workspace, source)
    job = checked(workspace, version="v2")
    assert not {key for key in failing(job) if key[1] in ("L2", "L3")}
    leads = accepted(workspace).set_index("lead_id")
    assert leads.loc["L2", "age"] == 40
    assert leads.index.is_unique
    assert leads.loc["L3", "series"] == "S0", "a file of other content is newer than the correction"


def test_what_the_source_changed_itself_is_newer_than_the_correction(workspace, source, job, tmp_path):
    back(workspace, fill_in(book(job, "D1"), tmp_path / "back.xlsx", *D1_EDITS))
    (source / "leads.csv").write_text(LEADS.replace(",300,-5,", ",41,90000,"), "utf-8")
    ingest(workspace, source)
    checked(workspace, version="v2")
    assert accepted(workspace).set_index("lead_id").loc["L2", "age"] == 41


def test_a_partial_correction_leaves_the_rest_listed(workspace, job, tmp_path):
    (outcome,) = back(workspace, fill_in(book(job, "D1"), tmp_path / "back.xlsx", D1_EDITS[1]))
    assert (outcome.rows, outcome.cells) == (1, 1)
    assert [wrong.row_key for wrong in outcome.wrong] == ["L2"], "its budget is still wrong"
    rest = failing(checked(workspace, version="v2"))
    assert ("leads", "L2", "non_positive_price") in rest
    assert ("leads", "L2", "age_out_of_range") not in rest
    assert ("leads", "L3", "status_against_times") in rest


def test_the_same_workbook_can_be_corrected_further(workspace, source, job, tmp_path):
    back(workspace, fill_in(book(job, "D1"), tmp_path / "a.xlsx", D1_EDITS[1]))
    (outcome,) = back(workspace, fill_in(tmp_path / "a.xlsx", tmp_path / "b.xlsx", D1_EDITS[2]))
    assert (outcome.rows, outcome.refused, outcome.wrong) == (1, (), ())
    (source / "leads.csv").write_text(LEADS + "\n", "utf-8")
    ingest(workspace, source)
    assert not {key for key in failing(checked(workspace, version="v2")) if key[:2] == ("leads", "L2")}


def test_the_same_workbook_twice_changes_nothing(workspace, job, tmp_path):
    filled = fill_in(book(job, "D1"), tmp_path / "back.xlsx", *D1_EDITS)
    back(workspace, filled)
    lake = Lake(workspace.lake, workspace.key())
    marks = [lake.fingerprint(layer, "leads") for layer in ("received", "accepted")]
    counts = received_counts(lake)
    (outcome,) = back(workspace, filled)
    assert (outcome.rows, outcome.cells, outcome.known) == (0, 0, 3)
    assert marks == [lake.fingerprint(layer, "leads") for layer in ("received", "accepted")]
    assert received_counts(lake).equals(counts)
    assert len(history(workspace)) == 1


def test_of_contradicting_rows_one_is_kept_or_gets_its_own_id(workspace, source, job, tmp_path):
    def of_l7(filled, *, row, column, value):
        opened = sheets(filled)
        (line,) = [line for line in lines(opened["leads"]) if line["row"].value == row]
        line[column].value = value
        opened.save(tmp_path / "kept.xlsx")
        return tmp_path / "kept.xlsx"

    (outcome,) = back(workspace, of_l7(book(job, "D2"), row="7", column="_keep", value="yes"))
    assert (outcome.rows, outcome.wrong) == (1, ())
    (source / "leads.csv").write_text(LEADS + "\n", "utf-8")
    ingest(workspace, source)
    checked(workspace, version="v2")
    assert accepted(workspace).set_index("lead_id").loc["L7", "series"] == "S2"
    (again,) = back(workspace, of_l7(book(job, "D2"), row="7", column="_keep", value="yes"))
    assert (again.rows, again.known) == (0, 1)


def test_a_row_may_get_the_id_it_lacked(workspace, source, job, tmp_path):
    edits = (("leads", "row", "8", "lead_id", "L88"), ("leads", "row", "7", "lead_id", "L77"))
    edits += (("leads", "row", "5", "phone", "13800000005"), ("leads", "row", "9", "created_at", "2025-03-31"))
    (outcome,) = back(workspace, fill_in(book(job, "D2"), tmp_path / "back.xlsx", *edits))
    assert (outcome.rows, outcome.wrong) == (4, ())
    (source / "leads.csv").write_text(LEADS + "\n", "utf-8")
    ingest(workspace, source)
    rest = checked(workspace, version="v2")
    known = {("L4", "unknown_dealer"), ("L7", "same_customer_again")}  # two ids, one phone: said, not set apart
    rules = {key[1:] for key in failing(rest) if key[0] == "leads" and key[1] not in ("L2", "L3")}
    assert rules == known
    kept = accepted(workspace).set_index("lead_id")
    assert {"L88", "L77", "L7", "L5", "L8"} <= set(kept.index)
    assert kept.loc["L5", "phone"] == "+8613800000005"


def test_an_edited_id_is_refused_and_the_other_rows_go_on(workspace, job, tmp_path):
    filled = fill_in(book(job, "D1"), tmp_path / "b.xlsx", *D1_EDITS, ("leads", "lead_id", "L2", "lead_id", "L999"))
    (outcome,) = back(workspace, filled)
    assert outcome.rows == 2
    (refusal,) = outcome.refused
    said = refusal.text("en")
    assert all(part in said for part in ("b.xlsx", '"leads"', "row 5", "lead id", "yellow")), said
    assert "线索编号" in refusal.text("zh_CN")
    assert "L999" not in set(accepted(workspace)["lead_id"])


def test_rows_of_another_dealer_are_refused(workspace, job, tmp_path):
    foreign = lines(sheets(book(job, "D2"))["leads"])[0]
    opened = sheets(book(job, "D1"))
    mine = lines(opened["leads"])[0]
    mine["_token"].value = foreign["_token"].value
    opened.save(tmp_path / "mixed.xlsx")
    (outcome,) = back(workspace, tmp_path / "mixed.xlsx")
    assert outcome.rows == 0
    assert "another dealer" in outcome.refused[0].text("en")
    (whole,) = back(workspace, book(job, "D2"), dealer="D1")
    assert whole.error.key == "corrections.other_dealer"


def test_a_forged_mark_is_refused(workspace, job, tmp_path):
    opened = sheets(book(job, "D1"))
    line = lines(opened["leads"])[0]
    line["_token"].value = line["_token"].value[:-1] + "x"
    opened.save(tmp_path / "forged.xlsx")
    (outcome,) = back(workspace, tmp_path / "forged.xlsx")
    assert "hidden mark" in outcome.refused[0].text("en")


@pytest.mark.parametrize(
    ("row", "content", "key"),
    [(1, "rematch-corrections/0", "corrections.version"), (2, "e30=.00", "corrections.not_ours")],
)
def test_unknown_identity_is_refused(workspace, job, tmp_path, row, content, key):
    opened = sheets(book(job, "D1"))
    opened["_rematch"].cell(row, 1).value = content
    opened.save(tmp_path / "other.xlsx")
    (outcome,) = back(workspace, tmp_path / "other.xlsx")
    assert outcome.error.key == key
    assert "other.xlsx" in outcome.error.text("zh_CN")


def test_any_other_file_is_refused_and_the_next_one_taken(workspace, job, tmp_path):
    plain = tmp_path / "plain.xlsx"
    opened = sheets(book(job, "D1"))
    del opened["_rematch"]
    opened.save(plain)
    filled = fill_in(book(job, "D1"), tmp_path / "back.xlsx", *D1_EDITS)
    found = back(workspace, tmp_path / "none.xlsx", plain, filled)
    assert [each.error and each.error.key for each in found] == ["corrections.no_file", "corrections.no_workbook", None]
    assert isinstance(found[0].error, SourceError)
    assert found[2].rows == 3


def test_a_row_changed_since_is_told(workspace, source, job, tmp_path):
    (source / "leads.csv").write_text(LEADS.replace(",300,-5,", ",301,-5,"), "utf-8")
    ingest(workspace, source)
    (outcome,) = back(workspace, fill_in(book(job, "D1"), tmp_path / "back.xlsx", D1_EDITS[1]))
    assert outcome.rows == 0
    assert "changed since" in outcome.refused[0].text("en")


def test_history_says_who_corrected_when_and_how_many(workspace, job, tmp_path):
    back(workspace, fill_in(book(job, "D1"), tmp_path / "back.xlsx", *D1_EDITS[:2]))
    (event,) = history(workspace, dealer_id="D1").to_dict("records")
    assert event["at"].startswith("20")
    del event["at"]
    assert event == {
        **{"kind": "received", "dealer_id": "D1", "cycle": CYCLE.name, "actor": "user1", "file": "corrections/D1/1"},
        **{"rows": 2, "cells": 2, "refused": 0, "wrong": 1},
    }


def test_rows_are_still_all_accounted_for(workspace, source, job, tmp_path):
    back(workspace, fill_in(book(job, "D1"), tmp_path / "back.xlsx", *D1_EDITS))
    ingest(workspace, source)
    counts = (
        received_counts(Lake(workspace.lake, workspace.key()))
        .groupby(["table", "source_file"])[["rows", "received", "replaced"]]
        .sum()
    )
    assert counts.loc[("leads", "leads.csv")].tolist() == [10, 8, 2]
    assert counts.loc[("leads", "corrections/D1/1")].tolist() == [2, 2, 0]
    assert counts.loc[("defeats", "corrections/D1/1")].tolist() == [1, 1, 0]


def test_records_hold_nothing_personal(workspace, job, tmp_path):
    back(workspace, fill_in(book(job, "D1"), tmp_path / "back.xlsx", *D1_EDITS))
    for file in (workspace.home / "corrections").rglob("*.json"):
        assert set(json.loads(file.read_text("utf-8"))) <= {
            *("at", "kind", "dealer_id", "cycle", "actor", "file", "rows", "cells", "refused", "wrong"),
        }


def test_parquet_rows_are_corrected_and_stay_so(workspace, tmp_path):
    folder = tmp_path / "parquet"
    folder.mkdir()
    for name, content in FILES.items():
        pd.read_csv(io.StringIO(content), dtype="str").to_parquet(folder / f"{name}.parquet")
    job = checked(workspace, folder)
    write_workbooks(job, EVERYBODY)
    before = failing(job)
    (outcome,) = back(workspace, fill_in(book(job, "D1"), tmp_path / "back.xlsx", *D1_EDITS))
    assert (outcome.rows, outcome.cells, outcome.wrong) == (3, 4, ())
    (folder / "dealers.parquet").touch()
    leads = pd.read_parquet(folder / "leads.parquet")
    pd.concat([leads, leads.tail(1).assign(lead_id="L10", phone="13800000020")]).to_parquet(folder / "leads.parquet")
    ingest(workspace, folder)  # the wrong rows come again
    after = failing(checked(workspace, version="v2"))
    assert {key for key in before if key[1] in ("L2", "L3")} - after
    assert not {key for key in after if key[1] in ("L2", "L3")}
    assert accepted(workspace).set_index("lead_id").loc["L2", "age"] == 40


DMS_NAMES = {"lead_id": "线索号", "dealer_id": "门店", "customer_name": "姓名", "phone": "电话", "age": "岁数"}
DMS = SourceMapping.model_validate(
    {
        "inputs": {name: {"files": [f"{name}.csv"]} for name in FILES},
        "tables": {
            name: {
                "from": name,
                "fields": {
                    field: DMS_NAMES.get(field, field) if name == "leads" else field
                    for field in content.splitlines()[0].split(",")
                },
            }
            for name, content in FILES.items()
        },
    }
)


@pytest.mark.parametrize("locale", ["zh_CN", "en"])
def test_a_mapped_source_is_corrected_under_both_names(workspace, tmp_path, locale):
    head, rest = LEADS.split("\n", 1)
    renamed = ",".join(DMS_NAMES.get(name, name) for name in head.split(","))
    folder = write(tmp_path / "dms", **FILES | {"leads": f"{renamed}\n{rest}"})
    ingest(workspace, folder, DMS)
    job = checked(workspace)
    write_workbooks(job, EVERYBODY)
    opened = sheets(book(job, "D1", locale))
    leads = opened.worksheets[1]
    names = dict(zip((cell.value for cell in leads[2]), (cell.value for cell in leads[3]), strict=True))
    labels = contract().tables["leads"].fields
    assert names["age"].startswith(labels["age"].label.text(locale)), "as everybody calls it"
    assert "岁数" in names["age"], "and as this source does"
    edits = [(leads.title if edit[0] == "leads" else opened.worksheets[2].title, *edit[1:]) for edit in D1_EDITS]
    (outcome,) = back(workspace, fill_in(book(job, "D1", locale), tmp_path / "back.xlsx", *edits))
    assert (outcome.rows, outcome.cells, outcome.wrong) == (3, 4, ())
    (folder / "leads.csv").write_text(f"{renamed}\n{rest}\n", "utf-8")
    ingest(workspace, folder, DMS)
    again = checked(workspace, version="v2")
    assert not {key for key in failing(again) if key[1] in ("L2", "L3")}
    assert accepted(workspace).set_index("lead_id").loc["L2", "age"] == 40


def test_more_rows_than_a_workbook_takes_are_said_and_follow(workspace, source, job, tmp_path):
    (small,) = [made for dealer, made in CorrectionLists(job, ["D1"]).books("en", most=1) if dealer == "D1"]
    whole = next(made for _, made in CorrectionLists(job, ["D1"]).books("en"))
    assert (small.listed, small.total, whole.listed, whole.total) == (1, 4, 4, 4)
    (row,) = [row for table in small.tables for row in table.rows]
    assert row.state == "set apart", "what is not counted at all comes first"
    path = tmp_path / "small.xlsx"
    path.write_bytes(correction_workbook(small))
    first = sheets(path).worksheets[0]
    told = " ".join(str(cell.value) for line in first.iter_rows() for cell in line if cell.value)
    assert "4 rows fail; only the 1 most urgent are listed here" in told
    (outcome,) = back(workspace, fill_in(path, tmp_path / "back.xlsx", D1_EDITS[0]))
    assert (outcome.rows, outcome.wrong) == (1, ())
    rest = next(made for _, made in CorrectionLists(checked(workspace, version="v2"), ["D1"]).books("en", most=1))
    assert rest.total < small.total
    assert {row.file for table in rest.tables for row in table.rows}, "the next one is listed now"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r="])
def test_no_text_of_a_source_becomes_a_formula(workspace, tmp_path, start):
    word = f"{start}cmd|'/C calc'!A0"
    frame = pd.read_csv(io.StringIO(LEADS), dtype="str")
    frame["customer_name"], frame["series"] = word, word
    folder = write(tmp_path / "in", dealers=DEALERS, defeats=FILES["defeats"])
    frame.to_parquet(folder / "leads.parquet")
    job = checked(workspace, folder)
    write_workbooks(job, EVERYBODY)
    seen = 0
    for dealer in ("D1", "D2", UNASSIGNED):
        for sheet in sheets(book(job, dealer)):
            for cell in (cell for row in sheet.iter_rows() for cell in row if cell.value is not None):
                assert cell.data_type != "f", (sheet.title, cell.coordinate)
                assert cell.hyperlink is None
                if str(cell.value).startswith(("=", "+", "-", "@", "\t", "\r")):
                    assert cell.quotePrefix, (sheet.title, cell.coordinate)
                    seen += 1
    assert seen or not word.strip().startswith(start), "the text stands there, unless typing trimmed it"
