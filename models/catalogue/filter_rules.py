"""The rules of the defeat filter as data (domain.md sections 7 and 14): figures, time limits, order of evidence."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from models.catalogue.contract import contract
from models.catalogue.merging import laid_over
from models.enums import DefeatVerdict, Destination
from models.errors import CatalogueError
from models.in_force import standard

FILE = Path(__file__).parent / "filter_rules.toml"

#: The rules the filter can test; the file orders them and says what each one decides. The last one always holds.
FALLBACK = "nothing_known"
RULES = frozenset(
    {
        "sale_here",
        "won_here",
        "sale_elsewhere",
        "revisit_bought_here",
        "revisit_competitor",
        "revisit_same_brand",
        "revisit_bought",
        "revisit_not_purchased",
        "sister_won",
        "later_lead_here",
        "reactivated",
        "sister_open",
        "premature",
        "declared_competitor",
        "declared_same_brand",
        "declared_not_purchased",
        "out_of_reach",
        FALLBACK,
    }
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Online(_Part):
    """How an online source is told from its free name: whole words, or fragments of it (case ignored)."""

    words: tuple[str, ...]
    fragments: tuple[str, ...]


class SalesWindow(_Part):
    """Which sales are evidence: days around the filing, and types of customer."""

    days_before: int = Field(ge=0)
    days_after: int = Field(ge=0)
    customer_types: tuple[str, ...] = Field(min_length=1)


class Window(_Part):
    """Days after the filing within which a lead is evidence."""

    days_after: int = Field(ge=0)


class Premature(_Part):
    """A filing is premature with at most ``max_contacts`` and under ``min_days`` from creation to filing."""

    max_contacts: int = Field(ge=0)
    min_days: float = Field(ge=0)


class OutOfReach(_Part):
    """Attempts after which a customer whose destination is unknown counts as gone."""

    min_attempts: int = Field(ge=1)


class Identity(_Part):
    """When a phone number stops identifying a customer."""

    max_leads_per_phone: int = Field(ge=2)


class Limits(_Part):
    """What "in time" means, in the unit each name ends with."""

    first_response_hours: float = Field(gt=0)
    unclosed_days: float = Field(gt=0)
    silent_days: float = Field(gt=0)
    filed_within_days: float = Field(gt=0)
    reviewed_within_days: float = Field(gt=0)
    revisited_within_days: float = Field(gt=0)


class Questionnaire(_Part):
    """The fields of a complete revisit questionnaire."""

    required: tuple[str, ...] = Field(min_length=1)
    required_after_test_drive: tuple[str, ...] = ()


class Decision(_Part):
    """What a rule decides when it is the first that holds."""

    rule: str
    verdict: DefeatVerdict
    destination: Destination | None = None
    keeps: tuple[Destination, ...] = ()


class FilterRules(_Part):
    """All rules; ``precedence`` is the order of evidence, strongest first."""

    online: Online
    sales: SalesWindow
    later_lead: Window
    sister_lead: Window
    premature: Premature
    out_of_reach: OutOfReach
    identity: Identity
    limits: Limits
    questionnaire: Questionnaire
    precedence: tuple[Decision, ...] = Field(min_length=1)


@standard
def filter_rules(folder: Path | None = None) -> FilterRules:
    """The rules; ``folder`` may hold an OEM's own ``filter_rules.toml``, merged over the shipped one.

    Raises CatalogueError naming file, key and remedy.
    """
    spec, file = laid_over(FILE, FilterRules, folder)
    _check_precedence(spec, file)
    _check_words(spec, file)
    return spec


def _check_precedence(spec: FilterRules, file: Path) -> None:
    named = [decision.rule for decision in spec.precedence]
    for rule in named:
        if rule not in RULES:
            raise CatalogueError("filter.unknown_rule", file=file, entry=rule, known=", ".join(sorted(RULES)))
        if named.count(rule) > 1:
            raise CatalogueError("filter.rule_twice", file=file, entry=rule)
    if named[-1] != FALLBACK:
        raise CatalogueError("filter.no_fallback", file=file, entry=named[-1], fallback=FALLBACK)
    for decision in spec.precedence:
        if (decision.destination is None) != (decision.verdict is DefeatVerdict.FALSE):
            raise CatalogueError("filter.destination", file=file, entry=decision.rule)


def _check_words(spec: FilterRules, file: Path) -> None:
    fields = contract().tables["revisits"].fields
    for name in spec.questionnaire.required + spec.questionnaire.required_after_test_drive:
        if name not in fields:
            raise CatalogueError("filter.unknown_field", file=file, entry=name, known=", ".join(fields))
    types = contract().codes("customer_type")
    for name in spec.sales.customer_types:
        if name not in types:
            raise CatalogueError("filter.unknown_field", file=file, entry=name, known=", ".join(types))
