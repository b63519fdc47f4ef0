"""The playbook: the coaching scheme of every reason a dealer can fix (domain.md section 9), as data.

``playbook/*.toml`` hold measures (split by level-1 reason), which scheme a finding in an indicator calls for, the OEM
lists for what dealers cannot fix, and argument cards in the three steps fact, concern, view. ``playbook/*.toml`` in an
OEM's own catalogue folder override single keys of an entry or add entries. Every error names file, key and remedy
(CatalogueError).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.catalogue.indicators import Unit, indicators
from models.catalogue.loading import Label, checked
from models.catalogue.merging import load_tables, merged
from models.catalogue.reasons import Reason, catalogue
from models.enums import OwnerRole
from models.errors import CatalogueError
from models.in_force import standard
from models.messages import DEFAULT_LOCALE

FOLDER = Path(__file__).parent / "playbook"

#: A measure judged by defeats per lead for a reason has the indicator ``reason:<code>``.
REASON_PREFIX = "reason:"
MIN_MEASURES = 2


class Stake(StrEnum):
    """How a finding in an indicator becomes deals at stake; the formulas are in ``tasks.compute.diagnosis``."""

    STEP = "step"
    LEADS = "leads"
    STOCK = "stock"
    OUTCOME = "outcome"
    SIGNAL = "signal"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Steps(_Entry):
    """What to do, step by step, in both languages; the two lists tell the same steps."""

    zh_CN: tuple[str, ...] = Field(min_length=3, max_length=6)  # noqa: N815  the locale's own name
    en: tuple[str, ...] = Field(min_length=3, max_length=6)

    def text(self, locale: str = DEFAULT_LOCALE) -> tuple[str, ...]:
        """The steps in ``locale``."""
        return self.en if locale == "en" else self.zh_CN


class Process(_Entry):
    """What shows that a measure was carried out: a share of the work itself, apart from what it is to bring."""

    indicator: str = Field(description="a share of the indicator catalogue, not the one that judges the measure")
    direction: Literal["higher", "lower"]
    points: float = Field(
        gt=0, le=100, description="percentage points it moves at least when the measure is carried out"
    )


class Measure(_Entry):
    """One thing a dealer does about one reason, judged by one indicator."""

    code: str
    reason: str
    order: int = Field(ge=1, description="place in the reason's scheme before any measure has a record")
    owner_role: OwnerRole
    indicator: str = Field(description="a share of the indicator catalogue, or reason:<code>")
    horizon_months: int = Field(ge=1, le=12, description="months after which an effect is expected to show")
    due_days: int = Field(ge=1, le=180, description="days after the end of the cycle by which it is to be done")
    effort: Literal["low", "medium", "high"]
    effort_hours: float | None = Field(
        None, gt=0, description="working hours of the dealer it takes; the OEM's to state"
    )
    process: Process | None = None
    cost: Literal["none", "low", "medium", "high"]
    title: Label
    evidence: Label
    steps: Steps


class IndicatorScheme(_Entry):
    """Which scheme a finding in an indicator calls for and which reasons' lost deals it contains."""

    reason: str
    stake: Stake
    explained_by: tuple[str, ...] = ()


class OemList(_Entry):
    """Where findings go that no dealer can fix."""

    owner_role: OwnerRole
    title: Label
    use: Label


class ArgumentCard(_Entry):
    """A deal argument in three steps: told from fact to view, designed from view to fact."""

    concern_code: str = Field(description="the reason the card answers")
    competitor: str = ""
    series: str = ""
    title: Label
    fact: Label
    concern: Label
    view: Label


class Playbook(BaseModel):
    """Everything the playbook folder says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    measures: dict[str, Measure] = Field(min_length=1)
    indicator_schemes: dict[str, IndicatorScheme] = {}
    oem_lists: dict[str, OemList] = {}
    argument_cards: dict[str, ArgumentCard] = {}
    owners: dict[str, tuple[OwnerRole, ...]] = Field({}, description="owners of each reason, from the reason catalogue")

    @cached_property
    def _by_reason(self) -> dict[str, tuple[Measure, ...]]:
        found: dict[str, list[Measure]] = {}
        for measure in sorted(self.measures.values(), key=lambda one: (one.order, one.code)):
            found.setdefault(measure.reason, []).append(measure)
        return {reason: tuple(measures) for reason, measures in found.items()}

    def scheme(self, reason: str) -> tuple[Measure, ...]:
        """The coaching scheme of ``reason``: its measures in the playbook's order; empty where a dealer has none."""
        return self._by_reason.get(reason, ())

    def oem_list(self, reason: str) -> str:
        """The OEM list a finding of ``reason`` goes to: that of its first owner who keeps one; empty when none does."""
        lists = {entry.owner_role: name for name, entry in self.oem_lists.items()}
        return next((lists[owner] for owner in self.owners.get(reason, ()) if owner in lists), "")

    def cards(self, reason: str, competitor: str = "", series: str = "") -> tuple[ArgumentCard, ...]:
        """The argument cards for ``reason`` that fit ``competitor`` and ``series``; the most special first."""
        fitting = [
            card
            for card in self.argument_cards.values()
            if card.concern_code == reason and card.competitor in ("", competitor) and card.series in ("", series)
        ]
        return tuple(sorted(fitting, key=lambda card: -(bool(card.competitor) + bool(card.series))))


@standard
def playbook(folder: Path | None = None) -> Playbook:
    """The playbook, checked against the reasons and indicators of the same folder.

    ``folder`` is an OEM's own catalogue; its ``playbook/*.toml`` are laid over the shipped files by entry and key.
    Raises CatalogueError when an entry is incomplete, names an unknown reason or an indicator that cannot judge a
    measure, or a reason the dealer owns has fewer than two measures.
    """
    sources: dict[str, Path] = {}
    tables = _laid({}, FOLDER, sources)
    if folder is not None and (folder / FOLDER.name).is_dir():
        tables = _laid(tables, folder / FOLDER.name, sources)
    known = catalogue(folder)
    for code, entry in tables.get("measures", {}).items():
        tables["measures"][code] = {"code": code, **entry}
    book = _checked(tables | {"owners": {code: reason.owners for code, reason in known.items()}}, sources)
    for where, key, params in _problems(book, folder):
        raise CatalogueError(key, file=sources.get(where, FOLDER), entry=where.partition(".")[2], **params)
    return book


def _laid(tables: dict[str, Any], folder: Path, sources: dict[str, Path]) -> dict[str, Any]:
    """``tables`` with every file of ``folder`` laid over; ``sources`` remembers the last file of each entry."""
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise CatalogueError("playbook.no_files", file=folder)
    seen: dict[str, Path] = {}
    for file in files:
        content = load_tables(file)
        for part, entries in content.items():
            for code in entries if isinstance(entries, Mapping) else ():
                where = f"{part}.{code}"
                if where in seen:
                    raise CatalogueError("playbook.twice", file=file, entry=code, other=seen[where].name)
                seen[where] = file
        tables = merged(tables, content)
    sources.update(seen)
    return tables


def _checked(tables: Mapping[str, Any], sources: Mapping[str, Path]) -> Playbook:
    """The playbook; entries are checked one by one so that an error names the file the entry stands in."""
    kinds: dict[str, type[BaseModel]] = {
        "measures": Measure,
        "indicator_schemes": IndicatorScheme,
        "oem_lists": OemList,
        "argument_cards": ArgumentCard,
    }
    for part, kind in kinds.items():
        for code, entry in tables.get(part, {}).items():
            file = sources.get(f"{part}.{code}", FOLDER)
            try:
                checked(entry, kind, file)
            except CatalogueError as error:
                inner = error.params["entry"]
                raise CatalogueError(error.key, **error.params | {"entry": f"{part}.{code}.{inner}"}) from error
    return checked(tables, Playbook, FOLDER)


_Finding = tuple[str, str, dict[str, object]]


def _problems(book: Playbook, folder: Path | None) -> Iterator[_Finding]:
    """What entries say about each other, as (entry, message key, parameters)."""
    known = catalogue(folder)
    for where, reason in _reason_references(book):
        if reason not in known:
            yield where, "playbook.unknown_reason", {"reason": reason}
    shares = {code for code, entry in indicators(folder).indicators.items() if entry.unit is Unit.SHARE}
    for where, indicator in _indicator_references(book):
        if indicator not in shares:
            yield where, "playbook.unknown_indicator", {"indicator": indicator}
    for code, measure in book.measures.items():
        if measure.process and measure.process.indicator == indicators(folder).judged(measure.indicator):
            yield f"measures.{code}", "playbook.process_is_result", {"indicator": measure.process.indicator}
        zh, en = len(measure.steps.zh_CN), len(measure.steps.en)
        if zh != en:
            yield f"measures.{code}", "playbook.uneven_steps", {"zh": zh, "en": en}
    yield from _broken_schemes(book)
    yield from _missing_measures(book, known)


def _broken_schemes(book: Playbook) -> Iterator[_Finding]:
    """Findings that lead to no measure, and reasons that would be counted in two steps."""
    explained: dict[str, str] = {}
    for indicator, scheme in book.indicator_schemes.items():
        where = f"indicator_schemes.{indicator}"
        for reason in scheme.explained_by:
            other = explained.setdefault(reason, indicator)
            if other != indicator:
                yield where, "playbook.explained_twice", {"reason": reason, "other": other}
        if not book.scheme(scheme.reason):
            yield where, "playbook.no_scheme", {"reason": scheme.reason}


def _missing_measures(book: Playbook, known: Mapping[str, Reason]) -> Iterator[_Finding]:
    """Reasons of the dealer without enough measures."""
    for code, entry in known.items():
        have = len(book.scheme(code))
        if entry.level == 1 and entry.dealer_fixable and not book.scheme(entry.scheme):
            yield f"measures.{code}", "playbook.no_scheme", {"reason": entry.scheme}
        if entry.level == 2 and entry.dealer_owned and have < MIN_MEASURES:
            yield f"measures.{code}", "playbook.too_few", {"have": have, "need": MIN_MEASURES}


def _indicator_references(book: Playbook) -> Iterator[tuple[str, str]]:
    """Every indicator an entry names; those of a reason are references to the reason."""
    for code, measure in book.measures.items():
        if not measure.indicator.startswith(REASON_PREFIX):
            yield f"measures.{code}", measure.indicator
        if measure.process:
            yield f"measures.{code}", measure.process.indicator
    for indicator in book.indicator_schemes:
        yield f"indicator_schemes.{indicator}", indicator


def _reason_references(book: Playbook) -> Iterator[tuple[str, str]]:
    """Every reason code an entry names."""
    for code, measure in book.measures.items():
        yield f"measures.{code}", measure.reason
        if measure.indicator.startswith(REASON_PREFIX):
            yield f"measures.{code}", measure.indicator.removeprefix(REASON_PREFIX)
    for indicator, scheme in book.indicator_schemes.items():
        for reason in (scheme.reason, *scheme.explained_by):
            yield f"indicator_schemes.{indicator}", reason
    for code, card in book.argument_cards.items():
        yield f"argument_cards.{code}", card.concern_code
