"""The step verify: what became of the measures of earlier plans, judged as fixed when they were approved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from models import ledger
from models.catalogue.follow_ups import follow_ups
from models.catalogue.indicators import indicators
from models.catalogue.playbook import REASON_PREFIX, playbook
from models.database import Database
from models.enums import EffectVerdict
from models.lifecycle import TOO_EARLY
from models.schemas import OpenMeasure
from tasks.compute.judgement.verify import EFFECT_COLUMNS, PASSED, facts, unjudged, until_settled, verify
from tasks.compute.learning.following import following
from tasks.compute.learning.hold_back import period
from tasks.compute.learning.practice import practices
from tasks.compute.learning.record import record
from tasks.compute.learning.revisions import told
from tasks.compute.learning.self_checks import self_checks
from tasks.job import Job, Outcome
from tasks.planning import quality
from tasks.verification_desk import Desk, due_rows, first_month, judged_by, other_rows
from tasks.verification_evidence import execution_states, judged_now, revised, unless_recoded

OUTPUTS = ("effects", "measures", "follow_ups", "self_checks", "practices", "judged_counts", "revisions")
LOOK_COLUMNS = [*EFFECT_COLUMNS, *PASSED, "rest_points", "rest_se_points", "revised_months", "revised_cases"]


def verify_earlier(job: Job) -> Outcome:
    """Judge every open measure of earlier cycles, record the looks, and give settled plans their verdict.

    Writes ``effects`` (one row per measure and look; one that comes too early says so), ``measures`` (the record of
    every measure over all dealers, in the order in which plans propose them now), ``follow_ups`` (what follows on each
    verdict), ``self_checks`` (how far the judgements themselves can be trusted; what the programme brought and cost),
    ``practices`` (what worked at whom, and whether the dealer may be named), ``judged_counts`` (what the looks rest on)
    and ``revisions`` (judged months that later exports changed).
    """
    desk = Desk(job, Database.of(job.workspace))
    at = desk.db.instant(job.cycle.as_of)
    changed = revised(desk)
    frames = [frame for frame in _by_indicator(desk, changed) if len(frame)]
    looks = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=LOOK_COLUMNS)
    looks = looks.reindex(columns=LOOK_COLUMNS)
    job.results.write("effects", looks)
    job.results.write("judged_counts", judged_now(desk, looks))
    job.results.write("revisions", changed.assign(cycle=job.cycle.name))
    effects = facts(looks)
    ledger.record_effects(desk.db, job.cycle, effects, at=at)
    ledger.settle(desk.db, job.cycle.name, at=at)
    gates = {dealer: entry.gate for dealer, entry in quality(job).items()}
    ledger.settle_short(desk.db, job.cycle.name, gates, at=at)
    every = _every_look(desk, looks)
    measures = _record(job, every)
    job.results.write("measures", measures)
    job.results.write("practices", practices(every, ledger.consents(desk.db)).assign(cycle=job.cycle.name))
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


def _by_indicator(desk: Desk, changed: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The looks of this cycle, one indicator after the other; what was looked at before at the same months is left out.

    Looking again at the same figures every month would find by chance what is not there.
    """
    states = execution_states(desk)
    for indicator in sorted({one.registration.indicator for one in desk.due}):
        due = [one for one in desk.due if one.registration.indicator == indicator]
        share = judged_by(indicator)
        counts = desk.counts.get(share)
        known = set() if counts is None else set(counts["dealer_id"])
        without = [one for one in due if one.dealer_id not in known]
        if without:
            why = "judge.why.no_share" if not share else "judge.why.no_counts"
            yield unjudged(due_rows(without, desk, states), why)
        judged = [one for one in due if one.dealer_id in known]
        if counts is None or not judged:
            continue
        plans = pd.DataFrame(due_rows(judged, desk, states) + other_rows(judged, desk, counts, share))
        if share != indicator:
            plans = plans.assign(target_points=float("nan"), target=float("nan"))
        higher = not share.startswith(REASON_PREFIX) and indicators().indicators[share].better == "higher"
        looks = verify(counts, plans, looks=follow_ups().look_months, higher_is_better=higher, every_look=True)
        looks = unless_recoded(desk, looks, plans, share)
        if share != indicator:
            looks["notes"] = [";".join(filter(None, ("judge.note.twin", notes))) for notes in looks["notes"]]
        yield told(until_settled(_new(looks, judged)), changed, share)


def _new(looks: pd.DataFrame, due: list[OpenMeasure]) -> pd.DataFrame:
    taken = {(one.measure_id, months) for one in due for months in one.looked_at}
    keys = zip(looks["measure_id"], looks["months"], strict=True)
    return looks[[key not in taken for key in keys]].reset_index(drop=True)


# ---- what is learnt ----


def _every_look(desk: Desk, looks: pd.DataFrame) -> pd.DataFrame:
    """The looks of all cycles up to this one."""
    earlier = [results.read("effects") for results in desk.earlier if results.has("effects")]
    known = [frame for frame in (*earlier, looks) if len(frame)]
    return pd.concat(known, ignore_index=True) if known else looks


def _record(job: Job, every: pd.DataFrame) -> pd.DataFrame:
    """The record of every measure over all dealers and all cycles up to this one, ranked for this cycle's plans."""
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


def _schemes() -> dict[str, list[str]]:
    book = playbook()
    reasons = dict.fromkeys(measure.reason for measure in book.measures.values())
    return {reason: [measure.code for measure in book.scheme(reason)] for reason in reasons}


def _following(desk: Desk, looks: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """What follows on this cycle's looks."""
    ranked = measures.sort_values(["reason", "rank"])
    order = {str(reason): list(part["measure"].astype(str)) for reason, part in ranked.groupby("reason")}
    tried: dict[tuple[str, str], frozenset[str]] = {}
    for dealer, _, measure in desk.treated:
        key = (dealer, measure.reason)
        tried[key] = tried.get(key, frozenset()) | {measure.measure}
    return following(looks[looks["reason_key"] != TOO_EARLY], order, tried, follow_ups(), desk.job.cycle)


def _checks(desk: Desk, looks: pd.DataFrame) -> pd.DataFrame:
    """The checks of this cycle on its own judgements; on the close rate, over all dealers that got a measure."""
    counts = desk.closings
    rows = [
        (dealer, desk.place[start], desk.place.get(cycle, 0))
        for dealer, cycle, measure in desk.treated
        if (start := first_month(measure)) in desk.place
    ]
    treated = pd.DataFrame(rows, columns=["dealer_id", "start", "issued_after"])
    if counts is None:
        counts = pd.DataFrame(columns=["dealer_id", "region_id", "month", "cell", "n", "x"])
    checks = self_checks(
        counts,
        treated,
        looks,
        held=_held(desk),
        efforts=desk.efforts,
        cost_per_hour=follow_ups().cost_per_hour,
        seed=desk.job.workspace.settings.chance_seed,
    )
    return checks.assign(cycle=desk.job.cycle.name)


def _held(desk: Desk) -> frozenset[str]:
    """Dealers held back by chance in earlier cycles of the same half-year."""
    frames = [
        results.read("hold_back", ["dealer_id", "held"])
        for results in desk.earlier
        if period(results.cycle) == period(desk.job.cycle.name) and results.has("hold_back")
    ]
    return frozenset(str(dealer) for frame in frames for dealer in frame.loc[frame["held"], "dealer_id"])
