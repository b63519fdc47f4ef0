"""Free text to reason codes: keywords of the reason catalogue first, a learnt model where they are silent.

Sources: domain.md sections 5, 8 and 14. The rules of reading are data (models/catalogue/text_rules.toml); the model is
tasks.compute.text_model. What is not clear stays unknown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import pandas as pd

from models.catalogue.reasons import UNSPLIT_PRICE, Reason, catalogue
from models.catalogue.text_rules import Clauses, text_rules

#: How each text was coded: ``origin`` is text (keyword) or model, missing where no code was given.
CODING_DTYPES = {"code": "str", "origin": "str", "phrase": "str", "probability": "float64"}


class Model(Protocol):
    """What a learnt model answers (tasks.compute.text_model.TextModel)."""

    def answers(self, texts: Sequence[str]) -> list[tuple[str | None, float]]:
        """The code of each text (None: not sure enough) and its calibrated probability."""


@dataclass(frozen=True)
class Reading:
    """What keywords say of a text: the one clear code and its keyword; ``silent``: no keyword was found at all."""

    code: str | None
    phrase: str
    silent: bool


@dataclass(frozen=True)
class Coder:
    """Keywords by their first letter, the longest first; each with the code it points to."""

    by_letter: Mapping[str, tuple[tuple[str, str], ...]]
    ignored: frozenset[str]

    def code(self, text: str) -> str | None:
        """The one reason a text points to; None when it points to none or to several."""
        return self.read(text).code

    def read(self, text: str) -> Reading:
        """What the keywords in ``text`` say.

        Clauses that deny are left out. The rest is read from left to right and the longest keyword at each place wins,
        so that "old car price" is not also "price". English keywords match whole words only.
        """
        plain = spoken(text)
        found: dict[str, str] = {}
        place = 0
        while place < len(plain):
            for keyword, code in self.by_letter.get(plain[place], ()):
                if plain.startswith(keyword, place) and _whole(plain, place, len(keyword)):
                    found.setdefault(code, keyword)
                    place += len(keyword) - 1
                    break
            place += 1
        clear = [code for code in found if code not in self.ignored]
        if len(clear) == 1:
            return Reading(clear[0], found[clear[0]], silent=False)
        return Reading(None, "", silent=not found)


def spoken(text: str) -> str:
    """A text as it is read: full-width letters made plain, lower case, without the clauses that deny."""
    breaks, denies = _clauses(text_rules().clauses)
    plain = unicodedata.normalize("NFKC", text).casefold()
    clauses = (clause.strip() for clause in breaks.split(plain) if clause)
    return "\n".join(clause for clause in clauses if clause and not denies.search(clause))


@cache
def _clauses(rules: Clauses) -> tuple[re.Pattern[str], re.Pattern[str]]:
    plain = unicodedata.normalize("NFKC", rules.breaks)
    without_groups = re.sub(r"(?<!\\)\((?!\?)", "(?:", plain)
    return re.compile(without_groups), re.compile("|".join(f"(?:{pattern})" for pattern in rules.denials))


def _whole(text: str, place: int, length: int) -> bool:
    end = place + length
    before = place > 0 and _latin(text[place - 1]) and _latin(text[place])
    after = end < len(text) and _latin(text[end]) and _latin(text[end - 1])
    return not before and not after


def _latin(letter: str) -> bool:
    return letter.isascii() and letter.isalnum()


def coder(reasons: Mapping[str, Reason] | None = None) -> Coder:
    """A coder for ``reasons`` (the shipped catalogue by default); ``unanswered`` codes are recognised only."""
    known = catalogue() if reasons is None else reasons
    entries = sorted(
        {(keyword.casefold(), reason.code) for reason in known.values() for keyword in reason.keywords},
        key=lambda entry: (-len(entry[0]), entry),
    )
    by_letter: dict[str, tuple[tuple[str, str], ...]] = {}
    for keyword, code in entries:
        by_letter[keyword[0]] = (*by_letter.get(keyword[0], ()), (keyword, code))
    return Coder(by_letter, unanswered(known))


def unanswered(reasons: Mapping[str, Reason]) -> frozenset[str]:
    """Codes a text never answers: bare levels, the unsplit price and those excluded from rates.

    The first two say no more than the filing did, and a text alone takes no lead out of the rates.
    """
    return frozenset(
        {code for code, reason in reasons.items() if reason.excluded or reason.level == 1} | {UNSPLIT_PRICE}
    )


def code_texts(texts: pd.Series, using: Coder, model: Model | None = None) -> pd.DataFrame:
    """The clear reason of each text and how it was found, columns CODING_DTYPES; each distinct text is read once.

    ``model`` is asked only where no keyword was found. Missing throughout where nothing is clear; ``phrase`` is the
    deciding keyword, ``probability`` the model's calibrated one, kept also where it was too low to answer.
    """
    rows, distinct = pd.factorize(texts)
    readings = [using.read(str(text)) for text in distinct]
    told = pd.DataFrame(
        {
            "code": [reading.code for reading in readings],
            "phrase": [reading.phrase or None for reading in readings],
            "probability": np.nan,
        }
    ).astype({"code": "str", "phrase": "str", "probability": "float64"})
    origin = ["text" if reading.code else None for reading in readings]
    silent = [place for place, reading in enumerate(readings) if reading.silent]
    if model is not None and silent:
        answers = model.answers([str(distinct[place]) for place in silent])
        told.loc[silent, "code"] = [code for code, _ in answers]
        told.loc[silent, "probability"] = [probability for _, probability in answers]
        for place, (code, _) in zip(silent, answers, strict=True):
            origin[place] = "model" if code else None
    told = told.assign(origin=pd.Series(origin, index=told.index, dtype="str"))[list(CODING_DTYPES)].astype(
        CODING_DTYPES
    )
    return told.reindex(rows).set_axis(texts.index)
