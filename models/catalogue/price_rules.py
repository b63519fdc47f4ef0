"""The rules of the price split as data (domain.md sections 5, 14): thresholds, order, what a confirmed reason means."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from models.catalogue.merging import laid_over
from models.catalogue.reasons import valid_codes
from models.errors import CatalogueError
from models.in_force import standard

FILE = Path(__file__).parent / "price_rules.toml"

#: The class of a price defeat that nothing explains.
UNEXPLAINED = "unexplained"
#: The classes with a rule; names are the columns of the export ``price_split``.
CLASSES = ("excuse", "bidding", "inconsistent_promotion", "markup", "needs_not_understood", "positioned_high")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Excuse(_Part):
    """The customer later bought dearer than the quote, by more than this share."""

    dearer_by: float = Field(ge=0)


class Bidding(_Part):
    """Days around this lead in which a lead at a sister dealer counts, and whether a sale there does."""

    days_before: float = Field(ge=0)
    days_after: float = Field(ge=0)
    sale_counts: bool


class InconsistentPromotion(_Part):
    """When quotes for one model and week at a dealer differ beyond what peers show."""

    min_points: float = Field(gt=0)
    quantile: float = Field(gt=0, lt=1)
    min_groups: int = Field(ge=2)
    min_quotes: int = Field(ge=2)
    spread_ratio: float = Field(ge=1)
    q_value: float = Field(gt=0, lt=1)


class Markup(_Part):
    """When a quote is above list, or its discount low against peers."""

    above_list: float = Field(ge=0)
    low_discount: float = Field(ge=0)
    spreads: float = Field(ge=0)
    min_dealers: int = Field(ge=1)


class Needs(_Part):
    """Share of the price by which a budget is far from the model shown."""

    far: float = Field(gt=0)


class PositionedHigh(_Part):
    """When a series is priced high at many dealers, whatever they offer."""

    rate_ratio: float = Field(ge=1)
    p_value: float = Field(gt=0, lt=1)
    min_dealers: int = Field(ge=1)
    dealer_share: float = Field(ge=0, le=1)
    deep_share: float = Field(ge=0, le=1)


class PriceRules(_Part):
    """All rules; ``precedence`` orders the classes, ``confirmed`` maps reason codes of the revisit to classes."""

    precedence: tuple[str, ...]
    excuse: Excuse
    bidding: Bidding
    inconsistent_promotion: InconsistentPromotion
    markup: Markup
    needs_not_understood: Needs
    positioned_high: PositionedHigh
    confirmed: dict[str, str]


@standard
def price_rules(folder: Path | None = None) -> PriceRules:
    """The rules; ``folder`` may hold an OEM's own ``price_rules.toml``, merged over the shipped one.

    Raises CatalogueError naming file, key and remedy.
    """
    spec, file = laid_over(FILE, PriceRules, folder)
    if sorted(spec.precedence) != sorted(CLASSES):
        given, known = ", ".join(spec.precedence), ", ".join(CLASSES)
        raise CatalogueError("analysis.price.precedence", file=file, given=given, known=known)
    for code, name in spec.confirmed.items():
        if code not in valid_codes(folder):
            raise CatalogueError("analysis.price.unknown_reason", file=file, entry=code)
        if name not in CLASSES:
            raise CatalogueError("analysis.price.unknown_class", file=file, entry=name, known=", ".join(CLASSES))
    return spec
