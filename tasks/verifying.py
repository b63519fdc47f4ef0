"""The step verify: what became of the measures of earlier plans, judged as fixed when they were approved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date

import pandas as pd

from models import ledger
from models.catalogue.indicators import indicators
from models.catalogue.playbook import REASON_PREFIX
from models.database import Database
from models.enums import EffectVerdict
from models.facts import Cycle
from models.schemas import Measure, OpenMeasure
from tasks.compute.judgement.pool import pool
from tasks.compute.judgement.verify import EFFECT_COLUMNS, PASSED, facts, verify
from tasks.job import Job, Outcome
from tasks.planning import SUM_COLUMNS, indicator_counts, quality, reason_counts
from tasks.results import Results, published_cycles

LOOKS = (3, 6)  # verification.md step 9: at three months, once more at six


def verify_earlier(job: Job) -> Outcome:
    """Judge every open measure of earlier cycles, record the looks, and give settled plans their verdict.

    Writes ``measures``: what each measure did over all dealers that have carried it out (exports.md).
    """
    db = Database.of(job.workspace)
    at = db.instant(job.cycle.as_of)
    frames = list(_by_indicator(job, db))
    looks = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*EFFECT_COLUMNS, *PASSED])
    job.results.write("effects", looks)
    effects = facts(looks)
    ledger.record_effects(db, job.cycle, effects, at=at)
    ledger.settle(db, job.cycle.name, at=at)
    ledger.settle_short(db, job.cycle.name, {dealer: entry.gate for dealer, entry in quality(job).items()}, at=at)
    job.results.write("measures", _record(job, looks))
    verdicts = Counter(effect.verdict for effect in effects)
    counts = {
        "measures": len(effects),
        "effective": verdicts[EffectVerdict.EFFECTIVE],
        "no_effect": verdicts[EffectVerdict.NO_EFFECT],
        "worse": verdicts[EffectVerdict.WORSE],
        "not_enough": verdicts[EffectVerdict.NOT_ENOUGH],
        "not_executed": sum(effect.executed is False for effect in effects),
    }
    return Outcome(("effects", "measures"), counts)


def _by_indicator(job: Job, db: Database) -> Iterator[pd.DataFrame]:
    """The looks of this cycle, one indicator after the other."""
    due = ledger.open_measures(db, job.cycle.name)
    if not due:
        return
    wanted = {measure.registration.indicator for measure in due}
    sums = job.results.read("sums", SUM_COLUMNS, {"indicator": {"close_rate", *wanted}})
    reason_sums = job.results.read("reason_sums")
    months = _calendar(sums, job.cycle)
    treated = _treated(db, job.cycle.name)
    counts_of = indicator_counts(sums, months, []) | reason_counts(reason_sums, months, [])
    for indicator in sorted(wanted):
        counts = counts_of.get(indicator)
        if counts is None:
            continue
        plans = _plan_table([one for one in due if one.registration.indicator == indicator], treated, months, counts)
        higher = not indicator.startswith(REASON_PREFIX) and indicators().indicators[indicator].better == "higher"
        yield verify(counts, plans, looks=LOOKS, higher_is_better=higher)


def _calendar(sums: pd.DataFrame, cycle: Cycle) -> list[str]:
    """All months of the sums up to the cycle's, none left out."""
    first = min([*sums["month"].astype("str").unique(), cycle.name])
    periods = pd.period_range(first, cycle.name, freq="M")
    return [str(period) for period in periods]


def _treated(db: Database, cycle: str) -> list[tuple[str, Measure]]:
    """Every measure approved in an earlier cycle: its dealer is no untreated one, whatever became of the plan."""
    return [
        (plan.dealer_id, measure)
        for plan in ledger.plans(db)
        if plan.cycle < cycle
        for measure in plan.measures
        if measure.registration is not None and measure.executed is not False
    ]


def _month_after(day: date) -> str:
    return f"{day.year + day.month // 12}-{day.month % 12 + 1:02d}"


def _plan_table(
    due: list[OpenMeasure], treated: list[tuple[str, Measure]], months: list[str], counts: pd.DataFrame
) -> pd.DataFrame:
    """The plans as ``verify`` takes them: measures due for a look, and the others that make a dealer treated."""
    place = {month: number for number, month in enumerate(months, 1)}
    known = set(counts["dealer_id"])
    rows = [
        {
            "dealer_id": one.dealer_id,
            "measure_id": one.measure_id,
            "plan_id": one.plan_id,
            "measure": one.measure,
            "reason": one.reason,
            "target_points": one.registration.target_points,
            "target": one.target,
            "start": place.get(one.first_month, len(months)),
            "issued_after": place.get(one.cycle, 0),
            "executed": one.executed,
            "judge": True,
        }
        for one in due
        if one.dealer_id in known
    ]
    indicator, judged = due[0].registration.indicator, {one.measure_id for one in due}
    for dealer, measure in treated:
        registration = measure.registration
        if registration is None or registration.indicator != indicator or measure.measure_id in judged:
            continue
        start = _month_after(measure.executed_on) if measure.executed_on else registration.effect_from
        if dealer in known and start in place:
            rows.append(
                {
                    "dealer_id": dealer,
                    "measure_id": measure.measure_id,
                    "target_points": registration.target_points,
                    "start": place[start],
                    "issued_after": place[start] - 1,
                    "judge": False,
                }
            )
    return pd.DataFrame(rows)


def _record(job: Job, looks: pd.DataFrame) -> pd.DataFrame:
    """The record of every measure over all dealers and all cycles up to this one."""
    earlier = [
        Results.published(job.workspace.results, cycle).read("effects")
        for cycle in published_cycles(job.workspace.results)
        if cycle < job.cycle.name
    ]
    known = [frame for frame in (*earlier, looks) if len(frame)]
    every = pd.concat(known, ignore_index=True) if known else looks
    return pool(every).assign(cycle=job.cycle.name)
