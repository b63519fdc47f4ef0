"""The indicator standard (domain.md section 6): every indicator declared once, computed or not.

``python -m models.catalogue.indicators > docs/indicators.md`` regenerates the manual; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field

from models.catalogue.loading import Label
from models.catalogue.merging import laid_over
from models.enums import OwnerRole
from models.errors import CatalogueError
from models.in_force import standard

FILE = Path(__file__).parent / "indicators.toml"


class Group(StrEnum):
    """The level-1 groups of the indicator system."""

    FUNNEL = "funnel"
    EXECUTION = "execution"
    DESTINATION = "destination"
    REASONS = "reasons"
    WINBACK = "winback"
    PROFILE = "profile"
    QUALITY = "quality"
    LOOP = "loop"
    OWNERS = "owners"


class Unit(StrEnum):
    """What the value is counted in."""

    SHARE = "share"
    HOURS = "hours"
    DAYS = "days"
    CONTACTS = "contacts"
    SCORE = "score"
    MONEY = "money"
    COUNT = "count"


class Better(StrEnum):
    """Which direction is good."""

    HIGHER = "higher"
    LOWER = "lower"
    NONE = "none"


class Base(StrEnum):
    """Which leads a month holds."""

    CLOSING = "closing"
    CREATED = "created"
    MONTH_END = "month_end"
    FILED = "filed"
    LOOP = "loop"  # no leads: plans and measures


class Peers(StrEnum):
    """Whom a dealer is compared with."""

    MIX = "mix"
    DEALERS = "dealers"


class TargetRule(StrEnum):
    """How the default target is set."""

    PEERS = "peers"
    HALF_GAP = "half_gap"
    FIXED = "fixed"
    NONE = "none"


#: The export that the engine of tasks.compute.indicators fills; the others have steps of their own.
ENGINE_TABLE = "indicators"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    group: Group
    label: Label
    definition: Label
    numerator: str = ""
    denominator: str = ""
    unit: Unit
    better: Better
    owner: OwnerRole
    minimum: int = Field(ge=1)
    peers: Peers
    target: TargetRule
    base: Base
    table: str
    computed: bool
    needs: Label | None = None
    judged_as: str = Field("", description="the share that dealers and measures are judged by in its place")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    facts: dict[str, Label] = Field(min_length=1)
    indicators: dict[str, _Entry] = Field(min_length=1)


class Indicator(_Entry):
    """One indicator; ``numerator`` and ``denominator`` name facts per lead, empty where another step computes it."""

    code: str

    @property
    def summed(self) -> bool:
        """Whether the generic engine computes it from facts per lead."""
        return self.computed and self.table == ENGINE_TABLE and self.base is not Base.LOOP


@dataclass(frozen=True)
class IndicatorStandard:
    """All indicators in catalogue order, and the facts per lead they sum."""

    indicators: Mapping[str, Indicator]
    facts: Mapping[str, Label]

    @property
    def summed(self) -> tuple[Indicator, ...]:
        """The indicators the generic engine computes."""
        return tuple(indicator for indicator in self.indicators.values() if indicator.summed)

    def judged(self, code: str) -> str:
        """The share that dealers and measures are judged by where ``code`` is asked for; empty when there is none.

        A share stands for itself. A mean of hours, days or contacts cannot be judged from sums alone (a few extreme
        cases decide it, and the sums do not say how far cases spread), so the share within a limit is judged.
        """
        entry = self.indicators.get(code)
        if entry is None:
            return ""
        return code if entry.unit is Unit.SHARE else entry.judged_as

    def not_yet_computed(self) -> tuple[Indicator, ...]:
        """The indicators declared but not computed in this version; ``needs`` says what is missing."""
        return tuple(indicator for indicator in self.indicators.values() if not indicator.computed)


@standard
def indicators(folder: Path | None = None) -> IndicatorStandard:
    """The standard; ``folder`` may hold an OEM's own ``indicators.toml``, merged over the shipped one.

    Raises CatalogueError naming file, key and remedy.
    """
    spec, file = laid_over(FILE, _File, folder)
    for code, entry in spec.indicators.items():
        _check(code, entry, spec.facts, file)
        _check_twin(code, entry, spec.indicators, file)
    found = {code: Indicator(code=code, **dict(entry)) for code, entry in spec.indicators.items()}
    return IndicatorStandard(MappingProxyType(found), MappingProxyType(spec.facts))


def _check(code: str, entry: _Entry, facts: Mapping[str, Label], file: Path) -> None:
    for fact in (entry.numerator, entry.denominator):
        if fact and fact not in facts:
            raise CatalogueError("indicators.unknown_fact", file=file, entry=code, fact=fact)
    sums = bool(entry.numerator and entry.denominator)
    if entry.computed and entry.table == ENGINE_TABLE and not sums:
        raise CatalogueError("indicators.no_sums", file=file, entry=code)
    if entry.computed == (entry.needs is not None):
        raise CatalogueError("indicators.needs", file=file, entry=code)


def _check_twin(code: str, entry: _Entry, known: Mapping[str, _Entry], file: Path) -> None:
    """What is judged in an indicator's place is a computed share with a better direction."""
    if not entry.judged_as:
        return
    twin = known.get(entry.judged_as)
    if twin is None or not twin.computed or twin.unit is not Unit.SHARE or twin.better is Better.NONE:
        raise CatalogueError("indicators.twin", file=file, entry=code, twin=entry.judged_as)


if __name__ == "__main__":
    from models.catalogue.indicator_manual import manual

    print(manual(), end="")
