"""The data contract (domain.md section 4) as data: tables, fields, kinds, closed word sets, labels and synonyms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field

from models.catalogue.loading import Label, load_toml

FILE = Path(__file__).parent / "contract.toml"

# What the lake keeps of a field of these kinds: the value in a column encrypted at rest, and, for phones,
# a keyed hash beside it under ``<field>_key`` to join on (domain.md section 12).
PERSONAL_KINDS = frozenset({"name", "phone"})
TIME_KINDS = frozenset({"datetime", "date"})

# Columns the lake adds to every table: where the row came from.
FILE_COLUMN = "_file"
ROW_COLUMN = "_row"
PROVENANCE = (FILE_COLUMN, ROW_COLUMN)


class _FieldSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: str
    required: bool = False
    label: Label
    synonyms: tuple[str, ...] = ()


class _TableSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    label: Label
    key: tuple[str, ...]
    month_of: str = ""
    optional: bool = False
    fields: dict[str, _FieldSpec] = Field(min_length=1)


class _ContractSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    words: dict[str, dict[str, tuple[str, ...]]]
    tables: dict[str, _TableSpec]


@dataclass(frozen=True)
class ContractField:
    """One field of a canonical table."""

    name: str
    kind: str
    required: bool
    label: Label
    synonyms: tuple[str, ...]

    @property
    def personal(self) -> bool:
        """Whether the value identifies a person and is encrypted at rest."""
        return self.kind in PERSONAL_KINDS

    @property
    def key_column(self) -> str:
        """The column of the keyed hash to join on; only phones have one."""
        return f"{self.name}_key" if self.kind == "phone" else ""


@dataclass(frozen=True)
class Table:
    """One canonical table: ``key`` identifies a row, ``month_of`` is the time its lake partition follows."""

    name: str
    label: Label
    key: tuple[str, ...]
    month_of: str
    optional: bool
    fields: Mapping[str, ContractField]

    @property
    def required(self) -> tuple[str, ...]:
        """The fields a mapping must supply."""
        return tuple(name for name, field in self.fields.items() if field.required)


@dataclass(frozen=True)
class Contract:
    """All canonical tables and the closed word sets; ``words[kind][code]`` are the known spellings of a code."""

    tables: Mapping[str, Table]
    words: Mapping[str, Mapping[str, tuple[str, ...]]]

    def codes(self, kind: str) -> tuple[str, ...]:
        """The codes of the closed set ``kind``; empty when the kind is not a closed set."""
        return tuple(self.words.get(kind, {}))


@cache
def contract() -> Contract:
    """The contract Rematch ships; raises CatalogueError when the file breaks its rules."""
    spec = load_toml(FILE, _ContractSpec)
    tables = {
        name: Table(
            name=name,
            label=table.label,
            key=table.key,
            month_of=table.month_of,
            optional=table.optional,
            fields=MappingProxyType(
                {
                    field: ContractField(field, entry.kind, entry.required, entry.label, entry.synonyms)
                    for field, entry in table.fields.items()
                }
            ),
        )
        for name, table in spec.tables.items()
    }
    return Contract(MappingProxyType(tables), MappingProxyType(spec.words))
