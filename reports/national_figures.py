"""What the OEM's overview is made from: facts in no language, gathered once per cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.enums import DefeatVerdict, Destination, Gate, Role
from models.lifecycle import Action
from models.schemas import Plan
from reports.commentary import CommentaryFacts
from reports.figures import Figure, Trend
from reports.verification_figures import LoopFigures


@dataclass(frozen=True)
class RegionFigures:
    """A region's line: leads closed, won and close rate in the cycle's month, and the month before.

    ``link`` leads to its analysis from the overview, empty when it has none.
    """

    region_id: str
    name: str
    closed: int
    won: int
    close_rate: float | None
    previous: float | None
    link: str = ""


@dataclass(frozen=True)
class DealerFacts:
    """A dealer with its plan of the cycle; ``link`` leads to its page from the overview, empty when it has none."""

    name: str
    region_id: str
    plan: Plan
    gate: Gate | None
    score: float | None
    link: str


@dataclass(frozen=True)
class CompetitorFigures:
    """Defeats of a series to a competitor brand, this and last period, with the main reasons (001's table)."""

    series: str
    brand: str
    defeats: int
    previous: int | None
    reasons: tuple[str, ...]  # codes


@dataclass(frozen=True)
class LatePlan:
    """A plan past a deadline: what it waits for, for how many days, how far it has escalated."""

    plan: Plan
    name: str
    action: Action
    owner: Role
    days: int
    told: Role


@dataclass(frozen=True)
class Failure:
    """A dealer that could not be served, and the message that says why."""

    dealer_id: str
    key: str
    params: Mapping[str, str]


@dataclass(frozen=True)
class NationalFigures:
    """What the overview shows; counts of the cycle's month, comparisons over ``months``."""

    version: str
    months: tuple[str, ...]
    nation: Mapping[str, Figure]
    verdicts: Mapping[DefeatVerdict, int]
    destinations: Mapping[Destination, int]
    reasons: Sequence[tuple[str, int, int]]  # code, used, declared
    regions: Sequence[RegionFigures]
    dealers: Sequence[DealerFacts]
    competitors: Sequence[CompetitorFigures]
    loop: LoopFigures
    late: Sequence[LatePlan]
    rows: Sequence[tuple[str, int, int, int, int, int]]  # table, in, accepted, quarantined, held, duplicate
    unassigned: int  # rows of no known dealer
    failures: Sequence[Failure]
    lacking: Mapping[str, int]  # evidence the source does not have -> filings it would have helped
    trend: Trend  # month, close rate, defeat rate after filter
    commentary: CommentaryFacts
