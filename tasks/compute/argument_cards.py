"""Which argument cards a dealer needs: the competitors it loses most to, the reasons, and the cards that answer them.

Source: domain.md section 8: for each main competitor and series a card in three steps, fact, concern, view (001).
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from models.catalogue.competitors import Competitors
from models.catalogue.playbook import Playbook
from models.enums import Destination
from models.facts import ChosenCard


def choose_cards(defeats: pd.DataFrame, book: Playbook, known: Competitors, most: int = 6) -> tuple[ChosenCard, ...]:
    """The cards for the largest flows of ``defeats`` to competitors, most defeats first, each card once per series.

    ``defeats`` of tasks.compute.defeat_filter, cut to the scope and months looked at. A flow is own series x brand x
    used reason; one without a fitting card is left out. Of several cards the most special is taken.
    """
    lost = defeats[
        (defeats["destination"] == Destination.COMPETITOR.value)
        & (defeats["verdict"] == "true")
        & defeats["counted"].astype(bool)
        & defeats["series"].notna()
        & defeats["reason"].notna()
    ]
    brand = lost["competitor_brand"].fillna("").str.strip()
    flows = lost.assign(brand=brand).groupby(["series", "brand", "reason"], observed=True).size().rename("defeats")
    ranked = flows.reset_index().sort_values(
        ["defeats", "series", "brand", "reason"], ascending=[False, True, True, True], kind="stable"
    )
    return tuple(_chosen(ranked, book, known))[:most]


def _chosen(ranked: pd.DataFrame, book: Playbook, known: Competitors) -> Iterator[ChosenCard]:
    taken: set[tuple[str, str]] = set()
    for series, brand, reason, count in ranked[["series", "brand", "reason", "defeats"]].itertuples(index=False):
        cards = book.cards(str(reason), str(brand), str(series))
        if cards and (series, cards[0].title.en) not in taken:
            taken.add((series, cards[0].title.en))
            found = known.of(str(series), str(brand)) if brand else ()
            yield ChosenCard(str(series), str(brand), str(reason), int(count), cards[0], found)
