"""Two ways to run the loop on the same network: as it is usually done (naive), and as Rematch does it.

Both see the counts only, may start the same number of plans a month, with one measure each, and leave a dealer alone
while its plan is under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from models.enums import EffectVerdict
from tasks.compute.judgement.compare import compare
from tasks.compute.judgement.drivers import drivers
from tasks.compute.judgement.verify import verify
from tasks.compute.learning.record import record

LOOKS = (3, 6)
WINDOW = 3
BETTER = 1.645  # one-sided .05


@dataclass(frozen=True)
class Plan:
    """A plan with one measure; ``month`` is the last one known when it was made, the measure works from the next."""

    dealer_id: str
    month: int
    reason: str
    measure: str
    target_points: float


class Loop(Protocol):
    """What decides about plans, month after month."""

    def plans(self, counts: pd.DataFrame, month: int) -> list[Plan]:
        """The plans made at the end of ``month`` from all counts so far."""

    def executed(self, plan: Plan, done: bool) -> None:
        """Whether a plan was carried out, as the dealer's evidence shows."""


@dataclass
class Naive:
    """Worst raw rates of three months, the largest reason share, the playbook's order, before/after comparison."""

    schemes: Mapping[str, Sequence[str]]
    capacity: int
    running: dict[str, Plan] = field(default_factory=dict)
    tried: dict[str, set[str]] = field(default_factory=dict)
    again: dict[str, str] = field(default_factory=dict)  # dealer -> reason whose next measure is due

    def plans(self, counts: pd.DataFrame, month: int) -> list[Plan]:
        """Settle what is three months old, then give plans to those with the worst rate."""
        recent = counts[counts["month"] > month - WINDOW].groupby("dealer_id")[["n", "x", *self.schemes]].sum()
        self._settle(counts, recent, month)
        rate = (recent["x"] / recent["n"]).sort_values(kind="stable")
        made: list[Plan] = []
        free = [dealer for dealer in rate.index if dealer not in self.running]
        for dealer in sorted(free, key=lambda one: one not in self.again):
            if len(made) == self.capacity:
                break
            ranked = recent.loc[dealer, list(self.schemes)].sort_values(ascending=False, kind="stable").index
            reasons = [self.again[dealer], *ranked] if dealer in self.again else list(ranked)
            known = self.tried.setdefault(dealer, set())
            left = ((reason, one) for reason in reasons for one in self.schemes[reason] if one not in known)
            choice = next(left, None)
            if choice is None:
                continue
            known.add(choice[1])
            self.again.pop(dealer, None)
            made.append(Plan(dealer, month, *choice, target_points=3.0))
        self.running |= {plan.dealer_id: plan for plan in made}
        return made

    def _settle(self, counts: pd.DataFrame, recent: pd.DataFrame, month: int) -> None:
        for dealer, plan in list(self.running.items()):
            if month - plan.month < LOOKS[0]:
                continue
            span = counts["month"].between(plan.month - WINDOW + 1, plan.month) & counts["dealer_id"].eq(dealer)
            before = counts.loc[span, ["n", "x"]].sum()
            n = np.maximum([before["n"], recent.loc[dealer, "n"]], 1)
            p0, p1 = np.array([before["x"], recent.loc[dealer, "x"]], float) / n
            se = np.sqrt(p0 * (1 - p0) / n[0] + p1 * (1 - p1) / n[1])
            del self.running[dealer]
            if p1 - p0 < BETTER * se:
                self.again[dealer] = plan.reason

    def executed(self, plan: Plan, done: bool) -> None:
        """Nobody asks."""


@dataclass
class Rematch:
    """Sure gaps by deals at stake, the driver of the loss, the learned order of measures, honest verification."""

    schemes: Mapping[str, Sequence[str]]
    capacity: int
    explore: bool = False
    seed: int = 0
    made: list[Plan] = field(default_factory=list)
    done: dict[tuple[str, int], bool] = field(default_factory=dict)
    effects: pd.DataFrame = field(default_factory=pd.DataFrame)
    open: set[tuple[str, int]] = field(default_factory=set)
    failed: dict[str, set[str]] = field(default_factory=dict)

    def plans(self, counts: pd.DataFrame, month: int) -> list[Plan]:
        """Verify what is due, learn, diagnose, propose."""
        self._verify(counts, month)
        order = self._order(month)
        recent = counts[counts["month"] > month - WINDOW]
        busy = {dealer for dealer, _ in self.open}
        weak = compare(counts, window=WINDOW)
        weak["stake"] = -weak["gap_points"] * weak["denominator"]
        sure = weak[weak["enough"] & (weak["hi90"] < 0) & ~weak["dealer_id"].isin(busy)]
        causes = drivers(recent, list(self.schemes))
        gaps = {str(dealer): part for dealer, part in causes[causes["gap_points"] > 0].groupby("dealer_id")}
        made: list[Plan] = []
        for dealer in sure.sort_values("stake", ascending=False, kind="stable")["dealer_id"]:
            if len(made) == self.capacity:
                break
            plan = self._propose(str(dealer), month, gaps.get(str(dealer)), order)
            if plan is not None:
                made.append(plan)
        self.made += made
        self.open |= {(plan.dealer_id, plan.month) for plan in made}
        return made

    def _propose(
        self, dealer: str, month: int, gaps: pd.DataFrame | None, order: Mapping[str, Sequence[str]]
    ) -> Plan | None:
        if gaps is None:
            return None
        known = self.failed.get(dealer, set())
        for row in gaps.sort_values("rank").to_dict("records"):
            reason = str(row["reason"])
            measure = next((one for one in order[reason] if one not in known), None)
            if measure is not None and row["lo90"] > 0:
                return Plan(dealer, month, reason, measure, max(0.5 * float(row["gap_points"]), 0.5))
        return None

    def executed(self, plan: Plan, done: bool) -> None:
        """Kept with the plan: what was not carried out is not judged."""
        self.done[plan.dealer_id, plan.month] = done

    def _order(self, month: int) -> dict[str, list[str]]:
        if self.effects.empty:
            return {reason: list(scheme) for reason, scheme in self.schemes.items()}
        table = record(self.effects, self.schemes, cycle=str(month), explore=self.explore, seed=self.seed)
        last = table["verdict"].isin([EffectVerdict.NO_EFFECT, EffectVerdict.WORSE])
        ranked = table.assign(_last=last).sort_values(["reason", "_last", "rank"])
        return {str(reason): list(part["measure"]) for reason, part in ranked.groupby("reason")}

    def _verify(self, counts: pd.DataFrame, month: int) -> None:
        """The looks due at the end of ``month``, by defeats per lead for the reason of the measure."""
        ages = {month - plan.month for plan in self.made if (plan.dealer_id, plan.month) in self.open}
        if not ages & set(LOOKS):
            return
        frames = []
        for reason in self.schemes:
            plans = [plan for plan in self.made if plan.reason == reason]
            table = pd.DataFrame([self._row(plan, month) for plan in plans])
            if plans and table["judge"].any():
                part = counts.assign(x=counts[reason])
                looked = verify(part, table, looks=LOOKS, higher_is_better=False)
                frames.append(looked[looked["months"] == month - looked["start"] + 1])
        if not frames:
            return
        found = pd.concat(frames, ignore_index=True)
        for row in found.to_dict("records"):
            key = (str(row["dealer_id"]), int(row["start"]) - 1)
            verdict = EffectVerdict(row["verdict"])
            if verdict is not EffectVerdict.NOT_ENOUGH or row["months"] == LOOKS[-1]:
                self.open.discard(key)
            if verdict in (EffectVerdict.NO_EFFECT, EffectVerdict.WORSE):
                self.failed.setdefault(key[0], set()).add(str(row["measure"]))
        self.effects = pd.concat([frame for frame in (self.effects, found) if len(frame)], ignore_index=True)

    def _row(self, plan: Plan, month: int) -> dict[str, object]:
        key = (plan.dealer_id, plan.month)
        done = self.done.get(key, True)
        if not done and month - plan.month >= LOOKS[0]:
            self.open.discard(key)
        return {
            "dealer_id": plan.dealer_id,
            "measure_id": f"{plan.dealer_id}-{plan.month}",
            "target_points": plan.target_points,
            "start": plan.month + 1,
            "issued_after": plan.month,
            "executed": done,
            "reason": plan.reason,
            "measure": plan.measure,
            "indicator": f"reason:{plan.reason}",
            "judge": key in self.open and month - plan.month in LOOKS,
        }
