"""What the step verify knows beside an indicator's own figures: execution, re-coding, months changed since."""

from __future__ import annotations

import pandas as pd

from models.catalogue.follow_ups import follow_ups
from models.catalogue.playbook import REASON_PREFIX
from models.lifecycle import TOO_EARLY
from models.schemas import OpenMeasure
from tasks.compute.judgement.recoding import against_recoding
from tasks.compute.judgement.verify import verify
from tasks.compute.learning.executions import PROCESS_COLUMNS, executions
from tasks.compute.learning.revisions import REVISION_COLUMNS, judged_counts, revisions
from tasks.verification_desk import Desk, due_rows, judged_by, other_rows, process_of

OF_MEASURE = ["measure_id", "plan_id", "verdict"]


def execution_states(desk: Desk) -> pd.DataFrame:
    """How far each measure due was carried out: EXECUTION_COLUMNS, by report and process indicator."""
    reported = pd.DataFrame(
        [(one.measure_id, one.executed, one.partly) for one in desk.due], columns=["measure_id", "executed", "partly"]
    )
    groups: dict[tuple[str, str], list[OpenMeasure]] = {}
    for one in desk.due:
        process = process_of(one.measure, one.registration.indicator)
        if process is not None:
            groups.setdefault((process.indicator, process.direction), []).append(one)
    frames = [_processes(desk, its, indicator, direction) for (indicator, direction), its in sorted(groups.items())]
    known = [frame for frame in frames if len(frame)]
    shown = pd.concat(known, ignore_index=True) if known else pd.DataFrame(columns=PROCESS_COLUMNS)
    return executions(reported, shown)


def _processes(desk: Desk, due: list[OpenMeasure], indicator: str, direction: str) -> pd.DataFrame:
    """What the process indicator of measures did, by the longest look that could be judged."""
    counts = desk.counts.get(indicator)
    if counts is None:
        return pd.DataFrame(columns=PROCESS_COLUMNS)
    there = set(counts["dealer_id"])
    judged = [one for one in due if one.dealer_id in there]
    if not judged:
        return pd.DataFrame(columns=PROCESS_COLUMNS)
    rows = due_rows(judged, desk) + other_rows(judged, desk, counts, indicator)
    plans = pd.DataFrame(rows).assign(target_points=float("nan"), target=float("nan"))
    found = verify(
        counts, plans, looks=follow_ups().look_months, higher_is_better=direction == "higher", every_look=True
    )
    last = found[found["effect_points"].notna()].drop_duplicates("measure_id", keep="last")
    least = {
        one.measure_id: process.points
        for one in judged
        if (process := process_of(one.measure, one.registration.indicator))
    }
    return pd.DataFrame(
        {
            "measure_id": last["measure_id"],
            "process_indicator": indicator,
            "process_points": last["effect_points"],
            "process_lo90": last["lo90"],
            "process_hi90": last["hi90"],
            "process_least": last["measure_id"].map(least),
        }
    )[PROCESS_COLUMNS]


def unless_recoded(desk: Desk, looks: pd.DataFrame, plans: pd.DataFrame, share: str) -> pd.DataFrame:
    """The looks at measures on a reason, "effective" only where defeats were not filed under other reasons."""
    if not share.startswith(REASON_PREFIX) or desk.defeats is None:
        return looks
    defeats, codes = desk.defeats
    known = plans[plans["dealer_id"].isin(defeats["dealer_id"])]
    months = follow_ups().look_months
    return against_recoding(looks, known, share.removeprefix(REASON_PREFIX), defeats, codes, months=months)


def judged_now(desk: Desk, looks: pd.DataFrame) -> pd.DataFrame:
    """The counts this cycle's judgements rest on, for later cycles to compare (``revisions.JUDGED_COLUMNS``)."""
    done = looks[looks["effect_points"].notna() & looks["reason_key"].ne(TOO_EARLY)]
    shares = done["indicator"].map(judged_by) if len(done) else pd.Series(dtype="str")
    dealers = {str(share): list(part["dealer_id"].unique()) for share, part in done.groupby(shares)}
    return judged_counts(desk.counts, dealers, desk.months)


def revised(desk: Desk) -> pd.DataFrame:
    """Months judged in earlier cycles that are others now, with the measures they decided: a row per measure."""
    found = revisions(desk.remembered, desk.counts, desk.months)
    frames = []
    for results in desk.earlier:
        if not results.has("effects") or not found["judged_in"].eq(results.cycle).any():
            continue
        looks = results.read("effects", ["dealer_id", "indicator", *OF_MEASURE])
        looks = looks.assign(judged_in=results.cycle, indicator=looks["indicator"].map(judged_by))
        frames.append(looks)
    if not frames:
        return found.reindex(columns=[*REVISION_COLUMNS, *OF_MEASURE])
    return found.merge(pd.concat(frames, ignore_index=True), on=["indicator", "dealer_id", "judged_in"], how="left")
