"""Competitors per own series as data: what they are compared for, and their price where the OEM keeps it.

Source: domain.md section 8 (001: analyse competitors in detail, set standard arguments). The argument cards themselves
are part of the playbook (models.catalogue.playbook).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.catalogue.loading import Label
from models.catalogue.merging import laid_over
from models.errors import CatalogueError
from models.in_force import standard

FILE = Path(__file__).parent / "competitors.toml"


class Competitor(BaseModel):
    """One competitor's series against one of the own; prices in CNY, looked up on ``as_of`` at ``source``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    brand: str = Field(min_length=1)
    series: str = ""
    against: str = Field(min_length=1)
    strong: tuple[Label, ...] = ()
    weak: tuple[Label, ...] = ()
    price_from: float | None = Field(None, gt=0)
    price_to: float | None = Field(None, gt=0)
    as_of: date | None = None
    source: str = ""

    @model_validator(mode="after")
    def _dated_prices(self) -> Competitor:
        if (self.price_from is None) != (self.price_to is None):
            raise ValueError("price_from and price_to go together")
        if self.price_from is not None and self.price_to is not None:
            if self.price_from > self.price_to:
                raise ValueError("price_from is above price_to")
            if self.as_of is None or not self.source:
                raise ValueError("a price needs as_of (the day it was looked up) and source")
        return self


class Competitors(BaseModel):
    """All competitors, by code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    competitors: dict[str, Competitor]

    def of(self, series: str, brand: str = "") -> tuple[Competitor, ...]:
        """The competitors of an own series, of one brand where it is named, in the order of the file."""
        every = self.competitors.values()
        return tuple(one for one in every if one.against == series and brand in ("", one.brand))


@standard
def competitors(folder: Path | None = None) -> Competitors:
    """The competitors; ``folder`` may hold an OEM's own ``competitors.toml``, merged over the shipped one.

    Raises CatalogueError naming file, key and remedy.
    """
    spec, file = laid_over(FILE, Competitors, folder)
    seen: dict[tuple[str, str, str], str] = {}
    for code, one in spec.competitors.items():
        other = seen.setdefault((one.brand, one.series, one.against), code)
        if other != code:
            raise CatalogueError("competitors.twice", file=file, entry=code, other=other)
    return spec
