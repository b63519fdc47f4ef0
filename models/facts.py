"""Frozen facts that steps hand to each other, besides data frames (their columns: docs/architecture.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from models.catalogue.competitors import Competitor
from models.catalogue.playbook import ArgumentCard
from models.enums import EffectVerdict, PlanKind


@dataclass(frozen=True)
class Cycle:
    """One turn of the loop: a calendar month, judged with what was known at ``as_of`` (domain.md section 14)."""

    name: str  # YYYY-MM
    as_of: datetime

    @property
    def starts(self) -> date:
        """First day of the month."""
        return date(int(self.name[:4]), int(self.name[5:7]), 1)

    @property
    def ends(self) -> date:
        """First day after the month."""
        first = self.starts
        return date(first.year + first.month // 12, first.month % 12 + 1, 1)


@dataclass(frozen=True)
class Problem:
    """One fixable problem of a dealer, with the figures that show it.

    ``value`` and ``expected`` are rates 0-1 of ``indicator`` over ``months`` (for a reason: defeats for it per lead);
    ``gap_points`` is value minus expected in percentage points, negative values of a "higher is better" indicator
    being bad; ``deals_at_stake`` the deals the dealer would have won in the window at its peers' level.
    """

    dealer_id: str
    indicator: str
    reason: str  # level-2 code whose coaching scheme applies
    numerator: int
    denominator: int
    value: float
    expected: float
    gap_points: float
    lo90: float
    hi90: float
    q_value: float
    deals_at_stake: float
    peers: int  # dealers compared with
    months: tuple[str, ...]
    lead_ids: tuple[str, ...]  # examples of the customers behind it, at most 20
    also: tuple[str, ...] = ()  # other indicators that show the same cause; their deals are not counted again


@dataclass(frozen=True)
class MeasureDraft:
    """A measure proposed to a dealer: what, by whom, until when, and by which indicator it will be judged."""

    measure: str  # code in the playbook
    reason: str
    indicator: str
    owner_role: str
    due_on: date
    baseline: float
    target: float
    target_points: float
    deals_at_stake: float
    verify_after_months: int | None  # None: too few cases for a verdict of this dealer alone; judged in the pool


@dataclass(frozen=True)
class PlanDraft:
    """What a dealer gets in a cycle: problems and measures, or a "keep" or "data" plan that says why there are none."""

    cycle: str
    dealer_id: str
    region_id: str
    kind: PlanKind
    problems: tuple[Problem, ...]
    measures: tuple[MeasureDraft, ...]
    not_fixable: tuple[Problem, ...]  # product, price policy, supply: goes to the OEM's lists
    note: str  # message key that says why the plan has this kind
    note_params: Mapping[str, str | int | float] = field(default_factory=dict)  # the figures of the note


@dataclass(frozen=True)
class Effect:
    """What verification found of one measure at one look (verification.md; effects in percentage points)."""

    plan_id: str
    measure_id: str
    months: int
    executed: bool | None
    effect_points: float | None
    lo90: float | None
    hi90: float | None
    shrunk_points: float | None
    verdict: EffectVerdict
    reason_key: str  # message that says in one sentence why
    target_reached: bool | None
    months_needed: int | None
    numerator: int
    denominator: int


@dataclass(frozen=True)
class ChosenCard:
    """An argument card, the flow it answers, and how many defeats of that flow had the reason."""

    series: str
    brand: str  # empty: a brand nobody noted
    reason: str
    defeats: int
    card: ArgumentCard
    competitors: tuple[Competitor, ...]
