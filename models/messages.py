"""The message catalogues: every text a person reads, in Chinese and English side by side.

One TOML file per area under ``models/locales/``; a table per message with one text per locale::

    [mapping.missing_column]
    zh_CN = "{file}：缺少列 {column}"
    en = "{file}: column {column} is missing"

A message without both texts, or whose texts use different parameters, is refused when its file is loaded,
so that neither language can fall behind. Texts are ``str.format`` patterns.
"""

from __future__ import annotations

import string
import tomllib
from collections import ChainMap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from models.in_force import Texts, in_force

LOCALES = ("zh_CN", "en")
DEFAULT_LOCALE = "zh_CN"
FOLDER = Path(__file__).parent / "locales"


class MessageError(Exception):
    """A message catalogue is broken or a message is asked for that no catalogue has: a defect of ours, not of input."""


def fields_of(pattern: str) -> set[str]:
    """The parameters a text uses; raises ValueError for a pattern that is none."""
    return {name.split(".")[0].split("[")[0] for _, name, _, _ in string.Formatter().parse(pattern) if name}


def _walk(tree: Mapping[str, Any], prefix: str, file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    if set(tree) & set(LOCALES):
        if set(tree) != set(LOCALES):
            raise MessageError(f"{file.name}: {prefix} needs exactly the texts {', '.join(LOCALES)}")
        if len({frozenset(fields_of(tree[locale])) for locale in LOCALES}) != 1:
            raise MessageError(f"{file.name}: the texts of {prefix} use different parameters")
        yield prefix, dict(tree)
        return
    for name, branch in tree.items():
        if not isinstance(branch, Mapping):
            raise MessageError(f"{file.name}: {prefix}.{name} is not a message with the texts {', '.join(LOCALES)}")
        yield from _walk(branch, f"{prefix}.{name}" if prefix else name, file)


def messages() -> Texts:
    """All messages, those of an OEM's own rules included: key -> locale -> pattern."""
    own = in_force().texts
    return ChainMap(dict(own), _shipped()) if own else _shipped()


@cache
def _shipped() -> dict[str, Mapping[str, str]]:
    """All messages of all catalogue files.

    Raises MessageError when a file lacks a language, or two files define one key.
    """
    found: dict[str, Mapping[str, str]] = {}
    for file in sorted(FOLDER.glob("*.toml")):
        for key, texts in _walk(tomllib.loads(file.read_text("utf-8")), "", file):
            if key in found:
                raise MessageError(f"{file.name}: {key} is defined twice")
            found[key] = texts
    return found


def text(key: str, locale: str = DEFAULT_LOCALE, **params: object) -> str:
    """The message ``key`` in ``locale`` with its parameters filled in; raises MessageError if no catalogue has it."""
    try:
        pattern = messages()[key][locale]
    except KeyError:
        raise MessageError(f"no message {key!r} in locale {locale!r}") from None
    return pattern.format(**params)


def has(key: str) -> bool:
    """Whether a catalogue has the message ``key``."""
    return key in messages()
