"""The language of whoever reads the screen."""

from __future__ import annotations

import os

from models.messages import DEFAULT_LOCALE, LOCALES


def reader_locale() -> str:
    """The reader's language: REMATCH_LOCALE, else the system's where we speak it, else Chinese."""
    wanted = os.environ.get("REMATCH_LOCALE", "")
    if wanted in LOCALES:
        return wanted
    name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "en" if name.lower().startswith("en") else DEFAULT_LOCALE
