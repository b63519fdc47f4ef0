"""Qualitative notes in words: what a note is about, beside its text (docs/notes.md)."""

from __future__ import annotations

from collections.abc import Iterable

from models.notes import Note
from reports.words import Words


def quoted(notes: Iterable[Note], words: Words) -> tuple[tuple[str, str], ...]:
    """What each note is about (kind, day, series, reason, tags) and its text."""
    return tuple((_about(note, words), note.text) for note in notes)


def _about(note: Note, words: Words) -> str:
    tags = [note.series, words.reason(note.reason) if note.reason else "", *note.tags]
    return words.f.words([note.kind.label(words.locale), words.f.day(note.on), *(part for part in tags if part)])
