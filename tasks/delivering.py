"""The step deliver: plans issued, every dealer's folder of pages and workbooks, the OEM's overview."""

from __future__ import annotations

import re
from pathlib import Path

from models import ledger
from models.database import Database
from models.enums import Role
from models.messages import LOCALES, text
from models.schemas import OEM, Actor
from reports.html import render
from reports.national_page import national_page
from reports.plan_page import plan_page
from reports.plan_workbook import plan_workbook
from tasks.figures import CycleFigures
from tasks.job import DealerFailure, Job, Outcome
from tasks.results import fingerprint, write_bytes, write_text

ISSUER = Actor("cycle", Role.OEM, OEM)
_UNSAFE = re.compile(r"[^\w.-]+")


def folder_name(identifier: str) -> str:
    """A folder name for an id of the input: itself where it is plain, else made plain and unique."""
    plain = _UNSAFE.sub("_", identifier).strip("._")
    return plain if plain == identifier else f"{plain}-{fingerprint(identifier)[:6]}".lstrip("-")


def issue_and_list(job: Job) -> list[str]:
    """Issue the cycle's drafted plans in the OEM's name, dated at ``as_of``; the dealers that have a plan."""
    db = Database.of(job.workspace)
    ledger.issue_cycle(db, job.cycle.name, actor=ISSUER, at=db.instant(job.cycle.as_of))
    return [plan.dealer_id for plan in ledger.plans(db, job.cycle.name)]


def write_dealers(job: Job, dealers: list[str]) -> Outcome:
    """The folders of these dealers; one that fails is reported and does not stop the others."""
    figures = CycleFigures(job)
    wanted = set(dealers)
    plans = [plan for plan in ledger.plans(Database.of(job.workspace), job.cycle.name) if plan.dealer_id in wanted]
    failures, files = [], 0
    for plan in plans:
        try:
            folder = job.pages / "dealers" / folder_name(plan.dealer_id)
            for locale in LOCALES:
                page = plan_page(plan, figures.dealer(plan.dealer_id, locale), locale)
                write_text(folder / f"plan.{locale}.html", render("plan.html.j2", page, locale))
                write_bytes(folder / f"plan.{locale}.xlsx", plan_workbook(page, plan))
                files += 2
        except Exception as error:
            failures.append(DealerFailure(plan.dealer_id, "deliver.failed", {"error": type(error).__name__}))
    return Outcome(counts={"files": files}, failures=tuple(failures), dealers=len(plans))


def write_overview(job: Job, outcomes: list[Outcome]) -> Outcome:
    """The OEM's overview in every language, with what could not be delivered on it; sums up the shards."""
    failures = tuple(failure for outcome in outcomes for failure in outcome.failures)
    failed = {failure.dealer_id for failure in failures}
    plans = ledger.plans(Database.of(job.workspace), job.cycle.name)
    figures = CycleFigures(job)
    for locale in LOCALES:
        links = {
            plan.dealer_id: f"dealers/{folder_name(plan.dealer_id)}/plan.{locale}.html"
            for plan in plans
            if plan.dealer_id not in failed
        }
        said = tuple(f"{failure.dealer_id}: {text(failure.key, locale, **failure.params)}" for failure in failures)
        page = national_page(job.cycle, figures.nation(plans, links, said, locale), locale)
        write_text(overview_path(job.pages, locale), render("national.html.j2", page, locale))
    dealers = sum(outcome.dealers for outcome in outcomes)
    files = sum(int(str(outcome.counts["files"])) for outcome in outcomes) + len(LOCALES)
    return Outcome(counts={"dealers": dealers - len(failures), "files": files}, failures=failures, dealers=dealers)


def overview_path(pages: Path, locale: str) -> Path:
    """The OEM's overview of a cycle, in the cycle's folder of pages."""
    return pages / f"index.{locale}.html"
