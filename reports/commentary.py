"""Text commentary from figures (domain.md section 8): facts in, sentences out, in the reader's language.

Which sentences in which order is data (models/catalogue/commentary.toml), their words are messages ``commentary.*``.
Every sentence carries its figure and its sample; a difference that chance explains is left out.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field

from models.catalogue.commentary import DIFFERENCES, CommentaryRules, commentary_rules
from models.enums import DefeatVerdict
from models.messages import text
from reports.words import Words


@dataclass(frozen=True)
class Share:
    """Cases among all of them."""

    cases: int
    of: int


@dataclass(frozen=True)
class Contrast:
    """A rate beside another: what it is of, its sample, the difference in points with a 90 % interval and its q value.

    ``kind`` is one of models.catalogue.commentary.DIFFERENCES. The other side is a sample, or for peers the rate they
    would have with the same mix (``expected``) and how many they are (``peers``).
    """

    kind: str
    now: Share
    points: float
    lo90: float
    hi90: float
    q_value: float
    other: Share | None = None
    expected: float | None = None
    peers: int = 0
    reason: str = ""
    series: str = ""
    brand: str = ""
    region: str = ""


@dataclass(frozen=True)
class CommentaryFacts:
    """What a text is written from; ``scope`` is a name, empty for the nation. Counts of the month ``cycle``."""

    cycle: str
    months: int  # of the window of comparisons with peers
    scope: str
    closed: Share
    contrasts: tuple[Contrast, ...] = ()
    verdicts: Mapping[DefeatVerdict, int] = field(default_factory=dict)
    rows: Share | None = None  # quarantined or held among received
    gate: Share | None = None  # dealers failing among all


@dataclass(frozen=True)
class Sentence:
    """A sentence before it has words: its kind, its sample, and the difference it tells (None: it states a figure)."""

    name: str
    sample: Share
    contrast: Contrast | None = None


def sentences(facts: CommentaryFacts, rules: CommentaryRules) -> tuple[Sentence, ...]:
    """The sentences of a text in their order."""
    stated = {"level": facts.closed, "filter": _filtered(facts), "set_apart": facts.rows, "gate": facts.gate}
    return tuple(one for kind in rules.sentences for one in _of_kind(kind.name, kind.most, facts, stated, rules))


def commentary(facts: CommentaryFacts, locale: str, said: Container[str] = ()) -> list[str]:
    """The text in ``locale``, one sentence each; ``said``: kinds the page says elsewhere, left out."""
    words = Words(locale)
    return [_told(one, facts, words) for one in sentences(facts, commentary_rules()) if one.name not in said]


def _of_kind(
    name: str, most: int, facts: CommentaryFacts, stated: Mapping[str, Share | None], rules: CommentaryRules
) -> Iterator[Sentence]:
    if name in DIFFERENCES:
        told = [one for one in facts.contrasts if one.kind == name and not _chance(one, rules)]
        ranked = sorted(told, key=lambda one: (-abs(one.points), one.reason, one.series, one.brand, one.region))
        yield from (Sentence(name, one.now, one) for one in ranked[:most])
        return
    sample = stated[name]
    if sample is not None and sample.of and (sample.cases or name == "level"):
        yield Sentence(name, sample)


def _chance(one: Contrast, rules: CommentaryRules) -> bool:
    """Whether chance explains a difference, or its samples are too small to tell."""
    few = one.now.of < rules.min_cases or (one.other is not None and one.other.of < rules.min_cases)
    return few or one.lo90 <= 0 <= one.hi90 or not one.q_value <= rules.q_value


def _filtered(facts: CommentaryFacts) -> Share | None:
    filed = sum(facts.verdicts.values())
    return Share(filed - facts.verdicts.get(DefeatVerdict.TRUE, 0), filed) if filed else None


def _told(one: Sentence, facts: CommentaryFacts, words: Words) -> str:
    f, sample = words.f, one.sample
    params = {
        "cases": f.number(sample.cases),
        "of": f.number(sample.of),
        "rate": f.percent(sample.cases / sample.of),
        "cycle": f.month(facts.cycle),
        "scope": facts.scope or text("commentary.scope.nation", words.locale),
        "months": f.number(facts.months),
        "filed": f.number(sum(facts.verdicts.values())),
        **{verdict.value: f.number(facts.verdicts.get(verdict, 0)) for verdict in DefeatVerdict},
    }
    if one.contrast is not None:
        params |= _difference(one.contrast, words)
    return text(f"commentary.{one.name}", words.locale, **params)


def _difference(one: Contrast, words: Words) -> dict[str, str]:
    f, other = words.f, one.other
    rate = one.expected if other is None else other.cases / other.of
    return {
        "other": f.percent(rate),
        "other_cases": "" if other is None else f.number(other.cases),
        "other_of": "" if other is None else f.number(other.of),
        "peers": f.number(one.peers),
        "points": f.points(one.points),
        "interval": f.interval(one.lo90, one.hi90),
        "reason": words.reason(one.reason),
        "series": one.series,
        "brand": one.brand,
        "region": one.region,
    }
