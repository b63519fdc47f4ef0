"""Which standards are in force: those shipped, or an OEM's own folder laid over them.

Opening a workspace puts its folder in force (``models.workspace``). From then on every catalogue that is asked for
without a folder answers with the OEM's entries, in this thread of control and what it starts with its context, so that
no step, page or export can forget them. Files are read again when the folder is put in force with other content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from pathlib import Path
from typing import Protocol, TypeVar

Texts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class InForce:
    """``folder``: an OEM's own standards, None for those shipped; ``version``: fingerprint of its files; ``texts``:
    messages its own rules bring (key -> locale -> pattern)."""

    folder: Path | None = None
    version: str = ""
    texts: Texts = field(default_factory=dict)


_SHIPPED = InForce()
_current: ContextVar[InForce] = ContextVar("standards in force", default=_SHIPPED)


def in_force() -> InForce:
    """The standards in force here."""
    return _current.get()


def put_in_force(folder: Path | None, texts: Texts | None = None) -> None:
    """From here on ``folder`` is laid over the shipped standards; None: only those shipped."""
    _current.set(_SHIPPED if folder is None else InForce(folder, folder_version(folder), texts or {}))


def folder_version(folder: Path) -> str:
    """A fingerprint of the catalogue files in ``folder``: 12 hex digits, others for any other content."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.toml")):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


Answer_co = TypeVar("Answer_co", covariant=True)
_Kept = TypeVar("_Kept")


class Standard(Protocol[Answer_co]):
    """The loader of a catalogue; without ``folder`` the standards in force answer."""

    def __call__(self, folder: Path | None = None) -> Answer_co:
        """The catalogue."""


def standard(load: Callable[[Path | None], _Kept]) -> Standard[_Kept]:
    """Makes a loader answer with the standards in force, and read every version of a folder once."""

    @lru_cache(maxsize=64)
    def kept(folder: Path | None, _version: str) -> _Kept:
        return load(folder)

    @wraps(load)
    def answer(folder: Path | None = None) -> _Kept:
        current = _current.get()
        if folder is None or folder == current.folder:
            return kept(current.folder, current.version)
        return kept(folder, "")

    return answer
