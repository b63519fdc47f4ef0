"""Exports as dealers really send them: titles, sums, merged cells, hidden sheets, web pages called .xls."""

import openpyxl
import pytest

from models.mapping import FileSpec
from tasks.reading import read_files

HEADER = ["线索编号", "门店代码", "客户电话", "车系", "创建时间", "状态"]
ROWS = [
    ["L1", "D1", "13800000001", "S1", "2026年1月3日", "战败"],
    ["L2", "D1", "13800000002", "S1", "2026年1月4日", "成交"],
    ["L3", "D2", "13800000003", "S2", "2026年1月5日", "跟进中"],
]


def lines(*rows, by=","):
    return "".join(by.join(row) + "\r\n" for row in rows)


TABLE = lines(HEADER, *ROWS)
PAGE = "".join("<tr>" + "".join(f"<td x:str>{cell}</td>" for cell in row) + "</tr>\n" for row in [HEADER, *ROWS])


def read(folder, file, content=b"", **spec):
    if content:
        (folder / file).write_bytes(content)
    raw = read_files(folder, FileSpec(files=file, **spec))
    [outcome] = raw.files
    assert outcome.error is None, outcome.error.text("en")
    assert raw.problems.empty
    assert all(notice.text("zh_CN") and notice.text("en") for notice in outcome.notices)
    return raw.frame, {notice.key: notice.params for notice in outcome.notices}


def table(frame):
    return [list(frame.columns[: len(HEADER)]), *frame[HEADER].to_numpy(dtype=object).tolist()]


@pytest.mark.parametrize(
    ("file", "text", "encoding"),
    [
        ("byte order mark.csv", "\ufeff" + TABLE, "gb18030"),
        ("delimiter line.csv", "sep=;\r\n" + lines(HEADER, *ROWS, by=";"), "utf-8"),
        ("quoted delimiter line.csv", '"sep=|"\r\n' + lines(HEADER, *ROWS, by="|"), "utf-8"),
        ("tabs.xls", lines(HEADER, *ROWS, by="\t"), "gb18030"),
        ("tabs in unicode.xls", lines(HEADER, *ROWS, by="\t"), "utf-16"),
        ("commas.xlsx", TABLE, "utf-8"),
        ("formula texts.csv", lines(HEADER, *([f'="{cell}"' for cell in row] for row in ROWS)), "utf-8"),
        ("quoted formula texts.csv", lines(HEADER, *([f'"=""{cell}"""' for cell in row] for row in ROWS)), "gbk"),
        ("surplus commas.csv", lines(HEADER, *([*row, "", ""] for row in ROWS)), "utf-8"),
        ("page.xls", f"<html><meta charset='gb2312'><body>查询结果<table>{PAGE}</table></body></html>", "gb18030"),
        ("bare table.xls", f"<table border=1>{PAGE.replace('</td>', '')}</table>", "utf-8-sig"),
        ("layout.xls", f"<html><table><tr><td>导出<table>{PAGE}</table></td></tr></table></html>", "utf-8"),
    ],
)
def test_forms_of_the_same_table(tmp_path, file, text, encoding):
    frame, _ = read(tmp_path, file, text.encode(encoding))
    assert table(frame) == [HEADER, *ROWS]
    assert frame["_row"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("above", "row"),
    [
        (["战败客户明细表"], 2),
        (["战败客户明细表,,,,,", "导出时间：2026-02-01,,,,,"], 3),
        (["战败客户明细表", "", "门店：,D1"], 4),
        (["客户信息,,,车辆,,"], 2),
    ],
)
def test_the_header_is_found_below_a_title_and_that_is_told(tmp_path, above, row):
    frame, told = read(tmp_path, "a.csv", ("\r\n".join(above) + "\r\n" + TABLE).encode("gb18030"))
    assert table(frame) == [HEADER, *ROWS]
    assert told["ingest.title_rows"]["row"] == row


@pytest.mark.parametrize(
    "content",
    [
        "编号,,\n1,2,3\n4,5,6\n",  # the row below holds values, it names nothing
        "编号,,\n2026-01-03,13800000001,12.5%\n",
        "编号,,\n王,李,王\n",  # no two columns are named alike
        "编号\n王\n李\n",
    ],
)
def test_a_poor_header_is_not_replaced_by_a_row_of_values(tmp_path, content):
    frame, told = read(tmp_path, "a.csv", content.encode())
    assert frame.columns[0] == "编号"
    assert len(frame) == content.count("\n") - 1
    assert "ingest.title_rows" not in told


def test_a_title_is_not_made_up_to_explain_a_wrong_delimiter(tmp_path):
    frame, told = read(tmp_path, "a.csv", '编号;客户姓名;备注\n"";"";",;,0"\n"";"";",,"\n'.encode())
    assert list(frame.columns[:3]) == ["编号", "客户姓名", "备注"]
    assert told == {}


def test_a_header_row_that_is_named_is_taken_at_its_word(tmp_path):
    frame, told = read(
        tmp_path, "a.csv", ("甲,,\r\n" + lines(["一", "二", "三"], ["x", "y", "z"])).encode(), header_row=1
    )
    assert frame["甲"].tolist() == ["一", "x"]
    assert told == {}


@pytest.mark.parametrize("label", ["合计", " 合 计：", "总计", "小计", "TOTAL", "Grand Total"])
def test_rows_of_sums_are_no_data_and_told(tmp_path, label):
    frame, told = read(tmp_path, "a.csv", lines(HEADER, *ROWS, [label, "3", "", "", "", ""], ROWS[0]).encode())
    assert frame["_row"].tolist() == [1, 2, 3, 5]
    assert (told["ingest.total_rows"]["count"], told["ingest.total_rows"]["rows"]) == (1, "4")


def test_a_full_row_is_data_whatever_it_is_called(tmp_path):
    frame, told = read(tmp_path, "a.csv", lines(HEADER, ["合计", *ROWS[0][1:]], ["L9", "汇总", *ROWS[0][2:]]).encode())
    assert frame["线索编号"].tolist() == ["合计", "L9"]
    assert told == {}


def test_column_names_repeated_between_the_rows_are_no_data(tmp_path):
    frame, told = read(tmp_path, "a.csv", lines(HEADER, ROWS[0], HEADER, ROWS[1]).encode())
    assert frame["线索编号"].tolist() == ["L1", "L2"]
    assert told["ingest.repeated_header"]["rows"] == "2"


def workbook(folder, fill):
    book = openpyxl.Workbook()
    fill(book, book.active)
    book.save(folder / "a.xlsx")


def fill(sheet, *rows):
    for row in rows:
        sheet.append(row)


def test_a_workbook_with_title_sums_and_merged_cells(tmp_path):
    def made(book, sheet):
        fill(sheet, ["2026年1月战败客户明细"], [], HEADER, *ROWS, ["合计", 3])
        sheet.merge_cells("A1:F1")
        sheet.merge_cells("B4:B5")  # the dealer of the first two rows
        sheet.merge_cells("B7:F7")

    workbook(tmp_path, made)
    frame, told = read(tmp_path, "a.xlsx")
    assert table(frame) == [HEADER, *ROWS]
    assert told["ingest.title_rows"]["row"] == 3
    assert told["ingest.merged_cells"]["count"] == 1
    assert told["ingest.total_rows"]["count"] == 1


@pytest.mark.parametrize("state", ["hidden", "veryHidden", "visible"])
def test_the_first_visible_sheet_with_a_table_is_read(tmp_path, state):
    def made(book, sheet):
        sheet.title = "说明"
        fill(sheet, ["请勿修改表头"], *([["代码", "名称"]] if state != "visible" else []))
        sheet.sheet_state = state
        fill(book.create_sheet("数据"), HEADER, *ROWS)
        fill(book.create_sheet("其他"), HEADER)
        book.active = 1

    workbook(tmp_path, made)
    frame, told = read(tmp_path, "a.xlsx")
    assert table(frame) == [HEADER, *ROWS]
    assert (told["ingest.first_sheet"]["sheet"], told["ingest.first_sheet"]["others"]) == ("数据", "说明, 其他")


def test_failed_formulas_and_written_nulls_are_no_values(tmp_path):
    def made(book, sheet):
        fill(sheet, ["a", "b", "c"], ["1", "#N/A", "NULL"], ["2", "#REF!", "\\N"])

    workbook(tmp_path, made)
    frame, _ = read(tmp_path, "a.xlsx")
    assert frame[["b", "c"]].isna().all(axis=None)


def test_cells_over_several_rows_of_a_page_count_for_each(tmp_path):
    page = "<table><tr><th>门店<th>线索<th>状态<tr><td rowspan=2>D1<td>L1<td>战败<tr><td>L2<td>成&nbsp;交<br></table>"
    frame, told = read(tmp_path, "a.xls", page.encode())
    assert frame["门店"].tolist() == ["D1", "D1"]
    assert frame["线索"].tolist() == ["L1", "L2"]
    assert told["ingest.merged_cells"]["count"] == 1


@pytest.mark.parametrize(
    "content", [b"<html><body>Session expired</body></html>", b"<?xml version='1.0'?><Workbook/>", b"<table></table>"]
)
def test_pages_without_a_table_are_an_error_a_user_can_mend(tmp_path, content):
    (tmp_path / "a.xls").write_bytes(content)
    [outcome] = read_files(tmp_path, FileSpec(files="a.xls")).files
    assert outcome.error.key == "ingest.not_a_table"
