"""Reading a catalogue file: TOML into validated, frozen models; every error names file, key and remedy."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import CatalogueError
from models.messages import DEFAULT_LOCALE


class Label(BaseModel):
    """A name in both languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    zh_CN: str = Field(min_length=1)  # noqa: N815  the locale's own name
    en: str = Field(min_length=1)

    def text(self, locale: str = DEFAULT_LOCALE) -> str:
        """The name in ``locale``."""
        return self.en if locale == "en" else self.zh_CN


Model = TypeVar("Model", bound=BaseModel)


def load_toml(file: Path, model: type[Model]) -> Model:
    """The content of ``file`` as ``model``; raises CatalogueError naming file, key and remedy."""
    try:
        content = tomllib.loads(file.read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise CatalogueError("catalogue.missing_file", file=file) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError("catalogue.not_toml", file=file, problem=error) from error
    return checked(content, model, file)


def checked(content: Mapping[str, Any], model: type[Model], file: Path) -> Model:
    """``content`` as ``model``; raises CatalogueError naming ``file``, the key and the remedy."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or file.stem
        raise CatalogueError("catalogue.invalid", file=file, entry=key, problem=first["msg"]) from error
