"""What the step verify works on: the measures due, whose dealers are treated, the counts; read once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from models import ledger
from models.catalogue.indicators import indicators
from models.catalogue.playbook import REASON_PREFIX, Process, playbook
from models.catalogue.reasons import excluded_codes
from models.database import Database
from models.enums import PlanState
from models.lifecycle import month_after
from models.schemas import Measure, OpenMeasure, Plan
from tasks.compute.judgement.recoding import other_codes
from tasks.job import Job
from tasks.planning import indicator_counts, reason_counts
from tasks.results import Results, published_cycles
from tasks.sums import read_reason_sums, stored_months

CLOSE_RATE = "close_rate"
REMEMBERED = 12  # cycles whose judged months are compared with what they are now


@dataclass(frozen=True)
class Desk:
    """What verification works on; read once."""

    job: Job
    db: Database

    @cached_property
    def due(self) -> tuple[OpenMeasure, ...]:
        """The measures this cycle looks at."""
        return ledger.open_measures(self.db, self.job.cycle.name)

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        """All plans of earlier cycles."""
        return tuple(plan for plan in ledger.plans(self.db) if plan.cycle < self.job.cycle.name)

    @cached_property
    def treated(self) -> list[tuple[str, str, Measure]]:
        """(dealer, cycle, measure) of every measure approved in an earlier cycle and not known to be left undone.

        Their dealers are no untreated ones, whatever became of the plan.
        """
        return [
            (plan.dealer_id, plan.cycle, measure)
            for plan in self.plans
            for measure in plan.measures
            if measure.registration is not None and measure.executed is not False
        ]

    @cached_property
    def earlier(self) -> list[Results]:
        """The published results of earlier cycles."""
        root = self.job.workspace.results
        return [Results.published(root, cycle) for cycle in published_cycles(root) if cycle < self.job.cycle.name]

    @cached_property
    def remembered(self) -> dict[str, pd.DataFrame]:
        """What the judgements of earlier cycles rested on, by cycle."""
        kept = [results for results in self.earlier if results.has("judged_counts")][-REMEMBERED:]
        return {results.cycle: results.read("judged_counts") for results in kept}

    @cached_property
    def judged(self) -> set[str]:
        """The close rate, and what measures due are judged by or show their execution in, or were judged by before."""
        shares = {judged_by(one.registration.indicator) for one in self.due}
        shares |= {
            process.indicator for one in self.due if (process := process_of(one.measure, one.registration.indicator))
        }
        shares |= {str(name) for frame in self.remembered.values() for name in frame["indicator"].unique()}
        return {CLOSE_RATE, *shares}

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
        reasons = any(name.startswith(REASON_PREFIX) for name in self.judged)
        found = indicator_counts(self.job.results, self.judged, self.months, [])
        if reasons:
            found |= reason_counts(self.job.results, self.months, [])
        return found

    @property
    def closings(self) -> pd.DataFrame | None:
        """The counts of the close rate; None when nothing was closed."""
        return self.counts.get(CLOSE_RATE)

    @cached_property
    def defeats(self) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]] | None:
        """All defeats and defeats by code, as ``other_codes`` gives them; None when nothing was closed."""
        if self.closings is None:
            return None
        reasons = {
            name.removeprefix(REASON_PREFIX): counts
            for name, counts in self.counts.items()
            if name.startswith(REASON_PREFIX)
        }
        sums = read_reason_sums(self.job.results, self.months)
        out = sums[sums["reason"].isin(excluded_codes())].astype(dict.fromkeys(("series", "source", "month"), "str"))
        excluded = out.assign(month=out["month"].map(self.place), cell=out["series"] + "|" + out["source"])
        return other_codes(self.closings, reasons, excluded.rename(columns={"used": "x"}))

    @cached_property
    def efforts(self) -> pd.DataFrame:
        """The measures begun and not known to be left undone: plan_id, closed, hours (missing = not stated)."""
        rows = []
        for plan in ledger.plans(self.db):  # as they stand now, after this cycle's verdicts
            for one in plan.measures:
                begun = plan.cycle < self.job.cycle.name and one.registration and first_month(one) in self.place
                if begun and one.executed is not False:
                    known = playbook().measures.get(one.measure)
                    rows.append((plan.plan_id, plan.state is PlanState.CLOSED, known.effort_hours if known else None))
        return pd.DataFrame(rows, columns=["plan_id", "closed", "hours"]).astype({"hours": "float64"})


def judged_by(indicator: str) -> str:
    """The share that judges a measure fixed on ``indicator`` (docs/judge.md, Durations); empty when there is none."""
    return indicator if indicator.startswith(REASON_PREFIX) else indicators().judged(indicator)


def process_of(measure: str, indicator: str) -> Process | None:
    """What shows that a measure fixed on ``indicator`` was carried out.

    None where the playbook names nothing, the measure is the dealer's own, or that is what judges it here anyway.
    """
    known = playbook().measures.get(measure)
    found = known.process if known else None
    return found if found is not None and found.indicator != judged_by(indicator) else None


def due_rows(due: Collection[OpenMeasure], desk: Desk, states: pd.DataFrame | None = None) -> list[dict[str, object]]:
    """The measures due for a look as ``verify`` takes them; ``states``: what is known of their execution."""
    rows = [] if states is None else states.to_dict("records")
    known = {row["measure_id"]: {str(name): value for name, value in row.items()} for row in rows}
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
            **known.get(one.measure_id, {}),
        }
        for one in due
    ]


def other_rows(due: Collection[OpenMeasure], desk: Desk, counts: pd.DataFrame, share: str) -> list[dict[str, object]]:
    """The other measures judged by, or showing their execution in, ``share``, which make their dealers treated."""
    judged, known = {one.measure_id for one in due}, set(counts["dealer_id"])
    rows: list[dict[str, object]] = []
    for dealer, _, measure in desk.treated:
        registration = measure.registration
        if registration is None or measure.measure_id in judged or not _moves(measure, registration.indicator, share):
            continue
        start = desk.place.get(first_month(measure))
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


def _moves(measure: Measure, indicator: str, share: str) -> bool:
    process = process_of(measure.measure, indicator)
    return share == judged_by(indicator) or (process is not None and process.indicator == share)


def first_month(measure: Measure) -> str:
    """First whole month after execution, after approval where execution is unknown."""
    if measure.executed_on:
        return month_after(measure.executed_on)
    return measure.registration.effect_from if measure.registration else ""
