"""The step verify: what became of the measures of earlier plans, judged as fixed when they were approved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from models import ledger
from models.catalogue.follow_ups import follow_ups
from models.catalogue.indicators import indicators
from models.catalogue.playbook import REASON_PREFIX, playbook
from models.database import Database
from models.enums import EffectVerdict
from models.lifecycle import TOO_EARLY, month_after
from models.schemas import Measure, OpenMeasure
from tasks.compute.judgement.verify import EFFECT_COLUMNS, PASSED, facts, unjudged, verify
from tasks.compute.learning.following import following
from tasks.compute.learning.hold_back import period
from tasks.compute.learning.record import record
from tasks.compute.learning.self_checks import self_checks
from tasks.job import Job, Outcome
from tasks.planning import indicator_counts, quality, reason_counts
from tasks.results import Results, published_cycles
from tasks.sums import stored_months

CLOSE_RATE = "close_rate"
OUTPUTS = ("effects", "measures", "follow_ups", "self_checks")


def verify_earlier(job: Job) -> Outcome:
    """Judge every open measure of earlier cycles, record the looks, and give settled plans their verdict.

    Writes ``effects`` (one row per measure and look; one that comes too early says so), ``measures`` (the record of
    every measure over all dealers, in the order in which plans propose them now), ``follow_ups`` (what follows on each
    verdict) and ``self_checks`` (how far the judgements themselves can be trusted; what the programme brought).
    """
    desk = _Desk(job, Database.of(job.workspace))
    at = desk.db.instant(job.cycle.as_of)
    frames = list(_by_indicator(desk))
    looks = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*EFFECT_COLUMNS, *PASSED])
    job.results.write("effects", looks)
    effects = facts(looks)
    ledger.record_effects(desk.db, job.cycle, effects, at=at)
    ledger.settle(desk.db, job.cycle.name, at=at)
    gates = {dealer: entry.gate for dealer, entry in quality(job).items()}
    ledger.settle_short(desk.db, job.cycle.name, gates, at=at)
    measures = _record(job, looks)
    job.results.write("measures", measures)
    job.results.write("follow_ups", _following(desk, looks, measures))
    job.results.write("self_checks", _checks(desk, looks))
    verdicts = Counter(effect.verdict for effect in effects)
    counts = {
        "measures": len(effects),
        "effective": verdicts[EffectVerdict.EFFECTIVE],
        "no_effect": verdicts[EffectVerdict.NO_EFFECT],
        "worse": verdicts[EffectVerdict.WORSE],
        "not_enough": verdicts[EffectVerdict.NOT_ENOUGH],
        "not_executed": sum(effect.executed is False for effect in effects),
    }
    return Outcome(OUTPUTS, counts)


@dataclass(frozen=True)
class _Desk:
    """What verification works on; read once."""

    job: Job
    db: Database

    @cached_property
    def due(self) -> tuple[OpenMeasure, ...]:
        """The measures this cycle looks at."""
        return ledger.open_measures(self.db, self.job.cycle.name)

    @cached_property
    def treated(self) -> list[tuple[str, str, Measure]]:
        """(dealer, cycle, measure) of every measure approved in an earlier cycle and not known to be left undone.

        Their dealers are no untreated ones, whatever became of the plan.
        """
        return [
            (plan.dealer_id, plan.cycle, measure)
            for plan in ledger.plans(self.db)
            if plan.cycle < self.job.cycle.name
            for measure in plan.measures
            if measure.registration is not None and measure.executed is not False
        ]

    @cached_property
    def judged(self) -> set[str]:
        """The close rate and every indicator a measure due is judged by."""
        return {CLOSE_RATE, *(judged_by(one.registration.indicator) for one in self.due)}

    @cached_property
    def months(self) -> list[str]:
        """All months of the sums up to the cycle's, none left out."""
        bases = {one.base for one in indicators().summed if one.code in self.judged}
        first = min([*stored_months(self.job.results, bases), self.job.cycle.name])
        return [str(month) for month in pd.period_range(first, self.job.cycle.name, freq="M")]

    @cached_property
    def place(self) -> dict[str, int]:
        """Number of each month, from 1."""
        return {month: number for number, month in enumerate(self.months, 1)}

    @cached_property
    def counts(self) -> dict[str, pd.DataFrame]:
        """Counts by indicator and by ``reason:<code>``."""
        reasons = any(one.registration.indicator.startswith(REASON_PREFIX) for one in self.due)
        found = indicator_counts(self.job.results, self.judged, self.months, [])
        if reasons:
            found |= reason_counts(self.job.results, self.months, [])
        return found


def judged_by(indicator: str) -> str:
    """The share that judges a measure fixed on ``indicator`` (docs/judge.md, Durations); empty when there is none."""
    return indicator if indicator.startswith(REASON_PREFIX) else indicators().judged(indicator)


def _by_indicator(desk: _Desk) -> Iterator[pd.DataFrame]:
    """The looks of this cycle, one indicator after the other; what was looked at before at the same months is left out.

    Looking again at the same figures every month would find by chance what is not there.
    """
    for indicator in sorted({one.registration.indicator for one in desk.due}):
        due = [one for one in desk.due if one.registration.indicator == indicator]
        share = judged_by(indicator)
        counts = desk.counts.get(share)
        known = set() if counts is None else set(counts["dealer_id"])
        without = [one for one in due if one.dealer_id not in known]
        if without:
            why = "judge.why.no_share" if not share else "judge.why.no_counts"
            yield unjudged(_rows(without, desk), why)
        judged = [one for one in due if one.dealer_id in known]
        if counts is None or not judged:
            continue
        plans = pd.DataFrame(_rows(judged, desk) + _others(judged, desk, known))
        if share != indicator:
            plans = plans.assign(target_points=float("nan"), target=float("nan"))
        higher = not share.startswith(REASON_PREFIX) and indicators().indicators[share].better == "higher"
        looks = verify(counts, plans, looks=follow_ups().look_months, higher_is_better=higher)
        if share != indicator:
            looks["notes"] = [";".join(filter(None, ("judge.note.twin", notes))) for notes in looks["notes"]]
        yield _new(looks, judged)


def _new(looks: pd.DataFrame, due: list[OpenMeasure]) -> pd.DataFrame:
    taken = {(one.measure_id, months) for one in due for months in one.looked_at}
    keys = zip(looks["measure_id"], looks["months"], strict=True)
    return looks[[key not in taken for key in keys]].reset_index(drop=True)


def _rows(due: list[OpenMeasure], desk: _Desk) -> list[dict[str, object]]:
    """The measures due for a look as ``verify`` takes them."""
    return [
        {
            "dealer_id": one.dealer_id,
            "region_id": one.region_id,
            "measure_id": one.measure_id,
            "plan_id": one.plan_id,
            "measure": one.measure,
            "reason": one.reason,
            "indicator": one.registration.indicator,
            "target_points": one.registration.target_points,
            "target": one.target,
            "start": desk.place.get(one.first_month, len(desk.months)),
            "issued_after": desk.place.get(one.cycle, 0),
            "executed": one.executed,
            "months": one.months,
            "judge": True,
        }
        for one in due
    ]


def _others(due: list[OpenMeasure], desk: _Desk, known: set[str]) -> list[dict[str, object]]:
    """The other measures on the same indicator, which make their dealers treated."""
    indicator, judged = due[0].registration.indicator, {one.measure_id for one in due}
    rows: list[dict[str, object]] = []
    for dealer, _, measure in desk.treated:
        registration = measure.registration
        if registration is None or registration.indicator != indicator or measure.measure_id in judged:
            continue
        start = desk.place.get(_first_month(measure))
        if dealer in known and start is not None:
            rows.append(
                {
                    "dealer_id": dealer,
                    "measure_id": measure.measure_id,
                    "target_points": registration.target_points,
                    "start": start,
                    "issued_after": start - 1,
                    "judge": False,
                }
            )
    return rows


def _first_month(measure: Measure) -> str:
    """First whole month after execution, after approval where execution is unknown."""
    if measure.executed_on:
        return month_after(measure.executed_on)
    return measure.registration.effect_from if measure.registration else ""


# ---- what is learnt ----


def _record(job: Job, looks: pd.DataFrame) -> pd.DataFrame:
    """The record of every measure over all dealers and all cycles up to this one, ranked for this cycle's plans."""
    earlier = [results.read("effects") for results in _earlier(job) if results.has("effects")]
    known = [frame for frame in (*earlier, looks) if len(frame)]
    every = pd.concat(known, ignore_index=True) if known else looks
    settings = job.workspace.settings
    schemes = _schemes()
    table = record(
        every.assign(indicator=every["indicator"].fillna("") if "indicator" in every else ""),
        schemes,
        cycle=job.cycle.name,
        explore=settings.explore_measures,
        seed=settings.chance_seed,
    )
    return table.assign(cycle=job.cycle.name)


def _earlier(job: Job) -> list[Results]:
    """The published results of earlier cycles."""
    root = job.workspace.results
    return [Results.published(root, cycle) for cycle in published_cycles(root) if cycle < job.cycle.name]


def _schemes() -> dict[str, list[str]]:
    book = playbook()
    reasons = dict.fromkeys(measure.reason for measure in book.measures.values())
    return {reason: [measure.code for measure in book.scheme(reason)] for reason in reasons}


def _following(desk: _Desk, looks: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """What follows on this cycle's looks."""
    ranked = measures.sort_values(["reason", "rank"])
    order = {str(reason): list(part["measure"].astype(str)) for reason, part in ranked.groupby("reason")}
    tried: dict[tuple[str, str], frozenset[str]] = {}
    for dealer, _, measure in desk.treated:
        key = (dealer, measure.reason)
        tried[key] = tried.get(key, frozenset()) | {measure.measure}
    return following(looks[looks["reason_key"] != TOO_EARLY], order, tried, follow_ups(), desk.job.cycle)


def _checks(desk: _Desk, looks: pd.DataFrame) -> pd.DataFrame:
    """The checks of this cycle on its own judgements; on the close rate, over all dealers that got a measure."""
    counts = desk.counts.get(CLOSE_RATE)
    rows = [
        (dealer, desk.place[start], desk.place.get(cycle, 0))
        for dealer, cycle, measure in desk.treated
        if (start := _first_month(measure)) in desk.place
    ]
    treated = pd.DataFrame(rows, columns=["dealer_id", "start", "issued_after"])
    if counts is None:
        counts = pd.DataFrame(columns=["dealer_id", "region_id", "month", "cell", "n", "x"])
    seed = desk.job.workspace.settings.chance_seed
    return self_checks(counts, treated, looks, held=_held(desk.job), seed=seed).assign(cycle=desk.job.cycle.name)


def _held(job: Job) -> frozenset[str]:
    """Dealers held back by chance in earlier cycles of the same half-year."""
    frames = [
        results.read("hold_back", ["dealer_id", "held"])
        for results in _earlier(job)
        if period(results.cycle) == period(job.cycle.name) and results.has("hold_back")
    ]
    return frozenset(str(dealer) for frame in frames for dealer in frame.loc[frame["held"], "dealer_id"])
