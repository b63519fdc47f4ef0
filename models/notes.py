"""Qualitative notes: records of in-depth interviews and focus groups (深访、座谈会), tagged, shown beside figures.

Source: domain.md section 8. They lie as ``notes/*.toml`` (a list ``[[notes]]``) and ``notes/*.csv`` in the workspace,
and are anonymous: a file with a phone number, an identity number or a mail address is refused whole (section 12).
"""

from __future__ import annotations

import csv
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from models.catalogue.reasons import catalogue
from models.enums import NoteKind
from models.errors import NotesError

MOST_LETTERS = 600  # a note is a finding in a few sentences, not a transcript

_PERSONAL = {
    "phone": re.compile(r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)|(?<!\d)0\d{2,3}[- ]?\d{7,8}(?!\d)"),
    "identity": re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)"),
    "mail": re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"),
}


class Note(BaseModel):
    """One finding: where it comes from, what it is about (empty: about all), and the anonymous text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: NoteKind
    on: date
    text: str = Field(min_length=1, max_length=MOST_LETTERS)
    series: str = ""
    reason: str = ""
    region_id: str = ""
    dealer_id: str = ""
    tags: tuple[str, ...] = ()

    @field_validator("tags", mode="before")
    @classmethod
    def _joined(cls, value: object) -> object:
        """A CSV cell holds tags joined by ``;``."""
        return tuple(part.strip() for part in value.split(";") if part.strip()) if isinstance(value, str) else value


@dataclass(frozen=True)
class Notes:
    """What a folder of notes holds, oldest first, and the files that were refused, each with what to mend."""

    notes: tuple[Note, ...] = ()
    refused: tuple[NotesError, ...] = ()


def read_notes(folder: Path) -> Notes:
    """The notes of ``folder``; none where it is not there. A faulty file is refused whole and stops no other."""
    found: list[Note] = []
    refused: list[NotesError] = []
    for file in sorted([*folder.glob("*.toml"), *folder.glob("*.csv")]):
        try:
            found += list(_of_file(file))
        except NotesError as error:
            refused.append(error)
    return Notes(tuple(sorted(found, key=lambda note: note.on)), tuple(refused))


def notes_about(
    notes: Iterable[Note],
    until: date,
    *,
    dealer: str = "",
    region: str = "",
    series: str = "",
    reasons: Sequence[str] = (),
    most: int = 5,
) -> tuple[Note, ...]:
    """The notes to show beside figures of a scope, known ``until`` that day: the most special first, then the newest.

    Scope: a dealer (give its region too), a region, or the nation (neither). A dealer sees its own notes and those
    about no other dealer or region; a region those of its dealers too; the nation all. ``series`` and ``reasons``,
    where given, must be those of the note unless the note is about all; a bare level-1 reason fits its codes.
    """
    fitting = [
        note
        for note in notes
        if note.on <= until
        and (not dealer or note.dealer_id in ("", dealer))
        and (not region or note.region_id in ("", region))
        and (not region or dealer or note.region_id or not note.dealer_id)
        and (not series or note.series in ("", series))
        and (not reasons or not note.reason or any(_covers(note.reason, reason) for reason in reasons))
    ]
    newest = sorted(fitting, key=lambda note: note.on, reverse=True)
    return tuple(sorted(newest, key=lambda note: -_special(note))[:most])


def _covers(tagged: str, asked: str) -> bool:
    entry = catalogue().get(asked)
    return tagged == asked or (entry is not None and tagged == entry.level1)


def _special(note: Note) -> int:
    return sum(bool(part) for part in (note.dealer_id, note.region_id, note.series, note.reason))


def _of_file(file: Path) -> Iterator[Note]:
    rows = _toml_rows(file) if file.suffix == ".toml" else _csv_rows(file)
    for number, row in rows:
        yield _note(file, number, row)


def _toml_rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        content = tomllib.loads(file.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NotesError("notes.unreadable", file=file.name) from error
    rows = content.get("notes")
    if set(content) != {"notes"} or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NotesError("notes.no_list", file=file.name)
    return iter(list(enumerate(rows, 1)))


def _csv_rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise NotesError("notes.unreadable", file=file.name) from error
    reader = csv.DictReader(lines, restkey="", restval="")
    for number, row in enumerate(reader, 1):
        if "" in row:
            raise NotesError("notes.ragged", file=file.name, row=number)
        yield number, {str(name).strip(): value.strip() for name, value in row.items() if value.strip()}


def _note(file: Path, number: int, row: Mapping[str, Any]) -> Note:
    for name, value in row.items():
        plain = unicodedata.normalize("NFKC", str(value))
        for what, pattern in _PERSONAL.items():
            if pattern.search(plain):
                raise NotesError(f"notes.personal.{what}", file=file.name, row=number, column=name)
    try:
        note = Note.model_validate(row)
    except ValidationError as error:
        raise _fault(file, number, error) from None
    if note.reason and note.reason not in catalogue():
        raise NotesError("notes.unknown_reason", file=file.name, row=number, column="reason")
    return note


def _fault(file: Path, number: int, error: ValidationError) -> NotesError:
    """The first fault without the value, which may be personal."""
    first = error.errors()[0]
    column = ".".join(str(part) for part in first["loc"])
    key = {"extra_forbidden": "unknown_column", "missing": "missing", "string_too_long": "too_long"}.get(first["type"])
    where = {"file": file.name, "row": number, "column": column}
    if key == "unknown_column":
        return NotesError("notes.unknown_column", **where, known=", ".join(Note.model_fields))
    if key == "too_long":
        return NotesError("notes.too_long", **where, most=MOST_LETTERS)
    if column == "kind" and key is None:
        return NotesError("notes.kind", **where, known=", ".join(NoteKind))
    return NotesError(f"notes.{key or 'value'}", **where)
