"""What people see of data quality: dealers' quality pages and correction workbooks, the Data Docs, the gate table."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from models.messages import LOCALES
from reports.correction_workbook import correction_workbook
from tasks.correction_books import CorrectionLists
from tasks.correction_tokens import ISSUED, record
from tasks.folders import folder_name
from tasks.job import Job


def dealer_folder(job: Job, dealer_id: str) -> Path:
    """Where the cycle's files for a dealer lie."""
    return job.pages / "dealers" / folder_name(dealer_id)


def write_workbooks(job: Job, dealers: Collection[str]) -> dict[str, int]:
    """The correction workbooks of those of ``dealers`` that have rows to correct, readable by their owner only.

    Answers the rows listed per dealer. Each making is recorded: it shows personal data (domain.md section 12).
    """
    lists = CorrectionLists(job, dealers)
    made: dict[str, int] = {}
    for locale in LOCALES:
        for dealer_id, book in lists.books(locale):
            write_private(dealer_folder(job, dealer_id) / f"corrections.{locale}.xlsx", correction_workbook(book))
            made[dealer_id] = book.listed
    for dealer_id, rows in made.items():
        record(
        )
    return made


def write_private(path: Path, content: bytes) -> None:
    """Write a file only its owner may read, so that others see the old or the new content, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)
    half.replace(path)
