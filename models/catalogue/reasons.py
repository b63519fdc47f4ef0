"""The reason standard (domain.md sections 5 and 14): two-level codes, who can fix them, and how they are said.

The shipped ``reasons.toml`` is the start; an OEM's own ``reasons.toml`` in another folder overrides single keys of an
entry or adds entries. Every error names file, key and remedy (CatalogueError).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field

from models.catalogue.loading import Label
from models.catalogue.merging import laid_over
from models.enums import OwnerRole
from models.errors import CatalogueError
from models.in_force import standard

FILE = Path(__file__).parent / "reasons.toml"

#: "Price too high" as filed, before the price split says what is behind it (domain.md section 5).
UNSPLIT_PRICE = "price_too_high"

#: Who works at the dealer; all other owners sit at the region or the OEM, or nobody can fix it.
DEALER_ROLES = frozenset(
    {OwnerRole.SALES_MANAGER, OwnerRole.SALES_CONSULTANT, OwnerRole.CUSTOMER_SERVICE, OwnerRole.GENERAL_MANAGER}
)
_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    owners: tuple[OwnerRole, ...] = Field(min_length=1)
    dealer_fixable: bool
    label: Label
    definition: Label
    aliases: tuple[str, ...] = ()
    keywords_zh: tuple[str, ...] = ()
    keywords_en: tuple[str, ...] = ()
    excluded: bool = False
    scheme: str = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    level1: dict[str, _Entry] = Field(min_length=1)
    reasons: dict[str, _Entry] = Field(min_length=1)


class Reason(BaseModel):
    """One reason code: level 2, or a bare level 1 that stays at level 1 (domain.md section 14)."""

    model_config = ConfigDict(frozen=True)

    code: str
    level1: str
    level: int
    owners: tuple[OwnerRole, ...]  # who can fix it, the leading one first
    dealer_fixable: bool  # whether the leading owner is at the dealer
    label: Label
    definition: Label
    aliases: tuple[str, ...]
    keywords_zh: tuple[str, ...]
    keywords_en: tuple[str, ...]
    excluded: bool  # leaves numerator and denominator of rates, counted apart
    scheme: str  # the level-2 code whose coaching scheme applies; itself at level 2, empty where none applies

    @property
    def dealer_owned(self) -> bool:
        """Whether the dealer is among the owners, so that the playbook must offer it measures."""
        return any(owner in DEALER_ROLES for owner in self.owners)

    @property
    def keywords(self) -> tuple[str, ...]:
        """The fragments of free text that point to this reason, in both languages."""
        return self.keywords_zh + self.keywords_en


@standard
def catalogue(folder: Path | None = None) -> Mapping[str, Reason]:
    """Every valid code, level 1 and level 2, in catalogue order.

    ``folder`` holds an OEM's own ``reasons.toml``, merged over the shipped one. Raises CatalogueError.
    """
    spec, file = laid_over(FILE, _File, folder)
    found = {code: _reason(code, code, entry, 1) for code, entry in spec.level1.items()}
    for code, entry in spec.reasons.items():
        level1 = code.partition("_")[0]
        if level1 not in spec.level1 or not _CODE.fullmatch(code):
            raise CatalogueError("reasons.bad_code", file=file, entry=code, levels=", ".join(spec.level1))
        found[code] = _reason(code, level1, entry, 2)
    for key, params in _problems(found):
        raise CatalogueError(key, file=file, **params)
    _spellings(found, file)
    return MappingProxyType(found)


@standard
def reasons(folder: Path | None = None) -> Mapping[str, Reason]:
    """The level-2 reasons in catalogue order; raises CatalogueError."""
    return MappingProxyType({code: reason for code, reason in catalogue(folder).items() if reason.level == 2})


@standard
def level1_reasons(folder: Path | None = None) -> Mapping[str, Reason]:
    """The bare level-1 codes, valid as input and kept at level 1; raises CatalogueError."""
    return MappingProxyType({code: reason for code, reason in catalogue(folder).items() if reason.level == 1})


def valid_codes(folder: Path | None = None) -> frozenset[str]:
    """Every code a filing may carry, level 1 and level 2."""
    return frozenset(catalogue(folder))


def excluded_codes(folder: Path | None = None) -> frozenset[str]:
    """The codes that leave numerator and denominator of rates and are counted apart (domain.md section 14)."""
    return frozenset(code for code, reason in catalogue(folder).items() if reason.excluded)


def find_code(spelling: str, folder: Path | None = None) -> str | None:
    """The code a filing means by ``spelling``: a code, a label of either language or an alias; None when unknown."""
    return _index(folder).get(_plain(spelling))


@standard
def _index(folder: Path | None) -> Mapping[str, str]:
    return _spellings(catalogue(folder), FILE if folder is None else folder / FILE.name)


def _plain(spelling: str) -> str:
    """How spellings are compared: without case, spaces and punctuation."""
    return "".join(letter for letter in spelling.casefold() if letter.isalnum())


def _spellings(found: Mapping[str, Reason], file: Path) -> Mapping[str, str]:
    """Spelling -> code over codes, labels and aliases; a spelling of two codes would be a guess and is refused."""
    index: dict[str, str] = {}
    for code, reason in found.items():
        for spelling in (code, reason.label.zh_CN, reason.label.en, *reason.aliases):
            owner = index.setdefault(_plain(spelling), code)
            if owner != code:
                raise CatalogueError("reasons.ambiguous", file=file, entry=code, spelling=spelling, other=owner)
    return MappingProxyType(index)


def _reason(code: str, level1: str, entry: _Entry, level: int) -> Reason:
    scheme = code if level == 2 else entry.scheme
    return Reason(code=code, level1=level1, level=level, **(entry.model_dump() | {"scheme": scheme}))


def _problems(found: Mapping[str, Reason]) -> Iterator[tuple[str, dict[str, object]]]:
    """What the shape alone does not catch: owners against the flag, and schemes that lead nowhere."""
    for code, reason in found.items():
        if reason.dealer_fixable != (reason.owners[0] in DEALER_ROLES):
            yield "reasons.fixable", {"entry": code, "owner": reason.owners[0].value}
        target = found.get(reason.scheme) if reason.scheme else None
        if reason.scheme and (target is None or target.level != 2):
            yield "reasons.bad_scheme", {"entry": code, "scheme": reason.scheme}
