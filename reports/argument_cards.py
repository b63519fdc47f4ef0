"""Argument cards in words: what the customer said, fact, concern and view, and what is known of the competitor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.catalogue.competitors import Competitor
from models.facts import ChosenCard
from models.messages import text
from reports.words import Words


@dataclass(frozen=True)
class CardView:
    """A card in words; ``answers``: the flows it is for; ``rivals``: a line per competitor the standards describe."""

    title: str
    answers: tuple[str, ...]
    fact: str
    concern: str
    view: str
    rivals: tuple[str, ...]


def card_views(cards: Iterable[ChosenCard], locale: str) -> tuple[CardView, ...]:
    """The cards in ``locale`` in the order of their largest flow; a card that answers several flows stands once."""
    words = Words(locale)
    flows: dict[str, list[ChosenCard]] = {}
    for one in cards:
        flows.setdefault(one.card.title.en, []).append(one)
    return tuple(_view(same, words) for same in flows.values())


def _view(same: Sequence[ChosenCard], words: Words) -> CardView:
    card, locale = same[0].card, words.locale
    said = [_rival(rival, words) for one in same for rival in one.competitors]
    return CardView(
        title=card.title.text(locale),
        answers=tuple(_answers(one, words) for one in same),
        fact=card.fact.text(locale),
        concern=card.concern.text(locale),
        view=card.view.text(locale),
        rivals=tuple(dict.fromkeys(line for line in said if line)),
    )


def _answers(one: ChosenCard, words: Words) -> str:
    key = "answers" if one.brand else "answers_unnamed"
    count, reason = words.f.number(one.defeats), words.reason(one.reason)
    return text(f"argument_cards.{key}", words.locale, series=one.series, brand=one.brand, reason=reason, count=count)


def _rival(one: Competitor, words: Words) -> str:
    """What customers compare, and the price with day and place it was looked up; empty where nothing is kept."""
    f, locale = words.f, words.locale
    parts = [
        text(f"argument_cards.{name}", locale, points=f.words([point.text(locale) for point in points]))
        for name, points in (("strong", one.strong), ("weak", one.weak))
        if points
    ]
    if one.price_from is not None:
        parts.append(text("argument_cards.price", locale, low=f.number(one.price_from), high=f.number(one.price_to)))
    if not parts:
        return ""
    origin = [part for part in (one.source, f.day(one.as_of) if one.as_of else "") if part]
    if origin:
        parts.append(text("argument_cards.origin", locale, origin=f.words(origin)))
    said = text("argument_cards.joined", locale).join(parts)
    return text("argument_cards.rival", locale, name=f"{one.brand} {one.series}".strip(), said=said)
