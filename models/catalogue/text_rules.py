"""The rules of reading free text as data: order of sources, clauses that deny, when a model is believed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from models.catalogue.merging import laid_over
from models.catalogue.reasons import valid_codes
from models.errors import CatalogueError
from models.in_force import standard

FILE = Path(__file__).parent / "text_rules.toml"

#: Where a used reason can come from; the file orders them.
SOURCES = ("confirmed", "text", "model", "declared")


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}") from error
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OpenToText(_Part):
    """Declared reasons, by level 1 or code, that a clear text may replace."""

    levels: tuple[str, ...]
    codes: tuple[str, ...]


class Clauses(_Part):
    """Where a text is cut into clauses, and what makes a clause deny what it names."""

    breaks: Pattern
    denials: tuple[Pattern, ...]


class ModelRules(_Part):
    """What the model needs to be learnt, how it is learnt, and when it is believed."""

    min_texts: int = Field(ge=10)
    min_wordings: int = Field(ge=10)
    min_reasons: int = Field(ge=2)
    max_texts: int = Field(ge=100, le=20_000)
    same_wording: float = Field(gt=0, le=1)
    folds: int = Field(ge=2, le=20)
    threshold: float = Field(gt=0, lt=1)
    min_answers: int = Field(ge=1)
    min_precision: float = Field(ge=0, le=1)
    letters: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(le=6)]]
    says_nothing: tuple[str, ...]
    strength: float = Field(gt=0)
    seed: int = Field(ge=0)


class TextRules(_Part):
    """All rules; ``precedence`` orders SOURCES, the strongest first."""

    precedence: tuple[str, ...]
    open_to_text: OpenToText
    clauses: Clauses
    model: ModelRules


@standard
def text_rules(folder: Path | None = None) -> TextRules:
    """The rules; ``folder`` may hold an OEM's own ``text_rules.toml``, merged over the shipped one.

    Raises CatalogueError naming file, key and remedy.
    """
    spec, file = laid_over(FILE, TextRules, folder)
    if sorted(spec.precedence) != sorted(SOURCES):
        given, known = ", ".join(spec.precedence), ", ".join(SOURCES)
        raise CatalogueError("text_coding.precedence", file=file, given=given, known=known)
    codes = valid_codes(folder)
    for code in (*spec.open_to_text.levels, *spec.open_to_text.codes):
        if code not in codes:
            raise CatalogueError("text_coding.unknown_reason", file=file, entry=code)
    return spec
