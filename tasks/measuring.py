"""The steps filter and measure: verdicts on filings, facts per lead, and their sums per month and cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from models.catalogue.filter_rules import filter_rules
from models.catalogue.indicators import Base, indicators
from models.catalogue.text_rules import text_rules
from models.enums import DefeatVerdict
from tasks.compute.cohorts import cohort_sums, cohort_tables
from tasks.compute.defeat_filter import defeats_of_cycle, judge_defeats
from tasks.compute.fact_sums import by_month, fact_sums, facts_of
from tasks.compute.known import as_known
from tasks.compute.lead_facts import OF_DEFEATS, lead_facts, open_facts
from tasks.compute.lead_facts import REASONS as REASON_FACTS
from tasks.compute.reason_table import reason_sums
from tasks.compute.reviewed_texts import reviewed_texts
from tasks.compute.revisits import asked_customers
from tasks.compute.text_coding import coder
from tasks.compute.text_model import learn
from tasks.job import Job, Outcome
from tasks.planning import months_back
from tasks.sums import REASONS, write_contents, write_month

COHORTS = ("cohort_sums", "cohorts", "cohort_ages", "maturity")
YEAR = 12  # months kept beyond the history, for the same month of the year before
_LEADS = (
    "lead_id",
    "dealer_id",
    "consultant_id",
    "source",
    "series",
    "created_at",
    "first_contact_at",
    "visited_at",
    "test_drive_at",
    "quoted_at",
    "ordered_at",
    "delivered_at",
    "defeated_at",
    "status",
    "contact_count",
    "last_contact_at",
    "next_contact_at",
    "quoted_price",
)
_FILED = ("lead_id", "defeated_at", "reviewed_at", "reviewed_by")
_CALLED = ("lead_id", "called_at", "reached")
_SOLD = ("sale_id", "dealer_id", "phone_key", "lead_id", "sold_at", "customer_type")
#: What the filter reads of each accepted table, with the cells that tell what was known when.
JUDGED: Mapping[str, tuple[str, ...]] = {
    "dealers": ("dealer_id", "region_id"),
    "leads": (*_LEADS, "phone_key"),
    "defeats": (*_FILED, "destination", "competitor_brand", "reason_code", "reason_text"),
    "revisits": (
        *_CALLED,
        "purchased",
        "destination",
        "bought_brand",
        "bought_dealer_id",
        "reason_codes",
        "reason_text",
    ),
    "sales": _SOLD,
}


def known_tables(job: Job, columns: Mapping[str, tuple[str, ...]]) -> dict[str, pd.DataFrame]:
    """These columns of accepted tables as known at the cycle's ``as_of``; a table never loaded is empty."""
    tables = {name: job.lake.read("accepted", name, columns=of) for name, of in columns.items()}
    return as_known(tables, pd.Timestamp(job.cycle.as_of))


def measured_columns() -> dict[str, tuple[str, ...]]:
    """What facts of leads are made from, per accepted table."""
    asked = filter_rules().questionnaire
    questions = dict.fromkeys((*_CALLED, *asked.required, *asked.required_after_test_drive))
    return {"dealers": JUDGED["dealers"], "leads": _LEADS, "defeats": _FILED, "revisits": tuple(questions)}


def history_from(job: Job) -> pd.Timestamp:
    """First day of the months a cycle's results reach back over."""
    return pd.Timestamp(months_back(job.cycle, job.workspace.settings.history_months + YEAR)[0])


def judge_filings(job: Job) -> Outcome:
    """The defeat filter over the history: every filing true, quasi or false (domain.md section 7).

    Free text is coded by keywords, and where they are silent by a model learnt from this cycle's reviewed texts;
    ``text_coding`` says how good both are on wordings they had not seen, or why there is no model.
    """
    tables = known_tables(job, JUDGED)
    start = history_from(job)
    asked = asked_customers(tables, start)
    learnt = learn(reviewed_texts(asked), text_rules().model, coder())
    defeats = judge_defeats(tables, filter_rules(), start, learnt.model, asked)
    job.results.write("defeats", defeats)
    job.results.write("text_coding", learnt.accuracy.assign(cycle=job.cycle.name))
    verdicts = defeats_of_cycle(defeats, job.cycle.name)["verdict"].value_counts()
    counts = {word.value: int(verdicts.get(word.value, 0)) for word in DefeatVerdict}
    return Outcome(("defeats", "text_coding"), {"filings": sum(counts.values()), **counts})


def measure(job: Job) -> Outcome:
    """Facts of leads and reasons as additive sums per month and cell, a month at a time (design.md section 1)."""
    as_of, rules = pd.Timestamp(job.cycle.as_of), filter_rules()
    known = known_tables(job, measured_columns())
    facts = lead_facts(known, job.results.read("defeats", list(OF_DEFEATS)), rules, as_of, history_from(job))
    months = months_back(job.cycle, job.workspace.settings.history_months + YEAR)
    names: list[str] = []
    written: list[tuple[str, str, int]] = []
    for base, month, sums in _monthly_sums(facts, months, as_of):
        if sums.empty:  # a month of leads that all leave the rates
            continue
        names.append(write_month(job.results, base, month, sums))
        written.append((base, month, len(sums)))
    write_contents(job.results, written)
    counts = cohort_sums(facts, as_of, history_from(job))
    tables = (counts, *cohort_tables(counts, as_of))
    for name, frame in zip(COHORTS, tables, strict=True):
        job.results.write(name, frame)
    cells = sum(many for base, _, many in written if base == Base.CLOSING)
    return Outcome((*names, "sums", *COHORTS), {"indicators": len(indicators().summed), "rows": cells})


def _monthly_sums(
    facts: pd.DataFrame, months: Sequence[str], as_of: pd.Timestamp
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """(base, month, sums) of every base and of the reasons, one month in memory at a time."""
    summed = indicators().summed
    for base in (Base.CLOSING, Base.CREATED, Base.FILED):
        names = facts_of(base, summed)
        for month, rows in by_month(facts, base, (*names, *REASON_FACTS)):
            yield base, month, fact_sums(rows, base, names)
            if base is Base.CLOSING:
                yield REASONS, month, reason_sums(rows)
    for month in months:
        rows = open_facts(facts, (month,), as_of, filter_rules())
        yield Base.MONTH_END, month, fact_sums(rows, Base.MONTH_END, facts_of(Base.MONTH_END, summed))
