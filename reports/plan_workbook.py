"""The rectification plan as a workbook: what to do, a form to file and report with, and the customers behind it."""

from __future__ import annotations

import io
from typing import Any

import xlsxwriter

from models.enums import OwnerRole
from models.messages import text
from models.schemas import Plan
from reports.plan_page import PlanPage

ROLES = (
    OwnerRole.GENERAL_MANAGER,
    OwnerRole.SALES_MANAGER,
    OwnerRole.SALES_CONSULTANT,
    OwnerRole.CUSTOMER_SERVICE,
)
EXECUTED = ("yes", "partly", "no")

# Text of dealers and customers must never become a formula or a link.
SAFE = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}

_BASE = {"font_name": "Microsoft YaHei", "font_size": 10.5, "valign": "top", "text_wrap": True}
_FORMATS: dict[str, dict[str, Any]] = {
    "body": {},
    "title": {"bold": True, "font_size": 16, "text_wrap": False},
    "head": {"bold": True, "bg_color": "#E8EDF3", "border": 1, "border_color": "#C5CED8"},
    "cell": {"border": 1, "border_color": "#D9DFE5"},
    "soft": {"font_color": "#5B6875"},
    "lead": {"bold": True, "bg_color": "#EAF2FB"},
    "input": {"border": 1, "border_color": "#C9A227", "bg_color": "#FFFBE6", "locked": False},
    "day": {"border": 1, "border_color": "#C9A227", "bg_color": "#FFFBE6", "locked": False, "num_format": "yyyy-mm-dd"},
}


class _Book:
    def __init__(self, page: PlanPage, plan: Plan) -> None:
        self.page, self.plan = page, plan
        self.buffer = io.BytesIO()
        self.book = xlsxwriter.Workbook(self.buffer, SAFE)
        # A fixed creation time: the same plan gives the same file (design.md, reproducible cycles).
        self.book.set_properties({"title": page.title, "created": plan.as_of})
        self.formats = {name: self.book.add_format(_BASE | extra) for name, extra in _FORMATS.items()}

    def t(self, key: str, **params: object) -> str:
        return text(f"plan_workbook.{key}", self.page.locale, **params)

    def sheet(self, key: str, widths: tuple[int, ...]) -> Any:
        sheet = self.book.add_worksheet(self.t(f"sheet.{key}"))
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width, self.formats["body"])
        sheet.hide_gridlines(2)
        sheet.set_paper(9)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        return sheet

    def overview(self) -> None:
        sheet, page, f = self.sheet("plan", (26, 60, 16, 16)), self.page, self.formats
        sheet.write_string(0, 0, page.title, f["title"])
        sheet.write_string(1, 0, f"{page.region} · {page.plan_id} · {page.kind_label}", f["soft"])
        sheet.merge_range(3, 0, 3, 3, page.headline, f["lead"])
        sheet.set_row(3, 36)
        row = 5
        for label, figure in page.summary:
            sheet.write_string(row, 0, label, f["cell"])
            sheet.write_string(row, 1, figure, f["cell"])
            row += 1
        row += 1
        for line in page.next_steps:
            sheet.merge_range(row, 0, row, 3, line, f["body"])
            sheet.set_row(row, 32)
            row += 1
        for problem in page.problems:
            row += 1
            sheet.merge_range(row, 0, row, 3, f"{problem.number}. {problem.title}", f["lead"])
            for line in (f"{problem.finding} {problem.stake}", problem.cause):
                row += 1
                sheet.merge_range(row, 0, row, 3, line, f["body"])
                sheet.set_row(row, 32)
            for measure in problem.measures:
                row += 1
                steps = "\n".join(f"{number}. {step}" for number, step in enumerate(measure.steps, 1))
                sheet.write_string(row, 0, measure.title, f["cell"])
                sheet.write_string(row, 1, steps, f["cell"])
                sheet.write_string(row, 2, measure.owner, f["cell"])
                sheet.write_string(row, 3, measure.due, f["cell"])
                sheet.set_row(row, 16 * max(3, len(measure.steps) * (1 + max(map(len, measure.steps)) // 42)))
            row += 1
        for line in page.effects:
            row += 1
            sheet.merge_range(row, 0, row, 3, line, f["body"])
            sheet.set_row(row, 32)

    def form(self) -> None:
        columns = ("id", "measure", "proposed", "due", "role", "planned", "how", "executed", "on", "evidence")
        sheet, f = self.sheet("form", (20, 34, 14, 15, 16, 14, 40, 12, 14, 40)), self.formats
        sheet.merge_range(0, 0, 0, len(columns) - 1, self.t("form.help"), f["lead"])
        sheet.set_row(0, 34)
        for column, name in enumerate(columns):
            sheet.write_string(1, column, self.t(f"form.{name}"), f["head"])
        sheet.freeze_panes(2, 2)
        row = 2
        for problem in self.page.problems:
            for measure in problem.measures:
                fixed = (measure.measure_id, measure.title, measure.owner, measure.due)
                for column, value in enumerate(fixed):
                    sheet.write_string(row, column, value, f["cell"])
                for column in range(len(fixed), len(columns)):
                    sheet.write_blank(row, column, None, f["day" if columns[column] in ("planned", "on") else "input"])
                sheet.set_row(row, 48)
                row += 1
        last = max(row - 1, 2)
        roles = [role.label(self.page.locale) for role in ROLES]
        executed = [self.t(f"executed.{word}") for word in EXECUTED]
        sheet.data_validation(2, 4, last, 4, {"validate": "list", "source": roles})
        sheet.data_validation(2, 7, last, 7, {"validate": "list", "source": executed})
        for column in (5, 8):
            sheet.data_validation(
                2, column, last, column, {"validate": "date", "criteria": ">=", "value": self.plan.as_of.date()}
            )
        sheet.protect("", {"format_columns": True, "format_rows": True})

    def customers(self) -> None:
        sheet, f = self.sheet("leads", (44, 26)), self.formats
        sheet.write_string(0, 0, self.t("leads.problem"), f["head"])
        sheet.write_string(0, 1, self.t("leads.lead"), f["head"])
        sheet.freeze_panes(1, 0)
        row = 1
        for problem in self.page.problems:
            for lead in problem.leads:
                sheet.write_string(row, 0, problem.title, f["cell"])
                sheet.write_string(row, 1, lead, f["cell"])
                row += 1


def plan_workbook(page: PlanPage, plan: Plan) -> bytes:
    """The workbook of a plan (xlsx): overview, the form to file and report with, and the leads behind each problem."""
    book = _Book(page, plan)
    book.overview()
    if page.problems:
        book.form()
        book.customers()
    book.book.close()
    return book.buffer.getvalue()
