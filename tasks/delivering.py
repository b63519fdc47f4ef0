"""The step deliver: plans issued, every dealer's folder of pages and workbooks, the analyses, the OEM's overview."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from models import ledger
from models.database import Database
from models.enums import Role
from models.messages import LOCALES
from models.schemas import OEM, Actor, Plan
from reports.figures import DealerFigures
from reports.html import links, page_name, render
from reports.national_figures import Failure
from reports.national_page import national_page
from reports.plan_page import plan_page
from reports.plan_workbook import plan_workbook
from tasks.analysis_figures import AnalysisFigures
from tasks.analysis_pages import STEM as ANALYSIS
from tasks.analysis_pages import dealer_page, overview_links, region_link, write_analyses
from tasks.figures import CycleFigures
from tasks.folders import folder_name
from tasks.job import DealerFailure, Job, Outcome
from tasks.product_feedback import STEM as PRODUCT
from tasks.product_feedback import write_page
from tasks.quality_reports import STEM as QUALITY
from tasks.quality_reports import docs_path
from tasks.results import write_bytes, write_text

STEM = "plan"
ISSUER = Actor("cycle", Role.OEM, OEM)


def issue_and_list(job: Job) -> list[str]:
    """Issue the cycle's drafted plans in the OEM's name, dated at ``as_of``; the dealers that have a plan."""
    db = Database.of(job.workspace)
    ledger.issue_cycle(db, job.cycle.name, actor=ISSUER, at=db.instant(job.cycle.as_of))
    return [plan.dealer_id for plan in ledger.plans(db, job.cycle.name)]


def write_dealers(job: Job, dealers: list[str]) -> Outcome:
    """The folders of these dealers; one that fails is reported and does not stop the others."""
    figures = CycleFigures(job)
    analysis = AnalysisFigures.of(figures, dealers)
    wanted = set(dealers)
    plans = [plan for plan in ledger.plans(Database.of(job.workspace), job.cycle.name) if plan.dealer_id in wanted]
    failures, files = [], 0
    for plan in plans:
        try:
            for path, content in _documents(job, plan, figures.dealer(plan.dealer_id), analysis).items():
                write_bytes(path, content)
                files += 1
        except Exception as error:
            failures.append(DealerFailure(plan.dealer_id, "deliver.failed", {"error": type(error).__name__}))
    return Outcome(counts={"files": files}, failures=tuple(failures), dealers=len(plans))


def _documents(job: Job, plan: Plan, figures: DealerFigures, analysis: AnalysisFigures) -> dict[Path, bytes]:
    """A dealer's pages and workbook in every language; all are made before the first is written."""
    folder = job.pages / "dealers" / folder_name(plan.dealer_id)
    scope = analysis.dealer(plan.dealer_id, figures)
    made = {}
    for locale in LOCALES:
        page, workbook = plan_page(plan, figures, locale), f"{STEM}.{locale}.xlsx"
        quality, overview = page_name(QUALITY, locale), f"../../{overview_path(job.pages, locale).name}"
        around = {"overview": overview, "quality": quality if (folder / quality).is_file() else ""}
        leading = links(STEM, locale, workbook=workbook, analysis=page_name(ANALYSIS, locale), **around)
        region = f"../../{region_link(plan.region_id, locale)}" if plan.region_id in analysis.regions else ""
        beside = {"overview": overview, "region": region, "plan": page_name(STEM, locale)} | around
        made[folder / page_name(ANALYSIS, locale)] = dealer_page(scope, locale, beside)
        made[folder / page_name(STEM, locale)] = render("plan.html.j2", page, locale, leading).encode("utf-8")
        made[folder / workbook] = plan_workbook(page, plan, figures)
    return made


def write_overview(job: Job, outcomes: list[Outcome]) -> Outcome:
    """The OEM's overview in every language, with what could not be delivered on it; sums up the shards.

    A dealer is one failure, whichever of its files could not be made.
    """
    first = {failure.dealer_id: failure for outcome in reversed(outcomes) for failure in outcome.failures}
    failures, failed = tuple(first.values()), set(first)
    plans = ledger.plans(Database.of(job.workspace), job.cycle.name)
    figures = CycleFigures(job)
    analysis = AnalysisFigures.of(figures)
    analyses = write_analyses(job, analysis, [one.dealer_id for one in plans if one.dealer_id not in failed])
    feedback = write_page(job)
    said = tuple(Failure(failure.dealer_id, failure.key, failure.params) for failure in failures)
    for locale in LOCALES:
        addresses = {
            plan.dealer_id: quote(f"dealers/{folder_name(plan.dealer_id)}/{page_name(STEM, locale)}")
            for plan in plans
            if plan.dealer_id not in failed
        }
        regions = {region: region_link(region, locale) for region in analysis.regions}
        page = national_page(job.cycle, figures.nation(plans, addresses, said, regions), locale)
        docs = docs_path(job, locale)
        quality = docs.relative_to(job.pages).as_posix() if docs.is_file() else ""
        around = replace(overview_links(analysis, locale), quality=quality, product=page_name(PRODUCT, locale))
        write_text(overview_path(job.pages, locale), render("national.html.j2", page, locale, around))
    dealers = len({plan.dealer_id for plan in plans} | failed)
    files = sum(int(str(outcome.counts["files"])) for outcome in outcomes) + len(LOCALES) + analyses + feedback
    return Outcome(counts={"dealers": dealers - len(failures), "files": files}, failures=failures, dealers=dealers)


def overview_path(pages: Path, locale: str) -> Path:
    """The OEM's overview of a cycle, in the cycle's folder of pages."""
    return pages / page_name("index", locale)
