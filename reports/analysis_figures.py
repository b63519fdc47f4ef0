"""What the analysis of a scope is shown with: nation, region, dealer, series or named scene; facts in no language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from models.enums import DefeatVerdict, Gate
from models.facts import ChosenCard
from models.notes import Note as Interview
from reports.commentary import CommentaryFacts
from reports.figures import Comparison


class Kind(StrEnum):
    """What a page takes apart."""

    NATION = "nation"
    REGION = "region"
    DEALER = "dealer"
    SERIES = "series"
    SCENE = "scene"


@dataclass(frozen=True)
class Counted:
    """Cases of a kind among all of them; None where the months are before the data."""

    cases: int
    of: int

    @property
    def rate(self) -> float | None:
        """The share, None without any case."""
        return self.cases / self.of if self.of else None


@dataclass(frozen=True)
class Month:
    """Leads closed and won in a month: in the scope and in what stands beside it; intervals of the own rate (90 %)."""

    name: str
    own: Counted
    other: Counted
    last_year: Counted
    lo90: float | None = None
    hi90: float | None = None


@dataclass(frozen=True)
class Change:
    """Close rate of the window against the same months a year before, here and beside; points with a 90 % interval.

    ``beyond``: own change minus the change beside it: what season and market do not explain.
    """

    own_points: float
    other_points: float | None
    beyond: float | None
    lo90: float | None
    hi90: float | None


@dataclass(frozen=True)
class Part:
    """A part of the gap to the network's close rate, in points (negative: costs deals) and deals, with its interval."""

    kind: str  # gap, mix, step, remaining, reason
    code: str
    points: float
    deals: float
    lo90: float | None = None
    hi90: float | None = None
    chance: bool | None = None
    basis: str = ""


@dataclass(frozen=True)
class DealerPoint:
    """A dealer on the funnel plot: cases, its rate with its own mix taken out, whether it is outside the limits."""

    dealer_id: str
    name: str
    cases: int
    value: float | None
    expected: float | None
    z: float
    outside: bool
    here: bool = True  # belongs to the scope shown


@dataclass(frozen=True)
class FunnelPlot:
    """Dealers by size: limits at n cases are rate +- 1.96 sqrt(p (1 - p) / n + between (p (1 - p))^2)."""

    rate: float
    between: float
    points: tuple[DealerPoint, ...]
    limit: float = 1.96

    def sd(self, cases: float) -> float:
        """Standard deviation of a rate over ``cases`` by chance and between dealers."""
        spread = self.rate * (1 - self.rate)
        return float((spread / cases + self.between * spread**2) ** 0.5)

    def place(self, point: DealerPoint) -> float:
        """The rate a dealer has with its own mix of customers taken out: inside the limits if and only if its z is."""
        return self.rate + point.z * self.sd(point.cases)


@dataclass(frozen=True)
class ReasonShare:
    """How often a reason is named among the defeats of the window: filed, confirmed, used, corrected for misreporting.

    ``share`` with its interval is the corrected one, where it could not be corrected the used one.
    """

    code: str
    declared: int
    confirmed: int
    used: int
    declared_share: float | None
    confirmed_share: float | None
    used_share: float | None
    corrected: bool
    share: float | None
    lo90: float | None
    hi90: float | None


@dataclass(frozen=True)
class Reasons:
    """The reasons of a scope, the most frequent first."""

    defeats: int
    confirmed: int
    shares: tuple[ReasonShare, ...]
    missing: str = ""  # why shares could not be corrected
    least: int = 0  # confirmed reasons it takes
    agreement: Counted | None = None  # customers who confirmed what was filed, of those asked
    agreement_lo90: float | None = None
    agreement_hi90: float | None = None
    agreement_expected: float | None = None
    differs: bool = False


@dataclass(frozen=True)
class Moments:
    """A count in the cycle's month, the month before and a year before; None where the data do not reach back."""

    now: int
    previous: int | None
    last_year: int | None


@dataclass(frozen=True)
class Brand:
    """A competitor brand: defeats to it and this month's main reasons (codes); an empty name: nobody noted it."""

    name: str
    defeats: Moments
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Defeats:
    """The filings of the cycle's month: what the filter said, where customers went."""

    filed: int = 0
    verdicts: Mapping[DefeatVerdict, int] = field(default_factory=dict)
    premature: int = 0
    destinations: tuple[tuple[str, Moments], ...] = ()
    brands: tuple[Brand, ...] = ()
    sisters: tuple[tuple[str, int], ...] = ()  # dealer (name), purchases over the window; the most first
    people: tuple[tuple[str, int, int, int, int], ...] = ()  # consultant, filed, true, quasi, false
    filed_rate: float | None = None  # of closed leads, as filed
    filtered_rate: float | None = None  # after the filter


@dataclass(frozen=True)
class ProfileValue:
    """Customers with a value of an attribute: how often they buy against all of the scope."""

    attribute: str
    value: str
    leads: int
    won: int
    close_rate: float | None
    lift: float | None
    lo90: float | None
    hi90: float | None
    q_value: float | None
    missing: str = ""


@dataclass(frozen=True)
class Cohort:
    """The leads of a month of creation: share won so far, how complete that is, where it will end (90 % interval)."""

    name: str
    leads: int
    share: float | None
    completeness: float | None
    mature: bool
    projected: float | None
    lo90: float | None
    hi90: float | None


@dataclass(frozen=True)
class Age:
    """What share of leads is won at an age in months; not ``mature``: much is still to come; ``cases``: at risk."""

    months: int
    share: float | None
    mature: bool
    cases: int = 0


@dataclass(frozen=True)
class Note:
    """What an analysis could not judge, and why: a message with its parameters."""

    analysis: str
    key: str
    params: Mapping[str, object]


@dataclass(frozen=True)
class ScopeFigures:
    """Everything the page of one scope shows."""

    kind: Kind
    scope_id: str
    name: str
    cycle: str
    as_of: datetime
    version: str
    months: tuple[str, ...]  # the window
    region: str = ""  # of a dealer
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()  # of a scene: field, values
    month: Month | None = None  # the cycle's
    previous: float | None = None  # close rate of the month before
    leads: int = 0  # closed over the window
    funnel: tuple[Comparison, ...] = ()
    change: Change | None = None
    trend: tuple[Month, ...] = ()
    parts: tuple[Part, ...] = ()
    drivers: tuple[Part, ...] = ()
    cohorts: tuple[Cohort, ...] = ()
    ages: tuple[Age, ...] = ()
    cohorts_missing: str = ""  # message
    place: FunnelPlot | None = None
    reasons: Reasons | None = None
    defeats: Defeats = field(default_factory=Defeats)
    price: tuple[tuple[str, int], ...] = ()  # class of the price split, cases over ``price_months``
    price_months: tuple[str, ...] = ()
    profile: tuple[ProfileValue, ...] = ()
    score: float | None = None
    gate: Gate | None = None
    notes: tuple[Note, ...] = ()
    commentary: CommentaryFacts | None = None  # of regions and dealers: the nation's stands on the overview
    cards: tuple[ChosenCard, ...] = ()  # of a dealer
    interviews: tuple[Interview, ...] = ()  # qualitative notes about the scope

    @property
    def lost_only(self) -> bool:
        """Whether the scope holds lost leads only: the scene of a competitor. It has no close rate."""
        return "competitor" in dict(self.filters)
