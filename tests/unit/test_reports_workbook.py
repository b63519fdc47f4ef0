"""The workbooks: safe text, a form that only takes what can be read back, and something useful in every one."""

import io
import shutil
import subprocess

import openpyxl
import pytest
from support.analysed import HOSTILE
from support.delivered import DATA, FEW, FORMULA, KEEP, RECTIFY, SCRIPT, UNDER_WAY

from reports.workbook import lines
from tasks.delivering import _documents, folder_name

ALL = (RECTIFY, UNDER_WAY, DATA, KEEP, FEW)


def workbook(job, dealer, locale="en"):
    return openpyxl.load_workbook(job.pages / "dealers" / folder_name(dealer) / f"plan.{locale}.xlsx")


def texts(book):
    return [str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]


@pytest.mark.parametrize("dealer", ALL)
@pytest.mark.parametrize("locale", ["zh_CN", "en"])
def test_only_our_own_cells_are_formulas(delivered, dealer, locale):
    book = workbook(delivered, dealer, locale)
    formulas = [
        cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "f" or cell.hyperlink
    ]
    assert all(str(cell.value).startswith("=IF(") and cell.column_letter == "K" for cell in formulas)
    if dealer in (FEW, DATA):
        assert any(FORMULA in text for text in texts(book))


def test_names_and_leads_are_written_as_they_are(delivered):
    written = texts(workbook(delivered, RECTIFY))
    assert any(SCRIPT in text for text in written)
    assert {"=1+1", "+L2", "-L3", "@L4", "<i>L5</i>"} <= set(written)


def test_a_plan_with_measures_has_a_form_and_the_others_something_else(delivered):
    names = ["Plan", "Filing and progress", "Comparison", "Argument cards", "Leads", "_codes"]
    assert workbook(delivered, RECTIFY).sheetnames == names
    assert workbook(delivered, UNDER_WAY).sheetnames == ["Plan", "Comparison"]
    assert workbook(delivered, KEEP).sheetnames == ["Plan", "Comparison"]
    assert workbook(delivered, DATA).sheetnames == ["Plan", "Rows to mend"]


def test_consultants_find_the_cards_for_what_their_dealership_lost(delivered):
    rows = list(workbook(delivered, RECTIFY)["Argument cards"].iter_rows(values_only=True))
    assert rows[1] == ("Use it for", "Card", "Fact", "Concern", "View", "The competitor")
    [card] = rows[2:]  # the same for both flows
    flows = (f"{HOSTILE} lost to <i>竞品</i> for “power”: 3", f"骋远A6 lost to {SCRIPT} for “power”: 2")
    assert card[:2] == ("\n".join(flows), "drive the road you drive")
    assert all(card[2:5])


@pytest.fixture(params=["zh_CN", "en"])
def form(request, delivered):
    return workbook(delivered, RECTIFY, request.param).worksheets[1]


def test_ids_are_locked_and_what_is_to_be_filled_in_is_not(form):
    assert form.protection.sheet
    assert [form.cell(row, 1).value for row in (3, 4)] == ["2026-10-D001-1", "2026-10-D001-2"]
    for row in (3, 4):
        assert [form.cell(row, column).protection.locked for column in range(1, 12)] == [True] * 4 + [False] * 6 + [
            True
        ]


def validation(sheet, cell):
    return next(one for one in sheet.data_validations.dataValidation if cell in one.sqref)


def test_the_form_takes_words_of_its_lists_and_sensible_days_only(form):
    codes = form.parent["_codes"]
    assert codes.sheet_state == "veryHidden"
    for cell, kind, size in (("E3", "role", 4), ("H4", "executed", 3), ("C6", "problem", 3)):
        rule = validation(form, cell)
        assert rule.type == "list"
        first, last = rule.formula1.removeprefix("_codes!$C$").split(":$C$")
        rows = range(int(first), int(last) + 1)
        assert [codes.cell(row, 1).value for row in rows] == [kind] * size
        assert all(codes.cell(row, 3).value for row in rows)
    for cell in ("F3", "I4"):
        rule = validation(form, cell)
        assert (rule.type, rule.operator or "between") == ("date", "between")
        assert rule.errorTitle
        assert rule.error
        assert form[cell].number_format == "yyyy-mm-dd"


def test_the_hidden_sheet_names_the_plan_and_both_languages_have_the_same_codes(delivered):
    zh, en = ([tuple(row) for row in workbook(delivered, RECTIFY, locale)["_codes"].iter_rows(values_only=True)]
              for locale in ("zh_CN", "en"))  # fmt: skip
    assert zh[0] == en[0] == ("plan", "2026-10-D001", "1")
    assert [row[:2] for row in zh if row[0] != "locale"] == [row[:2] for row in en if row[0] != "locale"]
    assert ("problem", "process_follow_up|premature_share") in [row[:2] for row in en]


def test_figures_are_numbers_that_can_be_sorted(delivered):
    sheet = workbook(delivered, KEEP)["Comparison"]
    head = [cell.value for cell in sheet[2]]
    rows = {row[1]: dict(zip(head, row, strict=True)) for row in sheet.iter_rows(min_row=3, values_only=True)}
    one = rows["visit_to_test_drive"]
    assert (one["Numerator"], one["Denominator"], one["Gap"]) == (68, 120, 7.0)
    assert one["Own"] == pytest.approx(68 / 120)
    assert one["Judgement"] == "better than peers"


def test_what_cannot_be_judged_is_empty_and_says_why(delivered):
    sheet = workbook(delivered, FEW)["Comparison"]
    row = next(row for row in sheet.iter_rows(min_row=3, values_only=True) if row[1] == "close_rate")
    assert row[5:9] == (None,) * 4
    assert "too few cases" in row[9]


def test_a_data_plan_lists_the_rows_to_mend_the_dearest_rule_first(delivered):
    rows = list(workbook(delivered, DATA)["Rows to mend"].iter_rows(values_only=True))
    listed = [row for row in rows if row[5] and "leads.csv" in str(row[5])]
    assert [row[4] for row in listed] == ["@L4", "L9", "=1+1"]
    assert listed[0][5] == "leads.csv row 2"
    assert sum("of 500 rows" in str(row[3]) for row in rows) == 12  # the page shows ten


def test_the_same_plan_gives_the_same_file(delivered):
    from models import ledger
    from models.database import Database
    from tasks.analysis_figures import AnalysisFigures
    from tasks.figures import CycleFigures

    plan = ledger.plan(Database.of(delivered.workspace), f"2026-10-{RECTIFY}")

    def made():
        figures = CycleFigures(delivered)
        return _documents(delivered, plan, figures.dealer(RECTIFY), AnalysisFigures.of(figures, [RECTIFY]))

    one, two = made(), made()
    assert one == two
    for path, content in one.items():
        assert path.read_bytes() == content
    assert openpyxl.load_workbook(io.BytesIO(next(v for k, v in one.items() if k.suffix == ".xlsx")))


@pytest.mark.parametrize(
    ("words", "width", "expected"), [("", 10, 1), ("abc", 10, 1), ("一二三四五六", 10, 2), ("a\nb", 10, 2)]
)
def test_a_row_is_as_high_as_its_text(words, width, expected):
    assert lines(words, width) == expected


@pytest.mark.slow
def test_libreoffice_opens_the_workbook_and_works_out_the_form(delivered, tmp_path):
    office = shutil.which("libreoffice")
    if office is None:
        pytest.skip("NO LIBREOFFICE: workbooks are not opened. Install it: apt-get install libreoffice-calc")
    source = delivered.pages / "dealers" / folder_name(RECTIFY) / "plan.en.xlsx"
    book = openpyxl.load_workbook(source)
    form = book.worksheets[1]
    form["E3"], form["F3"], form["E4"] = "sales manager", "2026-11-20", "sales manager"
    filled = tmp_path / "filled.xlsx"
    book.save(filled)
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    convert = [
        office,
        profile,
        "--headless",
        "--convert-to",
        "xlsx:Calc MS Excel 2007 XML",
        "--outdir",
        tmp_path / "out",
    ]
    subprocess.run([*convert, filled], check=True, capture_output=True, timeout=120)
    opened = openpyxl.load_workbook(tmp_path / "out" / "filled.xlsx", data_only=True).worksheets[1]
    assert [opened[f"K{row}"].value for row in (3, 4, 6)] == ["complete", "incomplete", "optional"]
