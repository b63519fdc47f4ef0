"""The page of the report to the OEM's product, pricing and supply teams, from the result ``product_feedback``."""

from __future__ import annotations

import pandas as pd

from models.messages import LOCALES
from models.notes import Notes, notes_about, read_notes
from reports.commentary import Share
from reports.html import links, page_name, render
from reports.product_page import ProductFigures, ProductLine, product_page
from tasks.compute.product_feedback import SPLIT_REASON
from tasks.job import Job
from tasks.planning import months_back
from tasks.results import write_text

STEM = "product"
RESULT = "product_feedback"


def write_page(job: Job) -> int:
    """The report as a page in every language, with the notes that explain its figures; how many files."""
    figures = _figures(job)
    for locale in LOCALES:
        page, around = product_page(figures, locale), links(STEM, locale, overview=page_name("index", locale))
        write_text(job.pages / page_name(STEM, locale), render("product.html.j2", page, locale, around))
    return len(LOCALES)


def _figures(job: Job) -> ProductFigures:
    notes = read_notes(job.workspace.notes)
    rows = job.results.read(RESULT).to_dict("records")
    return ProductFigures(
        cycle=job.cycle.name,
        months=tuple(months_back(job.cycle, job.workspace.settings.window_months)),
        as_of=job.cycle.as_of,
        version=job.results.version,
        lines=[_line(job, row, notes) for row in rows],
        refused=[(error.key, dict(error.params)) for error in notes.refused],
    )


def _line(job: Job, row: dict[str, object], notes: Notes) -> ProductLine:
    count = {name: int(str(row[name])) for name in _COUNTS}
    number = {name: float(str(row[name])) for name in _NUMBERS}
    gap = (number["gap_points"], number["gap_lo90"], number["gap_hi90"])
    series, reason = str(row["series"]), str(row["reason"])
    told = row["competitors"] if isinstance(row["competitors"], str) else ""
    brands = (part.rpartition(":") for part in told.split(";") if part)
    return ProductLine(
        series=series,
        reason=reason,
        owner=str(row["owner"]),
        share=Share(count["defeats"], count["leads"]),
        lo90=number["lo90"],
        hi90=number["hi90"],
        others=Share(count["other_defeats"], count["other_leads"]),
        gap=None if pd.isna(gap[0]) else gap,
        q_value=None if pd.isna(number["q_value"]) else number["q_value"],
        dealers=count["dealers"],
        to_competitors=count["to_competitors"],
        competitors=tuple((brand, int(defeats)) for brand, _, defeats in brands),
        split=Share(count["positioned_high"], count["price_defeats"]) if reason == SPLIT_REASON else None,
        notes=notes_about(notes.notes, job.cycle.as_of.date(), series=series, reasons=(reason,)),
    )


_COUNTS = (
    "defeats", "leads", "other_defeats", "other_leads", "dealers", "to_competitors", "price_defeats", "positioned_high",
)  # fmt: skip
_NUMBERS = ("lo90", "hi90", "gap_points", "gap_lo90", "gap_hi90", "q_value")
