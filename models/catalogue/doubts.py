"""When a comparison is in doubt, as data: mix, re-coding, regions, gaps, size, revisions, untreated (section 10)."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from models.catalogue.merging import laid_over
from models.in_force import standard

FILE = Path(__file__).parent / "doubts.toml"


class _Limit(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MixMoved(_Limit):
    """From which share of cases in other cells than before, beyond chance, a mix counts as moved."""

    share: float = Field(gt=0, lt=1)


class Recoding(_Limit):
    """From which rise of other reasons, as a share of the fall of the judged one, defeats count as coded otherwise."""

    share: float = Field(gt=0, le=1)
    code_share: float = Field(gt=0, le=1)
    p: float = Field(gt=0, le=0.5)
    exempt: frozenset[str] = frozenset()


class WholeRegion(_Limit):
    """Fewest dealers of a region that count as a whole region."""

    dealers: int = Field(ge=2)


class Gaps(_Limit):
    """Usual cases a month from which a month without any is a gap, and how many gaps a look may have."""

    usual_cases: float = Field(gt=0)
    months: int = Field(ge=0)


class OtherSize(_Limit):
    """Factor of cases a month, against the network's, from which a dealer is no longer the same."""

    factor: float = Field(gt=1)
    cases: int = Field(ge=1)


class Revised(_Limit):
    """From which share of the cases of the months that changed, and how many cases, a later change is told."""

    share: float = Field(gt=0, lt=1)
    cases: int = Field(ge=1)


class Untreated(_Limit):
    """Fewest dealers without such a measure to compare with."""

    dealers: int = Field(ge=2)


class Doubts(_Limit):
    """All limits."""

    mix_moved: MixMoved
    recoding: Recoding
    whole_region: WholeRegion
    gaps: Gaps
    other_size: OtherSize
    revised: Revised
    untreated: Untreated


@standard
def doubts(folder: Path | None = None) -> Doubts:
    """The limits; ``folder`` may hold an OEM's own ``doubts.toml``, merged over the shipped one.

    Raises CatalogueError naming file, key and remedy.
    """
    return laid_over(FILE, Doubts, folder)[0]
