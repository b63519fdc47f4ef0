"""What dealers see of data quality: quality pages and correction workbooks; the gate table of a run."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from expectations.scoring import SIGNALS, weights
from expectations.view import UNASSIGNED
from models.database import Database
from models.enums import Gate
from models.ledger.frames import scores_frame
from models.messages import LOCALES, text
from reports.correction_workbook import correction_workbook
from reports.html import links, page_name, render
from reports.quality_page import DIMENSIONS, Corrected, DealerQuality, Loss, TrendPoint, quality_page
from tasks.check import ACCEPTED
from tasks.correction_books import CorrectionLists, state_of
from tasks.correction_tokens import ISSUED, history, record
from tasks.folders import folder_name
from tasks.job import DealerFailure, Job, Outcome
from tasks.quality_signals import SignalFigures
from tasks.results import Results, published_cycles, write_text

STEM = "quality"
EXAMPLES = 5  # ids of failing rows named beside a problem
_ROW = ["dealer_id", "table", "row_key", "rule", "column"]


def dealer_folder(job: Job, dealer_id: str) -> Path:
    """Where the cycle's files for a dealer lie."""
    return job.pages / "dealers" / folder_name(dealer_id)


def docs_path(job: Job, locale: str) -> Path:
    """The first page of the cycle's Data Docs."""
    return job.pages / "data-docs" / locale / "index.html"


def region_page(region: str) -> str:
    """The file of a region's page of the Data Docs."""
    return f"region-{folder_name(region)}.html"


def write_quality(job: Job, dealers: Collection[str]) -> Outcome:
    """Quality page and correction workbook of these dealers, in every language; one that fails stops no other.

    With ``_unassigned`` among them, the OEM's workbook of rows nobody owns (without names and phones) is made too.
    """
    listed, failures = write_workbooks(job, dealers)
    figures = QualityFigures(job, tuple(dealers))
    pages = 0
    served = [dealer_id for dealer_id in dealers if dealer_id in figures.quality.index and dealer_id != UNASSIGNED]
    for dealer_id in served:
        try:
            facts = figures.dealer(dealer_id, listed.get(dealer_id, 0))
            for locale in LOCALES:
                page = render("quality.html.j2", quality_page(facts, locale), locale, links(STEM, locale))
                write_text(dealer_folder(job, dealer_id) / page_name(STEM, locale), page)
                pages += 1
        except Exception as error:
            failures.append(_failure(dealer_id, error))
    counts = {"files": pages + len(LOCALES) * len(listed), "workbooks": len(listed)}
    ownerless = [failure for failure in failures if failure.dealer_id == UNASSIGNED]
    locale = job.workspace.settings.locale
    return Outcome(
        counts=counts,
        failures=tuple(failure for failure in failures if failure.dealer_id != UNASSIGNED),
        dealers=len(served),
        problems=tuple(f"{UNASSIGNED}: {text(failure.key, locale, **failure.params)}" for failure in ownerless),
    )


def _failure(dealer_id: str, error: Exception) -> DealerFailure:
    return DealerFailure(dealer_id, "deliver.failed", {"error": type(error).__name__})


def write_workbooks(job: Job, dealers: Collection[str]) -> tuple[dict[str, int], list[DealerFailure]]:
    """The correction workbooks of those of ``dealers`` that have rows to correct, readable by their owner only.

    Answers the rows listed per dealer, and the dealers whose workbook could not be written. Each making is recorded:
    it shows personal data (domain.md section 12). What an earlier run made for a dealer that has nothing left to
    correct is removed.
    """
    lists = CorrectionLists(job, dealers)
    made: dict[str, int] = {}
    failed: dict[str, DealerFailure] = {}
    for locale in LOCALES:
        for dealer_id, book in lists.books(locale):
            try:
                write_private(_workbook_path(job, dealer_id, locale), correction_workbook(book))
                made[dealer_id] = book.listed
            except OSError as error:
                failed[dealer_id] = _failure(dealer_id, error)
        for dealer_id in set(dealers) - set(made) - set(failed):
            path = _workbook_path(job, dealer_id, locale)
            if path.exists():
                path.unlink()
    for dealer_id, rows in made.items():
        record(job.workspace, ISSUED, dealer_id, cycle=job.cycle.name, actor="cycle", rows=rows)
    return made, list(failed.values())


def _workbook_path(job: Job, dealer_id: str, locale: str) -> Path:
    return dealer_folder(job, dealer_id) / f"corrections.{locale}.xlsx"


def write_private(path: Path, content: bytes) -> None:
    """Write a file only its owner may read, so that others see the old or the new content, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)
    half.replace(path)


class QualityFigures:
    """What the quality pages of ``dealers`` show, gathered from the cycle's results, the ledger and the records."""

    def __init__(self, job: Job, dealers: tuple[str, ...]) -> None:
        self.job, self.dealers, self.db = job, dealers, Database.of(job.workspace)
        self.quality = job.results.read("quality").set_index("dealer_id")
        self.earlier = earlier_results(job)
        self.signals = SignalFigures(job.results, self.earlier, dealers)

    @cached_property
    def _names(self) -> pd.DataFrame:
        return self.job.lake.read(ACCEPTED, "dealers").set_index("dealer_id")

    @cached_property
    def _problems(self) -> pd.DataFrame:
        found = self.job.results.read("problems", [*_ROW, "severity"])
        return found[found["dealer_id"].isin(self.dealers)].fillna({"column": ""})

    @cached_property
    def _before(self) -> pd.DataFrame | None:
        """The failing rows of the last published cycle before this one; None without one."""
        if not self.earlier or not self.earlier[-1].has("problems"):
            return None
        found = self.earlier[-1].read("problems", [*_ROW, "severity"])
        return found[found["dealer_id"].isin(self.dealers)].fillna({"column": ""})

    @cached_property
    def _losses(self) -> dict[str, list[Loss]]:
        grouped = self._problems.groupby(["dealer_id", "table", "rule"])
        columns, ids = (
            grouped["column"].unique(),
            grouped["row_key"].agg(lambda keys: keys.dropna().unique()[:EXAMPLES]),
        )
        found: dict[str, list[Loss]] = {}
        frame = self.job.results.read("losses")
        for line in frame[frame["dealer_id"].isin(self.dealers)].itertuples():
            place = line.dealer_id, line.table, line.rule
            names = columns.get(place, ())
            rows = 0 if pd.isna(line.rows) else int(line.rows)
            loss = Loss(
                *(line.table, line.rule, line.dimension, tuple(sorted(filter(None, names)))),
                *(int(line.failed), max(rows, int(line.failed)), float(line.points), tuple(ids.get(place, ()))),
            )
            found.setdefault(line.dealer_id, []).append(loss)
        return {dealer: sorted(losses, key=lambda each: -each.points) for dealer, losses in found.items()}

    @cached_property
    def _scores(self) -> pd.DataFrame:
        scores = scores_frame(self.db)
        return scores[(scores["cycle"] <= self.job.cycle.name) & (scores["dealer_id"] != UNASSIGNED)]

    @cached_property
    def _medians(self) -> pd.Series:
        return self._scores.groupby("cycle")["score"].median()

    def _trend(self, dealer_id: str) -> tuple[TrendPoint, ...]:
        own = self._scores[self._scores["dealer_id"] == dealer_id].set_index("cycle")["score"]
        return tuple(
            TrendPoint(str(cycle), number(own.get(cycle)), number(median)) for cycle, median in self._medians.items()
        )

    def _mended(self, dealer_id: str) -> int | None:
        """Rows set apart or with an emptied cell last cycle that no longer are; rows without an id are not counted."""
        if self._before is None:
            return None
        keys = [_failing(frame, dealer_id) for frame in (self._before, self._problems)]
        return len({key[:2] for key in keys[0]} - {key[:2] for key in keys[1]})

    def _new(self, dealer_id: str) -> tuple[Loss, ...]:
        if self._before is None:
            return ()
        mine = self._before[self._before["dealer_id"] == dealer_id]
        before = set(zip(mine["table"], mine["rule"], strict=True))
        rules = [loss for loss in self._losses.get(dealer_id, ()) if loss.table != SIGNALS]
        return tuple(loss for loss in rules if (loss.table, loss.rule) not in before)

    def _corrections(self, dealer_id: str) -> tuple[Corrected, ...]:
        events = history(self.job.workspace, dealer_id=dealer_id).tail(5).iloc[::-1]
        return tuple(
            Corrected(self.db.local(datetime.fromisoformat(e.at)), e.actor, e.rows, e.cells, e.wrong)
            for e in events.itertuples()
        )

    def _docs(self, region: str) -> dict[str, str]:
        """The region's page of the Data Docs, from a dealer's folder."""
        return {locale: quote(f"../../data-docs/{locale}/{region_page(region)}") for locale in LOCALES}

    def dealer(self, dealer_id: str, listed: int) -> DealerQuality:
        """The facts of one dealer's page; ``listed``: rows in its correction workbook."""
        line, settings, measure = self.quality.loc[dealer_id], self.job.workspace.settings, weights()
        named = self._names.loc[dealer_id] if dealer_id in self._names.index else None
        region = "" if named is None else str(word(named["region_name"]) or named["region_id"])
        return DealerQuality(
            dealer_id=dealer_id,
            name=dealer_id if named is None else str(named["name"]),
            region=region,
            cycle=self.job.cycle.name,
            as_of=self.job.cycle.as_of,
            score=number(line["score"]),
            gate=Gate(line["gate"]),
            fail_below=settings.gate_fail_below,
            warn_below=settings.gate_warn_below,
            counts={name: int(line[name]) for name in ("rows", "accepted", "quarantined", "held", "warned")},
            dimensions={name: number(line[name]) for name in DIMENSIONS},
            losses=tuple(self._losses.get(dealer_id, ())),
            new=self._new(dealer_id),
            mended=self._mended(dealer_id),
            corrections=self._corrections(dealer_id),
            trend=self._trend(dealer_id),
            listed=listed,
            action_points={action.value: points for action, points in measure.points.items()},
            table_weights=measure.tables,
            most_by_signs=measure.signals.most,
            signs=self.signals.signs(dealer_id),
            untested=self.signals.untested(dealer_id),
            docs={} if named is None else self._docs(str(named["region_id"])),
        )


def _failing(problems: pd.DataFrame, dealer_id: str) -> set[tuple[str, str, str]]:
    mine = problems[(problems["dealer_id"] == dealer_id) & problems["row_key"].notna()]
    return {
        (str(line.table), str(line.row_key), str(line.rule))
        for line in mine.itertuples()
        if state_of(line.rule, line.severity) in ("quarantined", "emptied")
    }


def earlier_results(job: Job) -> list[Results]:
    """The published results of the cycles before this one, oldest first."""
    root = job.workspace.results
    return [Results.published(root, cycle) for cycle in published_cycles(root) if cycle < job.cycle.name]


def gate_table(job: Job) -> list[dict[str, object]]:
    """The gates as a table for Prefect's artifact: per dealer id score, gate, counts, signs to check; worst first.

    Ids and figures only, no names and nothing of customers.
    """
    quality = job.results.read("quality").sort_values(["score", "dealer_id"], na_position="first")
    flagged = SignalFigures(job.results, ()).flagged
    names = ("score", "gate", "rows", "accepted", "quarantined", "held", "warned")
    return [
        {
            "dealer": line["dealer_id"],
            **{name: None if pd.isna(line[name]) else line[name] for name in names},
            "signs_to_check": len(flagged.get(line["dealer_id"], ())),
        }
        for line in quality.to_dict("records")
    ]


def number(value: object) -> float | None:
    """A figure of a result, None where it is missing."""
    return None if value is None or pd.isna(value) else float(value)  # type: ignore[call-overload,arg-type]


def word(value: object) -> str | None:
    """A word of a result, None where it is missing."""
    return None if value is None or pd.isna(value) else str(value)  # type: ignore[call-overload]
