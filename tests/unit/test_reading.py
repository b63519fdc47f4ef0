"""Reading files as they come: encodings, delimiters, ragged rows, workbooks, and every kind of broken file."""

import datetime
import io
import sqlite3
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import SourceError
from models.mapping import FileSpec
from models.messages import LOCALES
from tasks.reading import find_files, read_files

TABLE = "姓名,电话,备注\n张三,13812345678,\n李四,,看过两次\n王五,13912345678,价格\n"
ROWS = [["张三", "13812345678", None], ["李四", None, "看过两次"], ["王五", "13912345678", "价格"]]


def read(folder, name, content, **spec):
    (folder / name).write_bytes(content)
    return read_files(folder, FileSpec(files=[name], **spec), "leads")


def rows(raw):
    cells = raw.frame.drop(columns=["_file", "_row"])
    return [[None if cell != cell else cell for cell in row] for row in cells.to_numpy(dtype=object)]


def failure(raw):
    """The error of the one file, checked to be sayable in both languages without a traceback."""
    (outcome,) = raw.files
    assert raw.frame.empty
    for locale in LOCALES:
        assert outcome.file in outcome.error.text(locale)
    return outcome.error.key, outcome.error.params


def notice_keys(raw):
    return [notice.key for outcome in raw.files for notice in outcome.notices if notice.text("en") and notice.text()]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_the_encoding_is_detected(tmp_path, encoding):
    raw = read(tmp_path, "a.csv", TABLE.encode(encoding))
    assert list(raw.frame)[:3] == ["姓名", "电话", "备注"]
    assert rows(raw) == ROWS
    assert notice_keys(raw) == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected(tmp_path, delimiter):
    assert rows(read(tmp_path, "a.csv", TABLE.replace(",", delimiter).encode())) == ROWS


def test_decimal_commas_do_not_pass_for_the_delimiter(tmp_path):
    raw = read(tmp_path, "a.csv", b"id;price;x\n1;2,5;3,5\n2;1,25;4,5\n")
    assert rows(raw) == [["1", "2,5", "3,5"], ["2", "1,25", "4,5"]]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_all_line_ends(tmp_path, line_end):
    assert rows(read(tmp_path, "a.csv", TABLE.replace("\n", line_end).encode())) == ROWS


def test_rows_know_their_file_and_number(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.csv").write_text("x\n3\n")
    (tmp_path / "a.csv").write_text("x\n1\n2\n")
    raw = read_files(tmp_path, FileSpec(files=["sub/*.csv", "*.csv"]))
    assert raw.frame[["x", "_file", "_row"]].values.tolist() == [
        ["1", "a.csv", 1],
        ["2", "a.csv", 2],
        ["3", "sub/b.csv", 1],
    ]
    assert [outcome.rows for outcome in raw.files] == [2, 1]


def test_quoted_cells_hold_line_breaks_delimiters_and_quotes(tmp_path):
    raw = read(tmp_path, "a.csv", b'a,b\n"x\ny, z","he said ""no"""\n2,5" screen\n')
    assert rows(raw) == [["x\ny, z", 'he said "no"'], ["2", '5" screen']]


def test_ragged_rows_are_problems_with_their_number_and_every_row_counts(tmp_path):
    raw = read(tmp_path, "a.csv", b'a,b\n1,2\n"q\nq",4\n\n5\n6,7,8\n9,10\n')
    assert raw.frame["_row"].tolist() == [1, 2, 5]
    assert raw.problems[["table", "source_file", "row_number", "rule", "severity", "params"]].values.tolist() == [
        ["leads", "a.csv", 3, "ragged_row", "quarantine", '{"expected": 2, "found": 1}'],
        ["leads", "a.csv", 4, "ragged_row", "quarantine", '{"expected": 2, "found": 3}'],
    ]
    assert (raw.files[0].rows, raw.files[0].unreadable) == (5, 2)


def test_ragged_rows_keep_their_number_far_into_a_file(tmp_path):
    lines = [f"{number},{'x' * 90}" for number in range(1, 120_001)]
    lines[99_999] = "short"
    raw = read(tmp_path, "a.csv", ("a,b\n" + "\n".join(lines)).encode())
    assert raw.problems["row_number"].tolist() == [100_000]
    assert (raw.frame["a"].astype(int) == raw.frame["_row"]).all()
    assert len(raw.frame) == 119_999


def test_rows_without_any_value_are_no_data_rows(tmp_path):
    raw = read(tmp_path, "a.csv", b"a,b\n1,2\n,\n  \n\n3,\n")
    assert rows(raw) == [["1", "2"], ["3", None]]
    assert raw.files[0].rows == 2


def test_header_names_are_trimmed_and_made_unique(tmp_path):
    raw = read(tmp_path, "a.csv", "\ufeff 电话 ,电话,电话.2,,\u3000车 系\n1,2,3,4,5\n".encode())
    assert list(raw.frame)[:5] == ["电话", "电话.3", "电话.2", "column_4", "车 系"]
    assert notice_keys(raw) == ["ingest.repeated_column", "ingest.trimmed_column"]


def test_a_header_further_down(tmp_path):
    raw = read(tmp_path, "a.csv", "销售日报\n\na,b\n1,2\n3\n".encode(), header_row=3)
    assert rows(raw) == [["1", "2"]]
    assert raw.problems["row_number"].tolist() == [2]


def test_texts_that_mean_no_value(tmp_path):
    assert rows(read(tmp_path, "a.csv", b"a,b\nNA,nil\nNAN,-\n", na=["NA", "-"])) == [[None, "nil"], ["NAN", None]]
    assert rows(read(tmp_path, "b.csv", b"a,b\n1,NULL\n#N/A,2\n\\N,NA\n")) == [["1", None], [None, "2"], [None, "NA"]]


@pytest.mark.parametrize("content", [b"a,b", b"a,b\r\n", "\ufeffa,b\n".encode()])
def test_a_header_without_rows_is_an_empty_table(tmp_path, content):
    raw = read(tmp_path, "a.csv", content)
    assert list(raw.frame) == ["a", "b", "_row", "_file"]
    assert raw.files[0].error is None
    assert raw.files[0].rows == 0


def test_ten_megabytes_in_one_cell(tmp_path):
    raw = read(tmp_path, "a.csv", b"a,b\n1," + b"x" * 10_000_000 + b"\n2\n3,y\n")
    assert raw.frame["b"].str.len().tolist() == [10_000_000, 1]
    assert raw.problems["row_number"].tolist() == [2]


def test_zero_bytes_are_taken_out_and_told(tmp_path):
    raw = read(tmp_path, "a.csv", b"a,b\n1,2\x00\n" + b"3,4\n" * 100)
    assert rows(raw)[0] == ["1", "2"]
    assert notice_keys(raw) == ["ingest.zero_bytes"]


def test_western_encodings_are_guessed_and_told(tmp_path):
    raw = read(tmp_path, "a.csv", "name,city\nMüller,Köln\nGröße,Füssen\n".encode("latin-1"))
    assert rows(raw) == [["Müller", "Köln"], ["Größe", "Füssen"]]
    assert notice_keys(raw) == ["ingest.guessed_encoding"]


def test_a_damaged_utf8_file_is_no_other_encoding(tmp_path):
    content = "姓名,备注\n".encode() + "张三,看过两次\n".encode() * 30 + b"\xff\xfe,x\n"
    assert failure(read(tmp_path, "a.csv", content)) == (
        "ingest.wrong_encoding",
        {"file": "a.csv", "encoding": "UTF-8", "row": 32},
    )


def test_a_declared_encoding_that_does_not_fit_names_encoding_and_line(tmp_path):
    raw = read(tmp_path, "a.csv", "姓名\n张三\n".encode("gb18030"), encoding="utf-8")
    assert failure(raw)[1] == {"file": "a.csv", "encoding": "UTF-8", "row": 1}
    assert failure(read(tmp_path, "a.csv", b"a\n1\n", encoding="utf-nine"))[0] == "ingest.unknown_encoding"


def test_a_quote_never_closed_names_its_row(tmp_path):
    for tail in ('3,"open\n4,5\n6,7\n', '3,"open\n4,5\n6,7'):
        key, params = failure(read(tmp_path, "a.csv", ('a,b\n1,"fine"\n' + tail).encode()))
        assert (key, params["row"]) == ("ingest.open_quote", 2)


def xlsx(*sheets, formula=None):
    book = openpyxl.Workbook()
    for number, lines in enumerate(sheets):
        sheet = book.active if number == 0 else book.create_sheet(f"other{number}")
        for line in lines:
            sheet.append(line)
    if formula:
        book.active[formula] = "=1+1"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_workbooks_give_dates_as_iso_and_long_digits_whole(tmp_path):
    lines = [
        [" 电话 ", "到店", "价格", "是否"],
        [13812345678, datetime.datetime(2026, 1, 3, 8, 15), 12.5, True],
        [None, None, None, None],
        ["013812345678", datetime.date(2026, 1, 3), 3.0, False],
    ]
    raw = read(tmp_path, "a.xlsx", xlsx(lines))
    assert list(raw.frame)[:4] == ["电话", "到店", "价格", "是否"]
    assert rows(raw) == [
        ["13812345678", "2026-01-03 08:15:00", "12.5", "true"],
        ["013812345678", "2026-01-03", "3", "false"],
    ]


def test_the_first_sheet_is_read_and_the_others_are_told(tmp_path):
    content = xlsx([["a"], [1]], [["b"], [2]])
    raw = read(tmp_path, "a.xlsx", content)
    assert rows(raw) == [["1"]]
    assert notice_keys(raw) == ["ingest.first_sheet"]
    raw = read(tmp_path, "a.xlsx", content, sheet="other1")
    assert rows(raw) == [["2"]]
    assert notice_keys(raw) == []
    assert failure(read(tmp_path, "a.xlsx", content, sheet="nein"))[0] == "ingest.no_sheet"


def test_a_formula_without_stored_value_is_told_with_its_cell(tmp_path):
    raw = read(tmp_path, "a.xlsx", xlsx([["a", "b"], [1, 2], [3, None]], formula="B3"))
    assert rows(raw) == [["1", "2"], ["3", None]]
    (notice,) = raw.files[0].notices
    assert (notice.key, notice.params["cells"]) == ("ingest.formula_without_value", "B3")


def test_the_content_decides_not_the_name(tmp_path):
    book = xlsx([["a"], [1]])
    table = io.BytesIO()
    pq.write_table(pa.table({"a": ["1"]}), table)
    for name, content in {"a.csv": book, "b.xls": book, "c.xls": b"a\n1\n", "d.csv": table.getvalue()}.items():
        assert rows(read(tmp_path, name, content)) == [["1"]]


def test_parquet_keeps_every_value_as_text(tmp_path):
    utc = datetime.UTC
    table = pa.table(
        {
            "phone": pa.array([13812345678.0, None]),
            "price": [12.5, 2.0],
            "at": pa.array([datetime.datetime(2026, 1, 3, 8, 15)] * 2, pa.timestamp("ns")),
            "zoned": pa.array([datetime.datetime(2026, 1, 3, tzinfo=utc)] * 2, pa.timestamp("us", "Asia/Shanghai")),
            "day": [datetime.date(2026, 1, 3)] * 2,
            "flag": [True, False],
            "word": pa.array(["x", ""]).dictionary_encode(),
            "list": [[1, 2], None],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    raw = read_files(tmp_path, FileSpec(files="a.parquet"))
    assert rows(raw)[0] == [
        "13812345678",
        "12.5",
        "2026-01-03 08:15:00.000000",
        "2026-01-03 08:00:00.000000+0800",
        "2026-01-03",
        "true",
        "x",
        "[1, 2]",
    ]
    assert rows(raw)[1][0] is None
    assert rows(raw)[1][6] is None


def zipped(name):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "a,b\n1,2\n")
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "key"),
    [
        ("a.csv", b"", "ingest.empty_file"),
        ("a.csv", b"\n \n", "ingest.empty_file"),
        ("a.csv", bytes(range(1, 256)) * 40, "ingest.no_encoding"),
        ("a.csv", b"a,b\n" + bytes(1000), "ingest.not_text"),
        ("a.csv", zipped("leads.csv"), "ingest.not_a_table"),
        ("a.xlsx", xlsx([["a"], [1]])[:1500], "ingest.broken_workbook"),
        ("a.xlsx", xlsx([[None]]), "ingest.empty_file"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and no more", "ingest.broken_workbook"),
        ("a.xls", b"<html><body><table></table></body></html>", "ingest.not_a_table"),
        ("a.parquet", b"PAR1 and no more", "ingest.broken_parquet"),
        ("a.csv", b"\x1f\x8b\x08\x00rest", "ingest.not_a_table"),
        ("a.csv", b"a,b\n1,2\n", "ingest.no_header"),
    ],
)
def test_broken_files_are_errors_a_user_can_mend(tmp_path, name, content, key):
    spec = {"header_row": 9} if key == "ingest.no_header" else {}
    assert failure(read(tmp_path, name, content, **spec))[0] == key


def test_a_folder_in_place_of_a_file(tmp_path):
    (tmp_path / "leads.csv").mkdir()
    assert failure(read_files(tmp_path, FileSpec(files="leads.csv")))[0] == "ingest.folder_as_file"


def test_a_broken_file_stops_only_itself(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "b.csv").write_bytes(b"")
    (tmp_path / "c.csv").write_text("x\n3\n")
    raw = read_files(tmp_path, FileSpec(files="*.csv"))
    assert raw.frame["x"].tolist() == ["1", "3"]
    assert [outcome.error is None for outcome in raw.files] == [True, False, True]


def test_a_source_that_is_not_there(tmp_path):
    (tmp_path / "file").touch()
    for root, key in ((tmp_path / "no", "no_source"), (tmp_path / "file", "source_is_file"), (tmp_path, "no_match")):
        with pytest.raises(SourceError) as caught:
            find_files(root, ["*.csv"])
        assert caught.value.key == f"ingest.{key}"


def test_lock_files_of_open_workbooks_are_no_data(tmp_path):
    for name in ("a.xlsx", "~$a.xlsx", ".b.xlsx"):
        (tmp_path / name).touch()
    assert [file for _, file in find_files(tmp_path, ["*.xlsx"])] == ["a.xlsx"]


def test_a_query_gives_text_too(tmp_path, monkeypatch):
    database = sqlite3.connect(tmp_path / "dms.db")
    database.execute("create table t (id, at, price)")
    database.execute("insert into t values (13812345678, '2026-01-03', 12.5), (2.0, '', null)")
    database.commit()
    database.close()
    monkeypatch.setenv("DMS_FOLDER", str(tmp_path))
    raw = read_files(tmp_path, FileSpec(url="sqlite:///${DMS_FOLDER}/dms.db", query="select * from t"))
    assert rows(raw) == [["13812345678", "2026-01-03", "12.5"], ["2", None, None]]
    assert raw.files[0].file == "sql:sqlite:dms.db"


def test_a_failed_query_never_tells_the_password(tmp_path):
    for url in (
        "postgresql://rematch:hunter22@127.0.0.1:1/dms",
        "sqlite:///no/such/folder/x.db",
        "nonsense://a:hunter22@b/c",
    ):
        key, params = failure(read_files(tmp_path, FileSpec(url=url, query="select 1")))
        assert key == "ingest.query_failed"
        assert "hunter22" not in str(params)
    (outcome,) = read_files(tmp_path, FileSpec(url="sqlite:///${NO_SUCH_NAME}", query="select 1")).files
    assert "NO_SUCH_NAME" in outcome.error.text("en")


def test_files_are_read_from_oldest_to_newest(tmp_path):
    for name in ("leads-2.csv", "leads.csv", "leads_10.csv", "leads_9.csv", "leads_2026-10.csv", "leads_2026-09.csv"):
        (tmp_path / name).write_text("a\n1\n")
    order = [relative for _, relative in find_files(tmp_path, ["leads*.csv"])]
    assert order.index("leads.csv") < order.index("leads-2.csv")
    assert order.index("leads_9.csv") < order.index("leads_10.csv")
    assert order.index("leads_2026-09.csv") < order.index("leads_2026-10.csv")
