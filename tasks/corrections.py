"""Correction workbooks that came back: into the lake as rows of a later file, then everything is checked again.

What is stored goes through the lake's protection like any received row; the workbook itself is not kept. The rows
count at once (the check writes the accepted layer anew); figures and plans follow with the next run of the cycle. The
caller holds the workspace's lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from expectations import texts
from models.catalogue.contract import FILE_COLUMN, PROVENANCE, ROW_COLUMN, Table, contract
from models.errors import UserError
from models.facts import Cycle
from models.workspace import Workspace
from tasks.check import check
from tasks.compute.corrections import FOLDER, REPLACEMENT_DTYPES, cell_texts, near
from tasks.compute.values import Typing, type_table
from tasks.correction_books import listed, original_texts
from tasks.correction_tokens import RECEIVED, record
from tasks.ingest import LAYER, receive_corrections, received_problems, replacements, row_digests
from tasks.lake import Lake
from tasks.results import Results, published_cycles
from tasks.returned_workbooks import Correction, Refusal, Returned, read_returned


@dataclass(frozen=True)
class StillWrong:
    """A corrected row that fails again: where it stands and what is wrong, in words."""

    table: str
    row_key: str
    sentence: str


@dataclass(frozen=True)
class CorrectionOutcome:
    """What became of one returned workbook; ``source_file``: what its rows are called in the lake, "" without any.

    ``rows`` and ``cells`` corrected, lines that changed nothing because they were taken before (``known``).
    """

    file: str
    dealer_id: str = ""
    cycle: str = ""
    source_file: str = ""
    rows: int = 0
    cells: int = 0
    known: int = 0
    refused: tuple[Refusal, ...] = ()
    wrong: tuple[StillWrong, ...] = ()
    error: UserError | None = None


def take_back(
    workspace: Workspace, files: Sequence[Path], actor: str, locale: str, dealer_id: str = ""
) -> tuple[CorrectionOutcome, ...]:
    """Take these workbooks, in their order, and check everything again if any row changed.

    A file that cannot be taken is told in its outcome, the others go on. ``dealer_id``: refuse workbooks of any other
    dealer. ``actor``: who sent them, for the history.
    """
    outcomes = [_taken(workspace, file, dealer_id) for file in files]
    if any(outcome.rows for outcome in outcomes):
        outcomes = _checked(workspace, outcomes, locale)
    for outcome in outcomes:
        if outcome.rows or outcome.refused:
            record(
                workspace,
                RECEIVED,
                outcome.dealer_id,
                cycle=outcome.cycle,
                actor=actor,
                file=outcome.source_file,
                rows=outcome.rows,
                cells=outcome.cells,
                refused=len(outcome.refused),
                wrong=len({(each.table, each.row_key) for each in outcome.wrong}),
            )
    return tuple(outcomes)


def _taken(workspace: Workspace, file: Path, dealer_id: str) -> CorrectionOutcome:
    lake = Lake(workspace.lake, workspace.key())
    try:
        returned = read_returned(lake, file, dealer_id)
    except UserError as error:
        return CorrectionOutcome(file.name, error=error)
    target = _next_file(lake, returned.dealer_id)
    taken = [
        _Table(workspace, lake, contract().tables[name], target, returned).take()
        for name in contract().tables
        if any(correction.token.table == name for correction in returned.corrections)
    ]
    rows = sum(each.rows for each in taken)
    return CorrectionOutcome(
        file=file.name,
        dealer_id=returned.dealer_id,
        cycle=returned.cycle,
        source_file=target if rows else "",
        rows=rows,
        cells=sum(each.cells for each in taken),
        known=sum(each.known for each in taken),
        refused=(*returned.refused, *(refusal for each in taken for refusal in each.refused)),
    )


def _next_file(lake: Lake, dealer_id: str) -> str:
    prefix = f"{FOLDER}{dealer_id.replace('/', '_')}/"
    files = {file for table in contract().tables for file in lake.notes(LAYER, table).get("files", ())}
    taken = [int(file.removeprefix(prefix)) for file in files if file.startswith(prefix)]
    return f"{prefix}{max(taken, default=0) + 1}"


@dataclass(frozen=True)
class _Taken:
    rows: int = 0
    cells: int = 0
    known: int = 0
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class _Table:
    """The corrections of one workbook to one table."""

    workspace: Workspace
    lake: Lake
    table: Table
    target: str
    returned: Returned

    def take(self) -> _Taken:
        corrections = [each for each in self.returned.corrections if each.token.table == self.table.name]
        frame = self.lake.read(LAYER, self.table.name, personal=True)
        rows = frame[near(self.table, frame, pd.Series([each.token.first_key for each in corrections], dtype="str"))]
        digests = row_digests(self.lake, self.table, rows)
        held = replacements(self.lake, self.table.name)
        at = dict(zip(zip(rows[FILE_COLUMN], rows[ROW_COLUMN], strict=True), rows.index, strict=True))
        base = {str(digest): index for index, digest in digests.items()}
        base |= {
            each.digest: at[each.file, each.row] for each in held.itertuples() if (each.file, each.row) in at
        }  # replaced before: the correction is what is corrected further
        here = [each for each in corrections if each.token.digest in base]
        gone = [each for each in corrections if each.token.digest not in base]
        refused = tuple(Refusal("changed_since", self.returned.file, each.sheet, each.line) for each in gone)
        if not here:
            return _Taken(refused=refused)
        stored = rows.loc[[base[each.token.digest] for each in here]].reset_index(drop=True)
        before = row_digests(self.lake, self.table, stored)
        fresh = self._texts(here, stored)
        after = row_digests(self.lake, self.table, self._typed(fresh))
        fixed = stored[FILE_COLUMN].str.startswith(FOLDER)
        confirmed = pd.Series([each.confirmed for each in here]) & ~fixed
        news = ((before != after) | confirmed).to_numpy()
        if news.any():
            chosen = (
                fresh[news]
                .reset_index(drop=True)
                .assign(**{FILE_COLUMN: self.target, ROW_COLUMN: range(1, int(news.sum()) + 1)})
            )
            replaced = self._replaced(stored[news], before[news], self._typed(chosen), held)
            receive_corrections(self.workspace, self.table, chosen, replaced)
        cells = sum(len(each.changes) for each, new in zip(here, news, strict=True) if new)
        return _Taken(int(news.sum()), cells, int((~news).sum()), refused)

    def _texts(self, here: Sequence[Correction], stored: pd.DataFrame) -> pd.DataFrame:
        """The corrected rows as texts: what stands in the lake, what could not be typed, what the dealer wrote."""
        found = received_problems(self.lake)
        originals = original_texts(found[found["table"] == self.table.name])
        fresh = cell_texts(self.table, stored).astype(object)
        places = list(zip(stored[FILE_COLUMN], stored[ROW_COLUMN].astype("int64"), strict=True))
        for at, (place, correction) in enumerate(zip(places, here, strict=True)):
            for field in self.table.fields:
                if pd.isna(fresh.at[at, field]) and (*place, field) in originals:
                    fresh.at[at, field] = originals[*place, field]
            for field, words in correction.changes.items():
                fresh.at[at, field] = words or None
        return fresh.astype("str").assign(**{name: stored[name] for name in PROVENANCE})

    def _typed(self, fresh: pd.DataFrame) -> pd.DataFrame:
        settings = self.workspace.settings
        typing = Typing(self.lake.protection.phone_keys, settings.timezone, settings.phone_region)
        return type_table(self.table, fresh, {}, typing)[0]

    def _replaced(
        self, stored: pd.DataFrame, digests: pd.Series, fresh: pd.DataFrame, held: pd.DataFrame
    ) -> pd.DataFrame:
        """What the new rows replace: the rows they were made from, and all that those had replaced."""
        key = list(self.table.key)
        old = stored.reset_index(drop=True)
        same = ((old[key] == fresh[key]) | (old[key].isna() & fresh[key].isna())).all(axis=1)
        direct = pd.DataFrame(
            {
                "file": fresh[FILE_COLUMN],
                "row": fresh[ROW_COLUMN],
                "first_key": old[key[0]].fillna(""),
                "digest": digests.reset_index(drop=True),
                "same_key": same,
            }
        )
        moved = {
            (file, row): place for place, (file, row) in enumerate(zip(old[FILE_COLUMN], old[ROW_COLUMN], strict=True))
        }
        earlier = [
            {
                "file": fresh.at[moved[each.file, each.row], FILE_COLUMN],
                "row": fresh.at[moved[each.file, each.row], ROW_COLUMN],
                "first_key": each.first_key,
                "digest": each.digest,
                "same_key": bool(each.same_key and same[moved[each.file, each.row]]),
            }
            for each in held.itertuples()
            if (each.file, each.row) in moved
        ]
        whole = pd.concat([direct, pd.DataFrame(earlier, columns=list(REPLACEMENT_DTYPES))], ignore_index=True)
        return whole.astype(dict(REPLACEMENT_DTYPES)).drop_duplicates(["file", "row", "digest"])


def _checked(workspace: Workspace, outcomes: Sequence[CorrectionOutcome], locale: str) -> list[CorrectionOutcome]:
    """The outcomes with the rows that fail again; before the first cycle only what typing found is known."""
    cycles = published_cycles(workspace.results)
    if cycles:
        as_of = max(Results.published(workspace.results, name).as_of() for name in cycles)
        problems = check(workspace, Cycle(cycles[-1], as_of)).rejected
    else:
        problems = received_problems(Lake(workspace.lake, workspace.key()))
    failing = listed(problems)
    by_file: Mapping[str, pd.DataFrame] = {str(file): part for file, part in failing.groupby("source_file")}
    return [
        replace(outcome, wrong=_sentences(by_file[outcome.source_file], locale))
        if outcome.source_file in by_file
        else outcome
        for outcome in outcomes
    ]


def _sentences(problems: pd.DataFrame, locale: str) -> tuple[StillWrong, ...]:
    said = texts.sentences(problems, locale)
    tables = contract().tables
    return tuple(
        StillWrong(tables[table].label.text(locale), "" if pd.isna(key) else str(key), sentence)
        for table, key, sentence in zip(problems["table"], problems["row_key"], said, strict=True)
    )
