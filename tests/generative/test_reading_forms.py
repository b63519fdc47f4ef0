"""The same table in any encoding, with any delimiter and line end, is the same frame; no row is ever lost."""

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from models.mapping import FileSpec
from tasks.reading import read_files

HEADER = ["编号", "客户姓名", "备注"]
LETTERS = "ab01 ,;|\t'\"\n-/¥张伟价格优惠过高看过两次，。（）"
CELLS = st.text(LETTERS, max_size=8)
TABLES = st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-32"])
DELIMITERS = st.sampled_from([",", ";", "\t", "|"])
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def read(content):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "t.csv").write_bytes(content)
        return read_files(Path(folder), FileSpec(files="t.csv"), "t")


@settings(max_examples=150, deadline=None)
@given(TABLES, ENCODINGS, DELIMITERS, LINE_ENDS)
def test_every_form_of_a_table_reads_the_same(table, encoding, delimiter, line_end):
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if line_end == "\r" else csv.QUOTE_MINIMAL  # after which Python does not quote a line feed
    csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerows([HEADER, *table])
    raw = read(out.getvalue().encode(encoding))
    assert raw.files[0].error is None
    assert list(raw.frame)[:3] == HEADER
    found = [[None if cell != cell else cell for cell in row] for row in raw.frame[HEADER].to_numpy(dtype=object)]
    assert found == [[cell or None for cell in row] for row in table if any(row)]
    numbers = [number for number, row in enumerate(table, start=1) if any(row)]
    assert raw.frame["_row"].tolist() == numbers
    assert raw.problems.empty


ROWS = st.lists(st.lists(st.text("xy张", min_size=1, max_size=3), min_size=1, max_size=4), max_size=12)


@settings(max_examples=100, deadline=None)
@given(ROWS, ENCODINGS)
def test_every_row_is_read_or_named(rows, encoding):
    content = "\n".join(",".join(row) for row in [["编号", "姓名"], *rows])
    raw = read(content.encode(encoding))
    even = [number for number, row in enumerate(rows, start=1) if len(row) == 2]
    ragged = [number for number, row in enumerate(rows, start=1) if len(row) != 2]
    assert raw.frame["_row"].tolist() == even
    assert raw.problems["row_number"].tolist() == ragged
    assert (raw.files[0].rows, raw.files[0].unreadable) == (len(rows), len(ragged))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_whatsoever_break_the_reader(content):
    raw = read(content)
    (outcome,) = raw.files
    assert outcome.rows == len(raw.frame) + outcome.unreadable
    if outcome.error is not None:
        assert outcome.error.text("zh_CN")
        assert outcome.error.text("en")
