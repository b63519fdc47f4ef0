"""What simulated dealers do about their plans, and what their measures truly achieve.

Pure: the same plans, seed and cycle give the same answers, and one plan's answer does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

import numpy as np

from tasks.compute.simulation import fates
from tasks.compute.simulation.network import Effects

Execution = Literal["yes", "partly", "no"]

FILES_IN_TIME = 0.78
FILES_LATE = 0.14  # the others never file
RETURNED = 0.15
EXECUTES = (0.62, 0.20, 0.18)  # yes, partly, no
PARTLY = 0.45  # how much of its effect a measure has that is carried out in part
WORTHLESS = 0.35  # share of measure types without any effect
FILE_DAYS = 5
EVIDENCE = {
    "yes": ("培训签到表和照片已上传", "制度已张贴,附检查记录", "附本月执行台账", "已开会布置,附会议纪要"),
    "partly": ("只在展厅组执行,网销组下月跟上", "执行两周后因人手不足中断", "部分顾问完成,附名单"),
    "no": ("",),
}


@dataclass(frozen=True)
class PlanMeasure:
    """What the simulation must know of a measure in a plan."""

    measure_id: str
    measure: str  # code in the playbook
    reason: str
    indicator: str


@dataclass(frozen=True)
class PlanFacts:
    """What the simulation must know of a plan."""

    plan_id: str
    dealer_id: str
    measures: tuple[PlanMeasure, ...]


@dataclass(frozen=True)
class MeasureResponse:
    """What became of one measure: carried out or not, how many days after issue, with which effect.

    ``effect_points``: percentage points of leads won instead of lost for ``reason``, 0 where not executed.
    """

    measure_id: str
    measure: str
    reason: str
    executed: Execution
    days_after_issue: int | None
    evidence: str
    effect_points: float


@dataclass(frozen=True)
class Response:
    """One dealer's answer to one plan; days count from the issue, None: never."""

    plan_id: str
    dealer_id: str
    filed_days: int | None
    returned: bool
    refiled_days: int | None
    approved_days: int | None
    measures: tuple[MeasureResponse, ...]

    @property
    def in_time(self) -> bool:
        """Whether the plan was filed by its deadline."""
        return self.filed_days is not None and self.filed_days <= FILE_DAYS


def respond(plans: Sequence[PlanFacts], seed: int, cycle: str) -> list[Response]:
    """The answers of the dealers to the plans of ``cycle`` (``YYYY-MM``), in the order of ``plans``."""
    return [_response(plan, seed, cycle) for plan in plans]


def true_points(seed: int, reason: str, measure: str) -> float:
    """The true effect of a measure on a reason, in percentage points of leads won; drawn once per seed.

    About a third of the measures do nothing, the others bring 1 to 5 points.
    """
    rng = _stream(seed, "effect", reason, measure)
    if rng.random() < WORTHLESS:
        return 0.0
    return round(float(1.0 + 4.0 * rng.beta(1.6, 1.8)), 2)


def effects_of(responses: Iterable[Response]) -> dict[tuple[str, str], float]:
    """What the executed measures do from the month after execution on: ``Effects`` for ``Simulation.month``.

    Several measures against one cause add up with half of the smaller ones. Reasons that are not simulated as a cause
    of their own (bare level-1 codes, the unsplit price) act on the cause the playbook's scheme is about; cleaning the
    records of duplicates, wrong numbers and tests wins no deals and has no effect.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for response in responses:
        for measure in response.measures:
            cause = _ACTS_ON.get(measure.reason, measure.reason)
            if cause in _CAUSES and measure.effect_points:
                found.setdefault((response.dealer_id, cause), []).append(measure.effect_points)
    return {key: _together(points) for key, points in found.items()}


def combined(*effects: Effects) -> dict[tuple[str, str], float]:
    """Effects of several cycles at once, per dealer and cause the larger counting whole and the others half."""
    keys = {key for effect in effects for key in effect}
    return {key: _together([effect[key] for effect in effects if key in effect]) for key in sorted(keys)}


_ACTS_ON = {
    "price_too_high": "price_discount_too_small",
    "price": "price_discount_too_small",
    "process": "process_skills_before_process",
    "supply": "supply_no_stock",
}


_CAUSES = frozenset(code for number, code in enumerate(fates.FATES) if number not in (fates.WON, *fates.EXCLUDED))


def _together(points: list[float]) -> float:
    ordered = sorted(points, key=abs, reverse=True)
    return round(ordered[0] + 0.5 * sum(ordered[1:]), 3)


def _stream(seed: int, *names: str) -> np.random.Generator:
    return np.random.default_rng([seed, *[crc32(name.encode()) for name in names]])


def _response(plan: PlanFacts, seed: int, cycle: str) -> Response:
    # how a dealer takes plans is a trait of the dealer; chance decides the rest
    keen = _stream(seed, "dealer", plan.dealer_id).normal(0, 0.12)
    rng = _stream(seed, "plan", cycle, plan.plan_id, plan.dealer_id)
    luck = rng.random() - keen
    if luck < FILES_IN_TIME:
        filed: int | None = int(rng.integers(1, FILE_DAYS + 1))
    else:
        filed = int(rng.integers(FILE_DAYS + 1, 15)) if luck < FILES_IN_TIME + FILES_LATE else None
    returned = filed is not None and bool(rng.random() < RETURNED)
    refiled = filed + int(rng.integers(2, 6)) if filed is not None and returned else None
    last = refiled if refiled is not None else filed
    approved = None if last is None else last + int(rng.integers(1, 4))
    measures = tuple(_measure(measure, plan, seed, cycle, keen, approved) for measure in plan.measures)
    return Response(plan.plan_id, plan.dealer_id, filed, returned, refiled, approved, measures)


def _measure(
    measure: PlanMeasure, plan: PlanFacts, seed: int, cycle: str, keen: float, approved: int | None
) -> MeasureResponse:
    rng = _stream(seed, "measure", cycle, plan.plan_id, measure.measure_id)
    edges = np.cumsum(EXECUTES)
    turn = int(np.searchsorted(edges[:2], rng.random() - keen, side="right"))
    outcomes: tuple[Execution, ...] = ("yes", "partly", "no")
    executed: Execution = "no" if approved is None else outcomes[turn]
    part = {"yes": 1.0, "partly": PARTLY, "no": 0.0}[executed]
    # dealers carry the same measure out with varying skill
    skill = float(np.clip(rng.normal(1.0, 0.2), 0.4, 1.6))
    points = round(true_points(seed, measure.reason, measure.measure) * part * skill, 3)
    days = None if executed == "no" or approved is None else approved + int(rng.integers(3, 18))
    texts = EVIDENCE[executed]
    evidence = texts[int(rng.integers(len(texts)))]
    return MeasureResponse(measure.measure_id, measure.measure, measure.reason, executed, days, evidence, points)
