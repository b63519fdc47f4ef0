"""Named scenes (重点场景): a source, event, launch or competitor, declared as data by the OEM (domain.md section 8).

One TOML file per scene in the workspace's folder ``scenes``; the file's name is the scene's code::

    name = { zh_CN = "秋季车展", en = "Autumn motor show" }
    kind = "event"

    [filter]
    source = ["车展"]
    region = ["R1", "R2"]
    from = "2026-09"
    to = "2026-10"

A scene holds the leads for which every filter has their value; months bound its figures, not its trend.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.catalogue.loading import Label, load_toml
from models.errors import CatalogueError

#: Filters that name values of the data; each is a column of the leads but ``competitor`` (a brand customers left for).
FIELDS = ("source", "series", "model", "region", "dealer", "purchase_type", "purpose", "competitor")
SceneKind = Literal["source", "event", "launch", "competitor", "other"]
_Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
_Values = Annotated[tuple[str, ...], Field(min_length=1)]
_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_SHOWN = 12  # values named in an error


class SceneFilter(BaseModel):
    """Which leads belong to a scene: those with one of the values of every filter given."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: _Values | None = None
    series: _Values | None = None
    model: _Values | None = None
    region: _Values | None = None
    dealer: _Values | None = None
    purchase_type: _Values | None = None
    purpose: _Values | None = None
    competitor: _Values | None = None
    first: _Month | None = Field(None, alias="from")
    last: _Month | None = Field(None, alias="to")

    @model_validator(mode="after")
    def _usable(self) -> SceneFilter:
        if self.first and self.last and self.first > self.last:
            raise ValueError(f"from {self.first} is later than to {self.last}")
        if not self.values() and not self.first and not self.last:
            raise ValueError("a scene needs at least one filter")
        return self

    def values(self) -> dict[str, tuple[str, ...]]:
        """The filters that name values, in the order of FIELDS."""
        given = {name: getattr(self, name) for name in FIELDS}
        return {name: values for name, values in given.items() if values}


class Scene(BaseModel):
    """A named scene; ``code`` is its file's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    code: str = ""
    name: Label
    kind: SceneKind = "other"
    filter: SceneFilter


def load_scene(file: Path) -> Scene:
    """The scene of ``file``; raises CatalogueError naming file, key and remedy."""
    if not _CODE.fullmatch(file.stem):
        raise CatalogueError("scenes.bad_name", file=file)
    return load_toml(file, Scene).model_copy(update={"code": file.stem})


def check_values(scene: Scene, known: Mapping[str, Collection[str]], file: Path) -> None:
    """Refuse values no lead has: a misspelt series would be a scene of nothing.

    ``known``: field -> the values of the data. Raises CatalogueError naming file, field, value and what there is.
    """
    for field, values in scene.filter.values().items():
        there = sorted(known.get(field, ()))
        for value in values:
            if value not in there:
                near = get_close_matches(value, there, _SHOWN, 0.3) or there[:_SHOWN]
                raise CatalogueError(
                    "scenes.unknown_value", file=file, field=field, entry=value, known=", ".join(near) or "-"
                )
