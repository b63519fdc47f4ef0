"""Free text to reason codes by the keywords of the reason catalogue (domain.md sections 5 and 14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from models.catalogue.reasons import UNSPLIT_PRICE, Reason, catalogue


@dataclass(frozen=True)
class Coder:
    """Keywords by their first letter, the longest first; each with the code it points to."""

    by_letter: Mapping[str, tuple[tuple[str, str], ...]]
    ignored: frozenset[str]

    def code(self, text: str) -> str | None:
        """The one reason a text points to; None when it points to none or to several.

        The text is read from left to right and the longest keyword at each place wins, so that "old car price" is not
        also "price". English keywords match whole words only.
        """
        plain = text.casefold()
        found: set[str] = set()
        place = 0
        while place < len(plain):
            for keyword, code in self.by_letter.get(plain[place], ()):
                if plain.startswith(keyword, place) and _whole(plain, place, len(keyword)):
                    found.add(code)
                    place += len(keyword) - 1
                    break
            place += 1
        clear = found - self.ignored
        return clear.pop() if len(clear) == 1 else None


def _whole(text: str, place: int, length: int) -> bool:
    end = place + length
    before = place > 0 and _latin(text[place - 1]) and _latin(text[place])
    after = end < len(text) and _latin(text[end]) and _latin(text[end - 1])
    return not before and not after


def _latin(letter: str) -> bool:
    return letter.isascii() and letter.isalnum()


def coder(reasons: Mapping[str, Reason] | None = None) -> Coder:
    """A coder for ``reasons`` (the shipped catalogue by default).

    The unsplit price and the codes excluded from rates are recognised but never the answer: the first says no more than
    the filing did, and a text alone takes no lead out of the rates.
    """
    known = catalogue() if reasons is None else reasons
    entries = sorted(
        {(keyword.casefold(), reason.code) for reason in known.values() for keyword in reason.keywords},
        key=lambda entry: (-len(entry[0]), entry),
    )
    by_letter: dict[str, tuple[tuple[str, str], ...]] = {}
    for keyword, code in entries:
        by_letter[keyword[0]] = (*by_letter.get(keyword[0], ()), (keyword, code))
    ignored = {code for code, reason in known.items() if reason.excluded or reason.level == 1}
    return Coder(by_letter, frozenset(ignored | {UNSPLIT_PRICE}))


def code_texts(texts: pd.Series, using: Coder) -> pd.Series:
    """The clear reason code of each text, missing where there is none; each distinct text is read once."""
    rows, distinct = pd.factorize(texts)
    codes = pd.Series([using.code(str(text)) for text in distinct], dtype="str")
    return pd.Series(codes.reindex(rows).to_numpy(), index=texts.index, dtype="str")
