"""The steps filter and measure: verdicts on filings, facts per lead, and their sums per month and cell."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from models.catalogue.filter_rules import filter_rules
from models.catalogue.indicators import indicators
from models.catalogue.text_rules import text_rules
from models.enums import DefeatVerdict
from tasks.compute.defeat_filter import defeats_of_cycle, judge_defeats
from tasks.compute.indicators import indicator_sums
from tasks.compute.known import as_known
from tasks.compute.lead_facts import lead_facts, open_facts
from tasks.compute.reason_table import reason_sums
from tasks.compute.reviewed_texts import reviewed_texts
from tasks.compute.text_coding import coder
from tasks.compute.text_model import learn
from tasks.job import Job, Outcome
from tasks.planning import months_back

YEAR = 12  # months kept beyond the history, for the same month of the year before


def known_tables(job: Job, names: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Accepted tables as they were known at the cycle's ``as_of``; a table never loaded is empty."""
    return as_known({name: job.lake.read("accepted", name) for name in names}, pd.Timestamp(job.cycle.as_of))


def history_from(job: Job) -> pd.Timestamp:
    """First day of the months a cycle's results reach back over."""
    return pd.Timestamp(months_back(job.cycle, job.workspace.settings.history_months + YEAR)[0])


def judge_filings(job: Job) -> Outcome:
    """The defeat filter over the history: every filing true, quasi or false (domain.md section 7).

    Free text is coded by keywords, and where they are silent by a model learnt from this cycle's reviewed texts;
    ``text_coding`` says how good both are on wordings they had not seen, or why there is no model.
    """
    tables = known_tables(job, ("dealers", "leads", "defeats", "revisits", "sales"))
    start = history_from(job)
    learnt = learn(reviewed_texts(tables, start), text_rules().model, coder())
    defeats = judge_defeats(tables, filter_rules(), start, learnt.model)
    job.results.write("defeats", defeats)
    job.results.write("text_coding", learnt.accuracy.assign(cycle=job.cycle.name))
    verdicts = defeats_of_cycle(defeats, job.cycle.name)["verdict"].value_counts()
    counts = {word.value: int(verdicts.get(word.value, 0)) for word in DefeatVerdict}
    return Outcome(("defeats", "text_coding"), {"filings": sum(counts.values()), **counts})


def measure(job: Job) -> Outcome:
    """Indicators and reasons as additive sums per month and cell (design.md section 1)."""
    tables = known_tables(job, ("dealers", "leads", "defeats", "revisits"))
    defeats, rules = job.results.read("defeats"), filter_rules()
    as_of = pd.Timestamp(job.cycle.as_of)
    facts = lead_facts(tables, defeats, rules, as_of, history_from(job))
    months = tuple(months_back(job.cycle, job.workspace.settings.history_months + YEAR))
    sums = indicator_sums(facts, indicators().summed, open_facts(facts, months, as_of, rules))
    job.results.write("sums", sums)
    job.results.write("reason_sums", reason_sums(facts))
    return Outcome(("sums", "reason_sums"), {"indicators": sums["indicator"].nunique(), "rows": len(sums)})
