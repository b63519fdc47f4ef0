"""Reading a correction workbook that came back: which cells its dealer changed, and what must be refused.

Nothing in the file is trusted: the identity and every line's token are signed, and only cells that were opened for
correction count. A line that may not be taken is told with file, sheet, row, column and remedy; the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from models.catalogue.contract import contract
from models.errors import SourceError
from models.messages import DEFAULT_LOCALE, text
from reports.correction_workbook import KEEP, META_SHEET, TOKEN, TWIN_PREFIX, VERSION, YES
from tasks.correction_tokens import BrokenTokenError, Token, read_token, verify
from tasks.lake import Lake
from tasks.workbooks import cell_text

_YES = {word.casefold() for word in (*YES.values(), "y", "true", "1", "✓", "√")}


@dataclass(frozen=True)
class Correction:
    """One line its dealer corrected: the new texts by field, and whether it was confirmed as the right one."""

    token: Token
    changes: Mapping[str, str]
    confirmed: bool
    sheet: str
    line: int


@dataclass(frozen=True)
class Refusal:
    """A line that may not be taken: where it stands, why (a message key), and the field it is about."""

    why: str
    file: str
    sheet: str
    line: int
    table: str = ""
    field: str = ""

    def text(self, locale: str = DEFAULT_LOCALE) -> str:
        """File, sheet, row, column and remedy in ``locale``."""
        column = contract().tables[self.table].fields[self.field].label.text(locale) if self.field else ""
        place = text("corrections.place", locale, file=self.file, sheet=self.sheet, row=self.line)
        return place + text(f"corrections.refused.{self.why}", locale, column=column)


@dataclass(frozen=True)
class Returned:
    """A workbook as it came back; ``refused``: the lines that may not be taken."""

    file: str
    dealer_id: str
    cycle: str
    corrections: tuple[Correction, ...]
    refused: tuple[Refusal, ...]


def read_returned(lake: Lake, path: Path, dealer_id: str = "") -> Returned:
    """What a returned workbook says.

    Raises SourceError when it cannot be opened, is no correction workbook of this workspace, has another version, or
    belongs to another dealer than ``dealer_id`` (empty: any).
    """
    sheets = _sheets(path)
    identity = _identity(lake, path.name, sheets)
    if dealer_id and identity["dealer_id"] != dealer_id:
        raise SourceError("corrections.other_dealer", file=path.name, dealer=dealer_id)
    visible = [(name, _Grid.of(rows)) for name, rows in sheets.items() if not name.startswith(TWIN_PREFIX)]
    corrections: list[Correction] = []
    refused: list[Refusal] = []
    seen: set[str] = set()
    for name, grid in visible:
        if grid is None:
            continue
        reader = _Sheet(lake, path.name, name, identity["dealer_id"], _twins(sheets), seen)
        for line, cells in grid.lines():
            found = reader.line(line, cells)
            if isinstance(found, Refusal):
                refused.append(found)
            elif found is not None:
                corrections.append(found)
    return Returned(path.name, identity["dealer_id"], identity["cycle"], tuple(corrections), tuple(refused))


def _sheets(path: Path) -> dict[str, list[list[str]]]:
    try:
        with path.open("rb") as content, CalamineWorkbook.from_filelike(content) as workbook:
            return {
                name: [
                    [cell_text(cell) for cell in row]
                    for row in workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
                ]
                for name in workbook.sheet_names
            }
    except FileNotFoundError as error:
        raise SourceError("corrections.no_file", file=path) from error
    except PasswordError as error:
        raise SourceError("ingest.encrypted_workbook", file=path.name) from error
    except (CalamineError, OSError, ValueError) as error:
        raise SourceError("ingest.broken_workbook", file=path.name) from error


def _identity(lake: Lake, file: str, sheets: Mapping[str, list[list[str]]]) -> dict[str, str]:
    lines = [row[0] for row in sheets.get(META_SHEET, []) if row]
    if len(lines) < 2:
        raise SourceError("corrections.no_workbook", file=file)
    if lines[0] != VERSION:
        raise SourceError("corrections.version", file=file, found=lines[0][:40], known=VERSION)
    try:
        return {name: str(value) for name, value in verify(lake, lines[1]).items()}
    except BrokenTokenError as error:
        raise SourceError("corrections.not_ours", file=file) from error


def _twins(sheets: Mapping[str, list[list[str]]]) -> dict[str, dict[str, str]]:
    """By token: the cells as they were made."""
    found: dict[str, dict[str, str]] = {}
    for name, rows in sheets.items():
        if name.startswith(TWIN_PREFIX) and name != META_SHEET and rows:
            codes = rows[0]
            found |= {row[0]: dict(zip(codes, row, strict=False)) for row in rows[1:] if row and row[0]}
    return found


@dataclass(frozen=True)
class _Grid:
    """A sheet of lines under a row of field codes; found by the codes, so that inserted rows or columns do no harm."""

    codes: Sequence[str]
    head: int
    rows: Sequence[Sequence[str]]

    @classmethod
    def of(cls, rows: Sequence[Sequence[str]]) -> _Grid | None:
        at = next((at for at, row in enumerate(rows) if TOKEN in row), None)
        return None if at is None else cls(rows[at], at, rows)

    def lines(self) -> list[tuple[int, dict[str, str]]]:
        """Row of the sheet (from 1) and cells by code; the labels' row and empty rows are left out."""
        named = [(at, code) for at, code in enumerate(self.codes) if code]
        told = []
        for at, row in enumerate(self.rows[self.head + 2 :], self.head + 3):
            cells = {code: row[place].strip() if place < len(row) else "" for place, code in named}
            if any(cells.values()):
                told.append((at, cells))
        return told


@dataclass(frozen=True)
class _Sheet:
    lake: Lake
    file: str
    name: str
    dealer_id: str
    twins: Mapping[str, Mapping[str, str]]
    seen: set[str]

    def line(self, line: int, cells: Mapping[str, str]) -> Correction | Refusal | None:
        """The correction on one line; a refusal when it may not be taken, None when nothing was changed."""
        signed = cells[TOKEN]
        try:
            token = read_token(self.lake, signed)
        except BrokenTokenError:
            return self.refuse("unknown_row", line)
        twin = self.twins.get(signed)
        if token.dealer_id != self.dealer_id or twin is None:
            return self.refuse("foreign_row", line)
        if signed in self.seen:
            return self.refuse("repeated_row", line)
        self.seen.add(signed)
        if missing := next((code for code in twin if code != TOKEN and code not in cells), ""):
            return self.refuse("missing_column", line, token.table, missing)
        changed = {code: cells[code] for code in twin if code != TOKEN and cells[code] != twin[code].strip()}
        if locked := next((code for code in changed if code not in token.open), ""):
            return self.refuse("locked_cell", line, token.table, locked)
        confirmed = token.confirmable and cells.get(KEEP, "").casefold() in _YES
        return Correction(token, changed, confirmed, self.name, line) if changed or confirmed else None

    def refuse(self, why: str, line: int, table: str = "", field: str = "") -> Refusal:
        return Refusal(why, self.file, self.name, line, table, field)
