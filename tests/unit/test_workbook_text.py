"""Text in any workbook stays text: no formula, no link, also when somebody edits the cell."""

import io
from datetime import datetime

import openpyxl
import pytest

from reports.workbook import Book


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
@pytest.mark.parametrize("way", ["line", "cells"])
def test_text_that_looks_like_a_formula_is_quoted(start, way):
    book = Book("t", datetime(2026, 1, 1))
    sheet = book.sheet("s", (20, 20))
    word = f'{start}HYPERLINK("http://x")'
    sheet.line(word) if way == "line" else sheet.cells((word, 3), ("cell", "count"))
    cell = openpyxl.load_workbook(io.BytesIO(book.content()))["s"]["A1"]
    assert cell.data_type == "s"
    assert 'HYPERLINK("http://x")' in cell.value
    assert cell.quotePrefix
    assert cell.hyperlink is None


def test_other_text_and_numbers_are_as_they_were():
    book = Book("t", datetime(2026, 1, 1))
    book.sheet("s", (20, 20)).cells(("L1", -3))
    first, second = openpyxl.load_workbook(io.BytesIO(book.content()))["s"][1]
    assert (first.value, second.value, second.data_type) == ("L1", -3, "n")
    assert not first.quotePrefix
