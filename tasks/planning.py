"""The steps diagnose and plan: sums in, comparisons, problems and plan drafts out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from models import ledger
from models.catalogue.indicators import Base, indicators
from models.catalogue.playbook import REASON_PREFIX, playbook
from models.catalogue.reasons import catalogue
from models.database import Database
from models.enums import EffectVerdict, Gate, PlanKind
from models.facts import Cycle, PlanDraft
from models.ledger.frames import verdicts_frame
from tasks.compute.destinations import competitor_table
from tasks.compute.diagnosis import Diagnosis, diagnose
from tasks.compute.fact_sums import MONTH_COLUMN, facts_of
from tasks.compute.indicators import earlier_months, indicator_table
from tasks.compute.judgement.compare import COMPARE_COLUMNS, adjust, compare
from tasks.compute.judgement.posterior import Options
from tasks.compute.learning.hold_back import held_back
from tasks.compute.planning import DataQuality, TriedMeasure, draft_plans
from tasks.compute.reason_table import ALL_LEADS, reason_table
from tasks.job import Job, Outcome
from tasks.loop import loop_indicators
from tasks.results import Results
from tasks.sums import MIX, indicator_sums, read_reason_sums, read_sums

NO_COMPARISONS = pd.DataFrame(columns=[*COMPARE_COLUMNS, "indicator"]).astype(
    dict.fromkeys(("dealer_id", "region_id", "indicator", "missing"), "str")
)


def months_back(cycle: Cycle, count: int) -> list[str]:
    """The ``count`` months up to and including the cycle's, oldest first, as ``YYYY-MM``."""
    last = cycle.starts.year * 12 + cycle.starts.month - 1
    return [f"{month // 12}-{month % 12 + 1:02d}" for month in range(last - count + 1, last + 1)]


def judged_indicators() -> dict[str, str]:
    """The indicators dealers are compared by (shares with a better direction that the playbook answers): better."""
    schemes = playbook().indicator_schemes
    return {
        code: entry.better
        for code, entry in indicators().indicators.items()
        if entry.computed and entry.unit == "share" and entry.better != "none" and code in schemes
    } | {"close_rate": "higher"}


def compare_dealers(job: Job) -> Outcome:
    """Each dealer against its peers, by indicator and by reason; writes comparisons, indicators, reasons, competitors.

    Dealers that fail the quality gate are left out of every comparison (domain.md section 12).
    """
    gates = quality(job)
    failed = [dealer for dealer, entry in gates.items() if entry.gate is Gate.FAIL]
    frames = _comparisons(job, failed)
    named = [frame.assign(indicator=name) for name, frame in frames.items()]
    comparisons = pd.concat(named or [NO_COMPARISONS], ignore_index=True)
    job.results.write("comparisons", comparisons)
    table = pd.concat([indicator_table(_shown(job), job.cycle.name), loop_indicators(job)], ignore_index=True)
    reasons = reason_table(read_reason_sums(job.results, [job.cycle.name]), job.cycle.name)
    job.results.write("indicators", _with_expected(table, comparisons))
    job.results.write("reasons", _with_drivers(reasons, comparisons))
    job.results.write("competitors", competitor_table(job.results.read("defeats"), job.cycle.name))
    findings = int(comparisons["flagged"].fillna(False).astype(bool).sum())
    counts = {"dealers": comparisons["dealer_id"].nunique(), "findings": findings, "excluded": len(failed)}
    return Outcome(("comparisons", "indicators", "reasons", "competitors"), counts)


def quality(job: Job) -> dict[str, DataQuality]:
    """Gate and score per dealer of the cycle."""
    frame = job.results.read("quality", ["dealer_id", "gate", "score"])
    rows = zip(frame["dealer_id"], frame["gate"], frame["score"], strict=True)
    return {str(dealer): DataQuality(Gate(gate), float(score)) for dealer, gate, score in rows}


def _shown(job: Job) -> dict[Base, pd.DataFrame]:
    """The sums of the months the table of indicators shows."""
    months = (job.cycle.name, *earlier_months(job.cycle.name))
    return {base: read_sums(job.results, base, facts_of(base, indicators().summed), months) for base in MONTH_COLUMN}


def _comparisons(job: Job, failed: list[str]) -> dict[str, pd.DataFrame]:
    """``compare`` per indicator and per ``reason:<code>``; false findings are held over all of them at once."""
    settings = job.workspace.settings
    months = months_back(job.cycle, settings.history_months)
    options = Options(minimum_cases=settings.minimum_leads)
    better = judged_indicators()
    counts = indicator_counts(job.results, better, months, failed) | reason_counts(job.results, months, failed)
    frames = {
        name: compare(
            part, window=settings.window_months, higher_is_better=better.get(name) == "higher", options=options
        )
        for name, part in counts.items()
        if len(part)
    }
    return adjust(frames, options=options) if frames else {}


def _cells(rows: pd.DataFrame, months: list[str], failed: list[str]) -> pd.DataFrame:
    """Who and when of sums as the judgement engine takes it: dealer_id, region_id, month (1..T), cell; own index."""
    month = pd.Index(months).get_indexer(pd.Index(rows["month"].cat.categories))[rows["month"].cat.codes.to_numpy()]
    series, source = rows["series"].cat, rows["source"].cat
    pair = series.codes.to_numpy().astype("int64") * len(source.categories) + source.codes.to_numpy()
    names = [f"{one}|{other}" for one in series.categories for other in source.categories]
    cell, distinct = pd.factorize(np.array(names, dtype=object), sort=True)
    cells = pd.DataFrame(
        {
            "dealer_id": rows["dealer_id"],
            "region_id": rows["region_id"],
            "month": month + 1,
            "cell": pd.Categorical.from_codes(cell[pair], categories=pd.Index(distinct, dtype="str")),
        }
    )
    return cells[(month >= 0) & ~rows["dealer_id"].isin(failed).to_numpy()]


def indicator_counts(
    results: Results, codes: Collection[str], months: list[str], failed: list[str]
) -> dict[str, pd.DataFrame]:
    """Per indicator: dealer_id, region_id, month, cell, n (denominator), x (numerator); consultants added up."""
    found = {}
    for code, sums in indicator_sums(results, codes, MIX, months).items():
        cells = _cells(sums, months, failed)
        rows = sums.loc[cells.index]
        found[code] = cells.assign(n=rows["denominator"], x=rows["numerator"]).reset_index(drop=True)
    return found


def reason_counts(results: Results, months: list[str], failed: list[str]) -> dict[str, pd.DataFrame]:
    """Per ``reason:<code>`` of level 2 that occurs: closed leads (n) and defeats for it (x), else as above."""
    sums = read_reason_sums(results, months)
    judged = [code for code, entry in catalogue().items() if entry.level == 2 and not entry.excluded]
    codes = [sums[name].cat.codes.to_numpy().astype("int64") for name in MIX]
    place = np.zeros(len(sums), dtype="int64")
    for name, part in zip(MIX, codes, strict=True):
        place = place * len(sums[name].cat.categories) + part
    leads = (sums["reason"] == ALL_LEADS).to_numpy()
    row = pd.Index(place[leads]).get_indexer(pd.Index(place))
    cells = _cells(sums[leads].reset_index(drop=True), months, failed)
    n = sums.loc[leads, "leads"].to_numpy()[cells.index]
    used = sums["used"].to_numpy().astype("float64")
    found = {}
    for code in judged:
        mine = np.flatnonzero((sums["reason"] == code).to_numpy() & (used > 0) & (row >= 0))
        if len(mine):
            events = np.bincount(row[mine], weights=used[mine], minlength=int(leads.sum()))
            found[REASON_PREFIX + code] = cells.assign(n=n, x=events[cells.index]).reset_index(drop=True)
    return found


def _with_expected(table: pd.DataFrame, comparisons: pd.DataFrame) -> pd.DataFrame:
    """The dealers' rows with what their peers would have; other scopes have no peers and stay empty."""
    drop = ["expected", "gap_points", "lo90", "hi90", "flagged"]
    filled = comparisons[["dealer_id", "indicator", *drop]].rename(columns={"dealer_id": "scope_id"})
    return table.drop(columns=drop, errors="ignore").merge(
        filled.assign(scope="dealer"), on=["scope", "scope_id", "indicator"], how="left"
    )


def _with_drivers(table: pd.DataFrame, comparisons: pd.DataFrame) -> pd.DataFrame:
    """The dealers' reason rows with gap, interval and rank; 1: the reason that costs the dealer most against peers."""
    rows = comparisons[comparisons["indicator"].str.startswith(REASON_PREFIX)].copy()
    rows["reason"] = rows["indicator"].str.removeprefix(REASON_PREFIX)
    judged = rows[rows["gap_points"].notna()]
    rank = judged.groupby("dealer_id")["gap_points"].rank(method="first", ascending=False)
    rows["driver_rank"] = rank.reindex(rows.index).astype("Int64")
    columns = ["gap_points", "lo90", "hi90", "driver_rank"]
    rows = rows.rename(columns={"dealer_id": "scope_id"})[["scope_id", "reason", *columns]]
    return table.drop(columns=columns, errors="ignore").merge(
        rows.assign(scope="dealer"), on=["scope", "scope_id", "reason"], how="left"
    )


def draft(job: Job) -> Outcome:
    """Problems and plans per dealer, saved as drafts; plans already issued are never touched."""
    settings = job.workspace.settings
    db = Database.of(job.workspace)
    found = diagnoses(job)
    dealers = job.lake.read("accepted", "dealers", columns=["dealer_id", "region_id"])
    regions = dict(zip(dealers["dealer_id"], dealers["region_id"].fillna(""), strict=True))
    measures = job.results.read("measures") if job.results.has("measures") else None
    drafts = draft_plans(
        job.cycle,
        regions,
        found,
        quality(job),
        playbook(),
        measure_records=measures,
        previous_plans=_tried(db, job.cycle.name),
        settings=settings,
    )
    drafts = _held_back(job, drafts)
    saved = ledger.save_plan_drafts(db, job.cycle, drafts, at=db.instant(job.cycle.as_of))
    kinds = Counter(plan.kind for plan in drafts)
    return Outcome(
        ("hold_back",),
        counts={kind.value: kinds.get(kind, 0) for kind in PlanKind} | {"kept": len(saved.kept)},
        dealers=len(drafts),
    )


def _held_back(job: Job, drafts: list[PlanDraft]) -> list[PlanDraft]:
    """The drafts, those of dealers held back by chance without measures; writes ``hold_back``: who was eligible, held.

    Off by default (setting ``hold_back_share``); see docs/learning.md.
    """
    settings = job.workspace.settings
    eligible = [plan.dealer_id for plan in drafts if plan.measures]
    held = set(held_back(eligible, job.cycle.name, settings.hold_back_share, settings.chance_seed))
    rows = [(job.cycle.name, dealer, dealer in held, settings.hold_back_share) for dealer in eligible]
    columns = {"cycle": "str", "dealer_id": "str", "held": "bool", "share": "float64"}
    job.results.write("hold_back", pd.DataFrame(rows, columns=list(columns)).astype(columns))
    return [
        replace(plan, kind=PlanKind.KEEP, measures=(), note="plan_note.held_back", note_params={})
        if plan.dealer_id in held
        else plan
        for plan in drafts
    ]


def diagnoses(job: Job) -> dict[str, Diagnosis]:
    """What each dealer loses deals by, from the cycle's comparisons."""
    settings = job.workspace.settings
    months = months_back(job.cycle, settings.window_months)
    closed = read_sums(job.results, Base.CLOSING, ["closed"], months, ["dealer_id"])
    return diagnose(
        job.results.read("comparisons"),
        {str(dealer): int(count) for dealer, count in zip(closed["dealer_id"], closed["closed"], strict=True)},
        playbook=playbook(),
        reasons=catalogue(),
        better={code: entry.better for code, entry in indicators().indicators.items()},
        months=months,
        settings=settings,
        examples=_examples(job, months),
    )


def _examples(job: Job, months: list[str]) -> Mapping[tuple[str, str], list[str]]:
    """Leads behind each dealer's reason, newest first: ids of the dealer's own system, nothing personal."""
    defeats = job.results.read("defeats", ["dealer_id", "lead_id", "reason", "filed_month", "filed_at"])
    known = defeats[defeats["filed_month"].isin(months) & defeats["reason"].notna()]
    newest = known.sort_values(["filed_at", "lead_id"], ascending=[False, True])
    top = newest.groupby(["dealer_id", "reason"], observed=True).head(20)
    return {
        (str(dealer), REASON_PREFIX + str(reason)): list(part)
        for (dealer, reason), part in top.groupby(["dealer_id", "reason"], observed=True)["lead_id"]
    }


def _tried(db: Database, cycle: str) -> list[TriedMeasure]:
    """The measures of plans of earlier cycles and what became of them."""
    looks = verdicts_frame(db)
    known = looks[looks["cycle"] < cycle]
    last = {row.measure_id: EffectVerdict(str(row.verdict)) for row in known.itertuples()}
    return [
        TriedMeasure(
            plan.dealer_id,
            plan.cycle,
            measure.measure,
            measure.reason,
            plan.state,
            measure.executed,
            last.get(measure.measure_id),
        )
        for plan in ledger.plans(db)
        if plan.cycle < cycle
        for measure in plan.measures
    ]
