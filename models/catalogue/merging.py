"""An OEM's own catalogue file over the shipped one: tables are merged key by key, new entries are added."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import RootModel

from models.catalogue.loading import Model, checked, load_toml


class _Tables(RootModel[dict[str, Any]]):
    """Any TOML file; its entries are checked after the merge."""


def load_tables(file: Path) -> dict[str, Any]:
    """The tables of ``file``, unchecked; raises CatalogueError when it is missing or not TOML."""
    return load_toml(file, _Tables).root


def merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the keys of ``own`` laid over it, table by table; lists and values are replaced whole."""
    result = dict(base)
    for key, value in own.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def laid_over(file: Path, model: type[Model], folder: Path | None) -> tuple[Model, Path]:
    """The shipped ``file`` with an OEM's own file of the same name in ``folder`` laid over it, and which file to blame.

    Raises CatalogueError naming file, key and remedy.
    """
    own = None if folder is None else folder / file.name
    if own is None or not own.is_file():
        return load_toml(file, model), file
    return checked(merged(load_tables(file), load_tables(own)), model, own), own
