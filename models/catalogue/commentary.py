"""The rules of the text commentary as data: which sentences in which order, and when a difference is chance."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from models.catalogue.merging import laid_over
from models.errors import CatalogueError
from models.in_force import standard

FILE = Path(__file__).parent / "commentary.toml"

#: The kinds of differences; each has a message ``commentary.<name>``.
DIFFERENCES = (
    "close_rate_peers",
    "close_rate_previous",
    "close_rate_last_year",
    "region",
    "reason_peers",
    "reason_previous",
    "reason_last_year",
    "flow_previous",
    "flow_last_year",
)
#: All kinds of sentences; the others state a figure without comparing it.
SENTENCES = ("level", *DIFFERENCES, "filter", "set_apart", "gate")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kind(_Part):
    """A kind of sentence and how many of it at most."""

    name: str
    most: int = Field(ge=1)


class CommentaryRules(_Part):
    """All rules; the order of ``sentences`` is that of the text."""

    interval: str
    q_value: float = Field(gt=0, lt=1)
    min_cases: int = Field(ge=1)
    least_share: float = Field(ge=0, le=1)
    sentences: tuple[Kind, ...] = Field(min_length=1)


@standard
def commentary_rules(folder: Path | None = None) -> CommentaryRules:
    """The rules; ``folder`` may hold an OEM's own ``commentary.toml``, merged over the shipped one.

    Raises CatalogueError naming file, key and remedy.
    """
    spec, file = laid_over(FILE, CommentaryRules, folder)
    names = [kind.name for kind in spec.sentences]
    for name in names:
        if name not in SENTENCES or names.count(name) > 1:
            raise CatalogueError("commentary_rules.sentence", file=file, entry=name, known=", ".join(SENTENCES))
    return spec
