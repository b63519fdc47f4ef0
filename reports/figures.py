"""What a dealer's plan is shown with: facts in no language, gathered once and turned into words by the pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from models.enums import Gate, PlanState
from models.facts import ChosenCard
from reports.verification_figures import DealerVerification

#: Month, rate here, rate beside it.
Trend = tuple[tuple[str, float | None, float | None], ...]


@dataclass(frozen=True)
class Figure:
    """One indicator in the cycle's month."""

    indicator: str
    numerator: float | None
    denominator: float | None
    value: float | None
    previous: float | None


@dataclass(frozen=True)
class Comparison:
    """One indicator of a dealer against its peers over the window: all figures of the same months.

    ``value`` and ``expected`` are rates 0-1; gap and interval (90 %) percentage points, shrunk, value minus expected.
    ``likely``: worse by the rule of diagnosis although the interval holds zero (its q value is small enough).
    Where ``enough`` is false, ``missing`` is the message that says why, and the rest may be None.
    """

    indicator: str
    numerator: int
    denominator: int
    value: float | None
    expected: float | None
    gap_points: float | None
    lo90: float | None
    hi90: float | None
    q_value: float | None
    peers: int
    enough: bool
    missing: str = ""
    likely: bool = False


@dataclass(frozen=True)
class EarlierMeasure:
    """A measure of an earlier plan of the dealer; ``open``: it is being carried out or waits for its verdict."""

    measure_id: str
    cycle: str
    measure: str
    own_text: str
    reason: str
    state: PlanState
    due: date
    open: bool


@dataclass(frozen=True)
class Loss:
    """Points of the quality score a rule cost: ``failed`` of ``rows`` rows of a table."""

    table: str
    rule: str
    failed: int
    rows: int
    points: float
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class RejectedRow:
    """A row that broke a rule, as the dealer finds it in its own system."""

    table: str
    file: str
    row: int | None
    key: str
    rule: str
    column: str
    severity: str


@dataclass(frozen=True)
class Quality:
    """A dealer's data: score and gate, what cost it points (the dearest first), the rows (at most those shown)."""

    score: float | None = None
    gate: Gate | None = None
    limit: float | None = None  # score under which a dealer is not compared
    rows: int = 0
    set_apart: int = 0  # quarantined and held
    losses: tuple[Loss, ...] = ()
    rejected: tuple[RejectedRow, ...] = ()
    rejected_total: int = 0


@dataclass(frozen=True)
class DealerFigures:
    """What a plan page shows besides the plan; counts of the cycle's month unless they are ``comparisons``."""

    name: str
    region: str
    version: str  # of the results the figures are from
    months: tuple[str, ...]  # the window of ``comparisons``
    month: Mapping[str, Figure] = field(default_factory=dict)
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    filed: int = 0
    true: int = 0
    quasi: int = 0
    false: int = 0
    reasons: tuple[tuple[str, int, int], ...] = ()  # code, defeats with it as used, as declared; largest first
    quality: Quality = field(default_factory=Quality)
    trend: Trend = ()
    verification: DealerVerification = field(default_factory=DealerVerification)
    earlier: Mapping[str, EarlierMeasure] = field(default_factory=dict)  # by measure id
    cards: tuple[ChosenCard, ...] = ()  # for its largest flows to competitors over ``months``
