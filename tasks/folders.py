"""Names of folders for ids of the input."""

from __future__ import annotations

import re

from tasks.results import fingerprint

_UNSAFE = re.compile(r"[^\w.-]+")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no folder on Windows may be called so
_LONGEST = 80  # characters; file systems stop at 255 bytes


def folder_name(identifier: str) -> str:
    """A folder name for an id of the input: itself where it is plain, else made plain, short and unique."""
    plain = _UNSAFE.sub("_", identifier).strip("._")[:_LONGEST]
    if plain and plain == identifier and not _DEVICES.fullmatch(plain):
        return plain
    return f"{plain}-{fingerprint(identifier)[:6]}".lstrip("-")
