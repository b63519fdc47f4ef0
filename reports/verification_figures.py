"""What became of earlier measures, and whether the loop works: facts in no language, gathered once per cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from models.catalogue.follow_ups import StepName
from models.enums import EffectVerdict, Role

Row = Mapping[str, object]
#: Reason and measure.
Key = tuple[str, str]


@dataclass(frozen=True)
class LookFacts:
    """The look a cycle took at an earlier measure.

    ``effect``: a row of ``effects``; ``cycle``: of the measure's plan; ``since``: the first month that counts for it
    (YYYY-MM); ``next_look``: the cycle of the next look, empty when none comes; ``follow_up``: a row of ``follow_ups``,
    None where nothing follows yet.
    """

    effect: Row
    cycle: str
    own_text: str
    since: str
    next_look: str
    follow_up: Row | None


@dataclass(frozen=True)
class Practice:
    """Where a measure worked: ``note`` as ``practice_note`` gives it, the name of the dealer that may be named."""

    note: Row
    dealer: str


@dataclass(frozen=True)
class DealerVerification:
    """A dealer's looks, and what is known of measures: their record (rows of ``measures``), where they worked."""

    looks: tuple[LookFacts, ...] = ()
    records: Mapping[Key, Row] = field(default_factory=dict)
    practices: Mapping[Key, Practice] = field(default_factory=dict)
    tried: frozenset[Key] = frozenset()


@dataclass(frozen=True)
class Duty:
    """Something somebody has to do about a dealer's measure; ``step`` of the follow-ups, empty: an approval."""

    owner: Role
    region_id: str
    step: StepName | None
    due: date | None
    dealer_id: str
    name: str
    measure: str


@dataclass(frozen=True)
class LoopFigures:
    """Whether the loop works: looks of the cycle by verdict, its checks by name, the playbook's record, duties."""

    judged: Mapping[EffectVerdict, int]
    not_executed: int
    too_early: int
    checks: Mapping[str, Row]
    record: Sequence[Row]  # of reasons with a measure tried: tried ones and the first, in the order of proposal
    duties: Sequence[Duty]
