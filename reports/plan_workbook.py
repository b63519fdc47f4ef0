"""The rectification plan as a workbook: what to do, a form to file and report with, figures, leads and rows to mend.

The form can be read back by machine: the hidden sheet ``_codes`` (kind, code, label) names its plan, form version,
language, roles and words of execution, so that no reader depends on the words people see.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from models.enums import OwnerRole
from models.messages import text
from models.schemas import Plan
from reports.argument_cards import card_views
from reports.comparing import bar
from reports.figures import DealerFigures
from reports.plan_page import PlanPage
from reports.plan_problems import ProblemView
from reports.words import Words
from reports.workbook import Book, Sheet

ROLES = (
    OwnerRole.GENERAL_MANAGER,
    OwnerRole.SALES_MANAGER,
    OwnerRole.SALES_CONSULTANT,
    OwnerRole.CUSTOMER_SERVICE,
)
EXECUTED = ("yes", "partly", "no")
FORM_VERSION = 1
COLUMNS = ("id", "measure", "proposed", "due", "role", "planned", "how", "executed", "on", "evidence", "check")
WIDTHS = (19, 30, 12, 14, 14, 13, 34, 11, 13, 30, 13)
FIRST = 2  # the form's first row of measures, from 0
OWN_ROWS = 3  # free rows for measures of the dealer's own
LATEST_DAYS = 400  # a date later than this is a slip of the pen
CODES = "_codes"


class _Plan:
    def __init__(self, page: PlanPage, plan: Plan, figures: DealerFigures) -> None:
        self.page, self.plan, self.figures = page, plan, figures
        self.book = Book(page.title, plan.as_of)
        self.measures = [(problem, one) for problem in page.problems for one in problem.measures]

    def t(self, key: str, **params: object) -> str:
        return text(f"plan_workbook.{key}", self.page.locale, **params)

    def p(self, key: str, **params: object) -> str:
        return text(f"plan_page.{key}", self.page.locale, **params)

    def sheet(self, key: str, widths: tuple[float, ...], *, repeat: int | None = None) -> Sheet:
        return self.book.sheet(self.t(f"sheet.{key}"), widths, repeat=repeat)

    # ---- what to do

    def overview(self) -> None:
        sheet, page = self.sheet("plan", (30, 62, 20, 18)), self.page
        sheet.line(page.title, "title")
        sheet.line(f"{page.region} · {page.plan_id} · {page.kind_label} · {page.state}", "soft")
        sheet.line(page.headline, "lead")
        if page.reason_why:
            sheet.line(page.reason_why)
        self.part(sheet, self.p("next.title"), page.next_steps, numbered=True)
        if page.data_first:
            sheet.line(page.quality.summary)
        sheet.gap()
        sheet.line(self.p("tile.title", cycle=page.cycle), "part")
        for tile in page.tiles:
            sheet.cells((tile.label, f"{tile.figure}  {tile.note}".strip()), ("cell", "strong"))
        if page.problems:
            sheet.gap()
            sheet.line(page.problems_title, "part")
        for problem in page.problems:
            self.problem(sheet, problem)
        self.part(sheet, self.p("not_fixable.title"), page.not_fixable)
        self.looks(sheet)
        if page.compared:
            self.part(sheet, self.p("strengths.title"), page.strengths or (self.p("strengths.none"),))
        self.part(sheet, self.p("basis.title"), (page.basis,))

    def part(self, sheet: Sheet, title: str, rows: tuple[str, ...], *, numbered: bool = False) -> None:
        """A titled list; nothing where there is nothing to say."""
        if not rows:
            return
        sheet.gap()
        sheet.line(title, "part")
        for number, line in enumerate(rows, 1):
            sheet.line(f"{number}. {line}" if numbered else line)

    def looks(self, sheet: Sheet) -> None:
        """What earlier measures did."""
        if not self.page.looks:
            return
        sheet.gap()
        sheet.line(self.p("effects.title"), "part")
        for look in self.page.looks:
            sheet.cells((look.title, look.sentence, look.badge), ("strong", "cell", "strong"))
            for name, said in look.lines:
                sheet.cells((name, said))

    def problem(self, sheet: Sheet, problem: ProblemView) -> None:
        sheet.line(f"{problem.number}. {problem.title}", "lead")
        for line in (f"{problem.finding} {problem.stake}", problem.cause, *problem.evidence):
            sheet.line(line)
        if problem.served:
            sheet.line(problem.served)
        if problem.under_way:
            sheet.line("\n".join((self.p("under_way.title"), *problem.under_way)))
        if problem.measures:
            sheet.cells([self.t(f"plan.{name}") for name in ("measure", "steps", "owner", "due")], "head")
        for measure in problem.measures:
            steps = [f"{number}. {step}" for number, step in enumerate(measure.steps, 1)]
            checks = [self.t("plan.goal", goal=measure.goal), self.t("plan.check", check=measure.check)]
            checks += [self.t("plan.because", because=one) for one in measure.because]
            if measure.evidence:
                checks.append(self.t("plan.evidence", evidence=measure.evidence))
            if measure.registered:
                checks.append(self.t("plan.registered", registered=measure.registered))
            sheet.cells(
                (measure.title, "\n".join((*steps, *checks)), measure.owner, measure.due),
                ("strong", "cell", "cell", "cell"),
            )
        sheet.gap()

    # ---- the form

    def form(self) -> None:
        sheet = self.sheet("form", WIDTHS, repeat=1)
        sheet.line(self.t("form.help"), "lead")
        sheet.cells([self.t(f"form.{name}") for name in COLUMNS], "head")
        sheet.paper.freeze_panes(FIRST, 2)
        entry = ["day" if name in ("planned", "on") else "input" for name in COLUMNS[4:-1]]
        blank = [None] * len(entry)
        for _, one in self.measures:
            fixed = (one.measure_id, one.title, one.owner, one.due)
            self.form_row(sheet, (*fixed, *blank), ["cell"] * 4 + entry, own=False)
        own_from = sheet.row + 1
        sheet.line(self.t("form.own_help"), "soft")
        for number in range(1, OWN_ROWS + 1):
            row = (f"own-{number}", None, None, "–", *blank)
            self.form_row(sheet, row, ["cell", "input", "input", "cell", *entry], own=True)
        self.rules(sheet, own_from)
        sheet.paper.protect("", {"format_columns": True, "format_rows": True})

    def form_row(self, sheet: Sheet, values: tuple[object, ...], kinds: list[str], *, own: bool) -> None:
        """A row of the form, with a formula that tells what is still to be filled in."""
        row, place = sheet.row, sheet.row + 1
        sheet.cells(values, kinds, least=3)
        needed = [f"E{place}", f"F{place}", *([f"B{place}", f"C{place}"] if own else [])]
        count = "+".join(f'({cell}<>"")' for cell in needed)
        empty, missing, filed = (self.t(f"check.{name}") for name in ("own" if own else "empty", "missing", "filed"))
        formula = f'=IF({count}=0,"{empty}",IF({count}<{len(needed)},"{missing}","{filed}"))'
        sheet.paper.write_formula(row, len(COLUMNS) - 1, formula, sheet.formats["cell"], empty)

    def rules(self, sheet: Sheet, own_from: int) -> None:
        """What the form's cells take: words of the hidden lists, sensible days, texts the ledger can hold."""
        last = sheet.row - 1
        for column, kind in ((4, "role"), (7, "executed")):
            self.listed(sheet, (FIRST, column, last, column), kind)
        first_day = self.plan.as_of.date()
        days = {
            "validate": "date",
            "criteria": "between",
            "minimum": first_day,
            "maximum": first_day + timedelta(days=LATEST_DAYS),
            "error_title": self.t("form.day_title"),
            "error_message": self.t("form.day_error", first=first_day.isoformat()),
            "input_message": self.t("form.day_hint", first=first_day.isoformat()),
        }
        for column in (5, 8):
            sheet.paper.data_validation(FIRST, column, last, column, days)
        texts = {"validate": "length", "criteria": "<=", "value": 2000, "error_message": self.t("form.long_error")}
        for column in (6, 9):
            sheet.paper.data_validation(FIRST, column, last, column, texts)
        sheet.paper.data_validation(own_from, 1, last, 1, texts)
        self.listed(sheet, (own_from, 2, last, 2), "problem")

    def listed(self, sheet: Sheet, where: tuple[int, int, int, int], kind: str) -> None:
        rows = [number for number, row in enumerate(self.codes(), 1) if row[0] == kind]
        sheet.paper.data_validation(
            *where,
            {
                "validate": "list",
                "source": f"={CODES}!$C${rows[0]}:$C${rows[-1]}",
                "error_title": self.t("form.list_title"),
                "error_message": self.t("form.list_error"),
            },
        )

    def codes(self) -> list[tuple[str, str, str]]:
        """Kind, code and label of everything the form's reader needs."""
        return [
            ("plan", self.page.plan_id, str(FORM_VERSION)),
            ("locale", self.page.locale, ""),
            *(("role", role.value, role.label(self.page.locale)) for role in ROLES),
            *(("executed", word, self.t(f"executed.{word}")) for word in EXECUTED),
            *(
                ("problem", f"{one.problem.reason}|{one.problem.indicator}", f"{one.number}. {one.title}")
                for one in self.page.problems
            ),
            *(("measure", one.measure_id, problem.problem.reason) for problem, one in self.measures),
        ]

    def hidden(self) -> None:
        paper: Any = self.book.book.add_worksheet(CODES)
        for row, values in enumerate(self.codes()):
            for column, value in enumerate(values):
                paper.write_string(row, column, value)
        paper.very_hidden()

    # ---- what it rests on

    def comparisons(self) -> None:
        head = ("indicator", "code", "numerator", "denominator", "own", "peers", "gap", "lo", "hi", "verdict")
        sheet, words = (
            self.sheet("figures", (38, 30, 11, 11, 10, 10, 12, 12, 12, 24), repeat=1),
            Words(self.page.locale),
        )
        sheet.line(self.t("figures.note", window=self.page.window), "lead")
        sheet.cells([self.t(f"figures.{name}") for name in head], "head")
        sheet.paper.freeze_panes(2, 1)
        kinds = ("cell", "cell", "count", "count", "percent", "percent", "points", "points", "points", "cell")
        for code in sorted(self.figures.comparisons, key=lambda code: (":" in code, code)):
            one = self.figures.comparisons[code]
            row = bar(one, words, 1.0)
            verdict = row.verdict if one.enough else f"{row.verdict} ({row.gap})"
            figures = (one.numerator, one.denominator, one.value, one.expected, one.gap_points, one.lo90, one.hi90)
            sheet.cells((row.label, code, *figures, verdict), kinds)
        sheet.paper.autofilter(1, 0, max(sheet.row - 1, 1), len(head) - 1)

    def cards(self) -> None:
        """The argument cards for consultants: what the customer says, and the answer in three steps."""
        views = card_views(self.figures.cards, self.page.locale)
        if not views:
            return
        names = ("flow", "card", "fact", "concern", "view", "rivals")
        sheet = self.sheet("cards", (26, 20, 40, 40, 40, 34), repeat=1)
        sheet.line(text("argument_cards.note", self.page.locale, months=self.page.window), "lead")
        sheet.cells([text(f"argument_cards.{name}", self.page.locale) for name in names], "head")
        sheet.paper.freeze_panes(2, 2)
        for one in views:
            said = ("\n".join(one.answers), one.title, one.fact, one.concern, one.view, "\n".join(one.rivals))
            sheet.cells(said, ("cell", "strong", *["cell"] * 4))

    def leads(self) -> None:
        rows = [(problem, lead) for problem in self.page.problems for lead in problem.leads]
        if not rows:
            return
        sheet = self.sheet("leads", (60, 30), repeat=0)
        sheet.cells((self.t("leads.problem"), self.t("leads.lead")), "head")
        sheet.paper.freeze_panes(1, 0)
        for problem, lead in rows:
            sheet.cells((f"{problem.number}. {problem.title}", lead))

    def rows(self) -> None:
        quality = self.page.quality
        if not quality.every_loss and not quality.rows:
            return
        names = ("table", "rule", "columns", "failed_head", "points", "mend_head")
        sheet = self.sheet("quality", (16, 44, 26, 16, 20, 50))
        sheet.line(quality.summary, "lead")
        sheet.cells([text(f"quality_part.{name}", self.page.locale) for name in names], "head")
        for loss in quality.every_loss:
            sheet.cells((loss.table, loss.rule, loss.columns, loss.failed, loss.points, loss.mend))
        if not quality.rows:
            return
        sheet.gap()
        sheet.line(quality.rows_note, "lead")
        names = ("table", "rule", "columns", "severity", "key", "file")
        sheet.cells([text(f"quality_part.{name}", self.page.locale) for name in names], "head")
        for row in quality.rows:
            number = "" if row.row is None else self.t("quality.row", row=row.row)
            sheet.cells((row.table, row.rule, row.column, row.severity, row.key, f"{row.file} {number}".strip()))


def plan_workbook(page: PlanPage, plan: Plan, figures: DealerFigures) -> bytes:
    """The workbook of a plan (xlsx): overview; where there are measures the form; figures, leads, rows to mend."""
    work = _Plan(page, plan, figures)
    work.overview()
    if work.measures:
        work.form()
    if figures.comparisons:
        work.comparisons()
    work.cards()
    work.leads()
    work.rows()
    if work.measures:
        work.hidden()
    return work.book.content()
