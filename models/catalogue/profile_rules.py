"""What the profile of defeated against won customers looks at, as data (domain.md sections 6 and 8)."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from models.catalogue.contract import contract
from models.catalogue.merging import laid_over
from models.errors import CatalogueError
from models.in_force import standard

FILE = Path(__file__).parent / "profile_rules.toml"

#: The value of an attribute that a lead does not tell; never dropped.
NOT_RECORDED = "not_recorded"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bands(_Part):
    """A number cut into bands: each begins at its start (included) and ends before the next."""

    column: str
    starts: tuple[float, ...] = Field(min_length=1)
    names: tuple[str, ...] = Field(min_length=1)


class Sample(_Part):
    """The smallest expected count at which a value is tested."""

    min_expected: float = Field(gt=0)


class ProfileRules(_Part):
    """Attributes in the order shown, bands of those that are numbers, samples."""

    attributes: tuple[str, ...] = Field(min_length=1)
    bands: dict[str, Bands]
    sample: Sample

    def column(self, attribute: str) -> str:
        """The column of the leads an attribute is read from."""
        return self.bands[attribute].column if attribute in self.bands else attribute


@standard
def profile_rules(folder: Path | None = None) -> ProfileRules:
    """The rules; ``folder`` may hold an OEM's own ``profile_rules.toml``, merged over the shipped one.

    Raises CatalogueError naming file, key and remedy.
    """
    spec, file = laid_over(FILE, ProfileRules, folder)
    fields = contract().tables["leads"].fields
    for attribute in spec.attributes:
        column = spec.column(attribute)
        if column not in fields:
            raise CatalogueError("analysis.profile.unknown_column", file=file, entry=column, known=", ".join(fields))
    for name, bands in spec.bands.items():
        if len(bands.starts) != len(bands.names) or list(bands.starts) != sorted(set(bands.starts)):
            raise CatalogueError("analysis.profile.bands", file=file, entry=name)
    return spec
