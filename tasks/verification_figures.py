"""What pages show of verification and learning, gathered from a cycle's results: per dealer and for the nation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from models.catalogue.deadlines import deadlines
from models.catalogue.follow_ups import STEPS, StepName, follow_ups
from models.database import Database
from models.enums import EffectVerdict, PlanState, Role
from models.lifecycle import TOO_EARLY
from models.schemas import Measure, Plan
from reports.verification_figures import DealerVerification, Duty, Key, LookFacts, LoopFigures, Practice, Row
from tasks.compute.learning.practice import practice_note
from tasks.job import Job
from tasks.verification_desk import first_month


@dataclass
class VerificationFigures:
    """The results of the step verify as facts; ``earlier``: all plans of earlier cycles; frames are read once."""

    job: Job
    names: pd.Series[str]  # of dealers, by id
    earlier: tuple[Plan, ...]

    @cached_property
    def _measures(self) -> dict[str, tuple[str, Measure]]:
        """Cycle and measure by measure id."""
        return {one.measure_id: (plan.cycle, one) for plan in self.earlier for one in plan.measures}

    @cached_property
    def _follow_ups(self) -> dict[str, Row]:
        """What follows by measure id, on the last look at it."""
        rows = self.job.results.read("follow_ups").to_dict("records")
        return {str(row["measure_id"]): _named(row) for row in rows}

    @cached_property
    def looks(self) -> dict[str, list[Row]]:
        """The cycle's last look at each measure, by dealer."""
        frame = self.job.results.read("effects").sort_values("months", kind="stable")
        last = frame.drop_duplicates("measure_id", keep="last").sort_index()
        found: dict[str, list[Row]] = {}
        for row in last.to_dict("records"):
            found.setdefault(str(row["dealer_id"]), []).append(_named(row))
        return found

    @cached_property
    def _record(self) -> dict[Key, Row]:
        rows = self.job.results.read("measures").to_dict("records")
        return {(str(row["reason"]), str(row["measure"])): _named(row) for row in rows}

    @cached_property
    def _practices(self) -> pd.DataFrame:
        return self.job.results.read("practices")

    @cached_property
    def _tried(self) -> dict[str, frozenset[Key]]:
        found: dict[str, set[Key]] = {}
        for plan in self.earlier:
            found.setdefault(plan.dealer_id, set()).update((one.reason, one.measure) for one in plan.measures)
        return {dealer: frozenset(keys) for dealer, keys in found.items()}

    def dealer(self, dealer_id: str) -> DealerVerification:
        """What a dealer's page says of its earlier measures and of those proposed."""
        return DealerVerification(
            looks=tuple(self._look(row) for row in self.looks.get(dealer_id, ())),
            records=self._record,
            practices={
                key: Practice(note, str(self.names.get(note["dealer_id"], note["dealer_id"])))
                for key in self._worked
                if (note := practice_note(self._practices, *key, dealer_id))
            },
            tried=self._tried.get(dealer_id, frozenset()),
        )

    @cached_property
    def _worked(self) -> tuple[Key, ...]:
        pairs = self._practices[["reason", "measure"]].drop_duplicates()
        return tuple((str(reason), str(measure)) for reason, measure in pairs.itertuples(index=False))

    def _look(self, effect: Row) -> LookFacts:
        measure_id = str(effect["measure_id"])
        cycle, measure = self._measures[measure_id]
        follow_up, since = self._follow_ups.get(measure_id), first_month(measure)
        early = effect["reason_key"] == TOO_EARLY
        waits = early or (follow_up is not None and follow_ups().steps[_step(follow_up)].plan == "wait")
        left = [months for months in follow_ups().look_months if early or months > int(str(effect["months"]))]
        return LookFacts(
            effect=effect,
            cycle=cycle,
            own_text=measure.own_text,
            since=since,
            next_look=str(pd.Period(since, "M") + left[0] - 1) if since and waits and left else "",
            follow_up=follow_up,
        )

    def nation(self, plans: Iterable[Plan]) -> LoopFigures:
        """Whether the loop works; ``plans``: those of the cycle, which may wait for approval like earlier ones."""
        every = [row for rows in self.looks.values() for row in rows]
        early = [row for row in every if row["reason_key"] == TOO_EARLY]
        reached = [row for row in every if row["reason_key"] != TOO_EARLY]
        judged = [row for row in reached if not _left_undone(row)]
        return LoopFigures(
            judged=Counter(EffectVerdict(str(row["verdict"])) for row in judged),
            not_executed=len(reached) - len(judged),
            too_early=len(early),
            checks={str(row["check"]): _named(row) for row in self.job.results.read("self_checks").to_dict("records")},
            record=self._tried_record(),
            duties=[*self._approvals(plans), *self._duties()],
        )

    def _tried_record(self) -> list[Row]:
        rows = list(self._record.values())
        tried = {row["reason"] for row in rows if int(str(row["dealers"])) > 0}
        shown = [row for row in rows if row["reason"] in tried and (int(str(row["dealers"])) > 0 or row["rank"] == 1)]
        return sorted(shown, key=lambda row: (str(row["reason"]), int(str(row["rank"]))))

    def _duties(self) -> list[Duty]:
        return [
            Duty(
                owner=Role(str(row["owner"])),
                region_id=str(row["region_id"]),
                step=_step(row),
                due=pd.Timestamp(str(row["due_on"])).date(),
                dealer_id=str(row["dealer_id"]),
                name=self._name(str(row["dealer_id"])),
                measure=str(row["measure"]),
            )
            for row in self._follow_ups.values()
        ]

    def _approvals(self, plans: Iterable[Plan]) -> list[Duty]:
        """Plans that wait for their region's approval."""
        db, days = Database.of(self.job.workspace), deadlines().plan["approve"].clauses[0].days
        return [
            Duty(
                owner=Role.REGION,
                region_id=plan.region_id,
                step=None,
                due=(pd.Timestamp(db.day(plan.filed_at)) + pd.Timedelta(days=days)).date() if plan.filed_at else None,
                dealer_id=plan.dealer_id,
                name=self._name(plan.dealer_id),
                measure="",
            )
            for plan in (*self.earlier, *plans)
            if plan.state is PlanState.FILED
        ]

    def _name(self, dealer_id: str) -> str:
        return str(self.names.get(dealer_id, dealer_id))


def _named(row: dict[object, object]) -> Row:
    return {str(name): value for name, value in row.items()}


def _step(row: Row) -> StepName:
    return next(step for step in STEPS if step == row["step"])


def _left_undone(effect: Row) -> bool:
    return not pd.isna(effect["executed"]) and not effect["executed"]  # type: ignore[call-overload]
