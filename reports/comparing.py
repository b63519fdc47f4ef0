"""A dealer beside its peers: bars on a common scale, with the interval that says whether chance explains the gap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from models.messages import text
from reports.figures import Comparison
from reports.words import Words, lower_is_better


class Standing(StrEnum):
    """Where a dealer stands: sure when the 90 % interval of its gap leaves out zero, likely by its q value."""

    BETTER = "better"
    WORSE = "worse"
    LIKELY_WORSE = "likely_worse"
    CHANCE = "chance"
    UNJUDGED = "unjudged"


def standing(comparison: Comparison) -> Standing:
    """Better or worse than peers, not to be told from chance, or not to be judged."""
    low, high = comparison.lo90, comparison.hi90
    if not comparison.enough or comparison.expected is None or low is None or high is None:
        return Standing.UNJUDGED
    if low <= 0 <= high:
        return Standing.LIKELY_WORSE if comparison.likely else Standing.CHANCE
    return Standing.WORSE if (low > 0) == lower_is_better(comparison.indicator) else Standing.BETTER


def sureness(comparison: Comparison) -> float:
    """How far, in points, the interval of the gap stays away from zero."""
    return max(comparison.lo90 or 0.0, -(comparison.hi90 or 0.0), 0.0)


@dataclass(frozen=True)
class Bar:
    """A rate beside its peers'; ``*_width``, ``low`` and ``high`` are 0-1 on the chart's scale, None where unknown."""

    label: str
    sample: str
    own: str
    peers: str
    gap: str  # with its interval, or why there is none
    standing: Standing
    verdict: str
    code: str
    own_width: float
    peers_width: float | None = None
    low: float | None = None
    high: float | None = None


def bar(comparison: Comparison, words: Words, scale: float) -> Bar:
    """The bar of one comparison on a chart that ends at ``scale``; the interval is that of the dealer's own level."""
    f, where = words.f, standing(comparison)
    sample = text(
        "comparing.sample",
        words.locale,
        numerator=f.number(comparison.numerator),
        denominator=f.number(comparison.denominator),
    )
    head = {
        "label": words.indicator(comparison.indicator),
        "sample": sample,
        "own": f.percent(comparison.value),
        "standing": where,
        "verdict": text(f"comparing.{where}", words.locale),
        "code": comparison.indicator,
        "own_width": _on(scale, comparison.value) or 0.0,
    }
    if where is Standing.UNJUDGED or comparison.expected is None:
        why = text(comparison.missing, words.locale) if comparison.missing else ""
        return Bar(**head, peers="", gap=why)  # type: ignore[arg-type]
    interval = f.interval(comparison.lo90, comparison.hi90)
    gap = text("comparing.gap", words.locale, gap=f.points(comparison.gap_points), interval=interval)
    return Bar(
        **head,  # type: ignore[arg-type]
        peers=f.percent(comparison.expected),
        gap=gap,
        peers_width=_on(scale, comparison.expected),
        low=_on(scale, comparison.expected + (comparison.lo90 or 0.0) / 100),
        high=_on(scale, comparison.expected + (comparison.hi90 or 0.0) / 100),
    )


def bars(comparisons: Iterable[Comparison], words: Words) -> tuple[Bar, ...]:
    """Comparisons as bars of one chart, on a scale that holds them all."""
    rows = [one for one in comparisons if one.denominator]
    return tuple(bar(one, words, _scale(rows)) for one in rows)


def _scale(rows: Iterable[Comparison]) -> float:
    ends = [end for one in rows for end in (one.value, one.expected, _end(one)) if end is not None]
    return min(1.0, max([0.01, *ends]) * 1.05)


def _end(one: Comparison) -> float | None:
    return None if one.expected is None or one.hi90 is None else one.expected + one.hi90 / 100


def _on(scale: float, value: float | None) -> float | None:
    return None if value is None else min(1.0, max(0.0, value / scale))


def evidence(comparison: Comparison, words: Words) -> str:
    """One comparison as a sentence with its figures."""
    row = bar(comparison, words, 1.0)
    if row.standing is Standing.UNJUDGED:
        return text(
            "comparing.evidence_unjudged", words.locale, label=row.label, own=row.own, sample=row.sample, why=row.gap
        )
    return text(
        "comparing.evidence",
        words.locale,
        label=row.label,
        own=row.own,
        sample=row.sample,
        peers=row.peers,
        gap=row.gap,
        verdict=row.verdict,
    )
