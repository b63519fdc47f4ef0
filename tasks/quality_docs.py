"""The Data Docs of a cycle as pages: every check and sign, the nation and each region with its dealers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import pandas as pd

from expectations import suites
from expectations.data_docs import NATION, current, signs, with_history
from models.database import Database
from models.enums import Gate, Severity
from models.ledger.frames import quality_frame
from models.messages import LOCALES
from reports.html import LANGUAGES, Links, page_name, render
from reports.quality_docs import CheckLine, DealerScoreLine, DocsFacts, RegionLine, SignLine, docs_page
from tasks.check import ACCEPTED
from tasks.folders import folder_name
from tasks.job import Job, Outcome
from tasks.quality_reports import STEM, dealer_folder, docs_path, earlier_results, number, region_page, word
from tasks.quality_signals import SignalFigures
from tasks.results import write_text


def write_data_docs(job: Job) -> Outcome:
    """The cycle's Data Docs: a page for the nation and one per region, in every language; files only, no outside host.

    Their figures stay as the result ``data_docs``, which later cycles take trend and first finding from.
    """
    dealers = job.lake.read(ACCEPTED, "dealers")
    regions = dict(zip(dealers["dealer_id"], dealers["region_id"], strict=True))
    results, db = job.results, Database.of(job.workspace)
    now = current(results.read("expectations"), quality_frame(db, job.cycle.name), results.read("problems"), regions)
    earlier = [(each.cycle, each.read("data_docs")) for each in earlier_results(job) if each.has("data_docs")]
    docs = with_history(now, earlier, job.cycle.name)
    results.write("data_docs", docs)
    pages = 0
    for region, facts in _DocsFigures(job, docs, dealers).pages():
        for locale in LOCALES:
            name = region_page(region) if region else "index.html"
            others = tuple((LANGUAGES[other], f"../{other}/{quote(name)}") for other in LOCALES if other != locale)
            page = render("quality_docs.html.j2", docs_page(facts, locale), locale, Links(others))
            write_text(docs_path(job, locale).with_name(name), page)
            pages += 1
    return Outcome(outputs=("data_docs",), counts={"pages": pages})


class _DocsFigures:
    """What the pages of the Data Docs show, from ``docs`` (checks per scope) and the dealers' scores and signs."""

    def __init__(self, job: Job, docs: pd.DataFrame, dealers: pd.DataFrame) -> None:
        self.job, self.dealers = job, dealers
        self.checks = {
            str(scope): [_check_line(line) for line in part.itertuples()] for scope, part in docs.groupby("scope")
        }
        self.scores = job.results.read("quality").set_index("dealer_id")
        earlier = earlier_results(job)
        self.before = earlier[-1].read("quality").set_index("dealer_id")["score"] if earlier else None
        self.signals = SignalFigures(job.results, earlier)
        regions = dict(zip(dealers["dealer_id"], dealers["region_id"], strict=True))
        counted = signs(self.signals.found, self.signals.before, regions, job.cycle.name)
        self.signs = {
            str(scope): [_sign_line(line) for line in part.itertuples()] for scope, part in counted.groupby("scope")
        }

    def pages(self) -> Iterator[tuple[str, DocsFacts]]:
        """Region id ("" for the nation) and the facts of its page."""
        lines = []
        for region, part in self.dealers.groupby("region_id"):
            known = self.scores.reindex(part["dealer_id"]).dropna(subset=["gate"])
            name = word(part["region_name"].iloc[0]) or str(region)
            gates = tuple(
                (gate, int((known["gate"] == gate.value).sum())) for gate in (Gate.PASS, Gate.WARN, Gate.FAIL)
            )
            flagged = sum(dealer in self.signals.flagged for dealer in part["dealer_id"])
            lines.append(
                RegionLine(name, quote(region_page(str(region))), gates, number(known["score"].median()), flagged)
            )
            rows = [self._dealer(line) for line in part.itertuples() if line.dealer_id in known.index]
            rows.sort(key=lambda line: (line.score is not None, line.score or 0.0, line.name))
            yield str(region), self._facts(name, str(region), dealers=rows)
        yield "", self._facts("", NATION, regions=lines)

    def _facts(self, name: str, scope: str, **lists: Sequence[Any]) -> DocsFacts:
        cycle = self.job.cycle
        return DocsFacts(
            *(name, cycle.name, cycle.as_of, suites.version(), self.checks.get(scope, [])),
            signs=self.signs.get(scope, []),
            untested=tuple(self.signals.network_untested.values()),
            **lists,
        )

    def _dealer(self, dealer: Any) -> DealerScoreLine:
        dealer_id, line = str(dealer.dealer_id), self.scores.loc[dealer.dealer_id]
        there = dealer_folder(self.job, dealer_id).joinpath(page_name(STEM, LOCALES[0])).is_file()
        return DealerScoreLine(
            name=f"{dealer.name} ({dealer_id})",
            link="" if not there else "../../" + quote(f"dealers/{folder_name(dealer_id)}/{STEM}"),
            score=number(line["score"]),
            before=None if self.before is None else number(self.before.get(dealer_id)),
            gate=Gate(line["gate"]),
            rows=int(line["rows"]),
            apart=int(line["quarantined"]),
            signs=tuple(self.signals.flagged.get(dealer_id, ())),
        )


def _sign_line(line: Any) -> SignLine:
    before = None if pd.isna(line.dealers_before) else int(line.dealers_before)
    counts = int(line.tested), int(line.dealers), int(line.rows), before, int(line.still)
    return SignLine(str(line.signal), *counts, str(line.first_seen))


def _check_line(line: Any) -> CheckLine:
    said = {name: getattr(line, name) for name in ("table", "rule", "outcome", "first_seen")}
    return CheckLine(
        **said,
        column=word(line.column) or "",
        severity=Severity(line.severity),
        note=word(line.note) or "",
        checked=int(line.checked),
        failed=int(line.failed),
        share=number(line.share),
        share_before=number(line.share_before),
    )
