"""The failing rows of dealers, gathered for their correction workbooks: from problems and lake to what is shown.

Personal columns are decrypted here and go into the owning dealer's workbook only; rows without a known dealer belong
to nobody, so the OEM's workbook about them shows no name and no phone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from expectations import texts
from expectations.rules import Action, rules
from models.catalogue.contract import FILE_COLUMN, ROW_COLUMN, ContractField, Table, contract
from models.catalogue.reasons import catalogue
from models.enums import Severity
from models.messages import text
from reports.correction_workbook import (
    MOST_ROWS,
    CorrectionBook,
    CorrectionColumn,
    CorrectionRow,
    CorrectionTable,
)
from tasks.compute.corrections import cell_texts, confirmable, open_cells
from tasks.compute.folding import UNASSIGNED
from tasks.correction_tokens import Token, sign, token_text
from tasks.ingest import LAYER, row_digests, source_columns
from tasks.job import Job

#: Problems of values that could not be typed: the cell is empty in the lake, the value stands in the parameters.
UNTYPED = frozenset({"bad_date", "bad_number", "bad_bool", "unknown_word", "digits_lost"})
_UNREADABLE = "ragged_row"
_OWNED_BY_OEM = frozenset({"dealers", "actions"})
_PLACE = ["source_file", "row_number"]
_MASK = "***"
_STATES = ("quarantined", "emptied", "held")  # the order they are listed in
_BOOLS = {"zh_CN": {"true": "是", "false": "否"}, "en": {"true": "yes", "false": "no"}}


def state_of(rule: str, severity: str) -> str:
    """What became of a row for a problem: ``quarantined``, ``held``, ``emptied`` (a cell); "" when only said."""
    if severity == Severity.QUARANTINE:
        return "quarantined"
    action = rules()[rule].action if rule in rules() else Action.KEEP
    return {Action.HOLD: "held", Action.NULL: "emptied"}.get(action, "")


def listed(problems: pd.DataFrame) -> pd.DataFrame:
    """The problems that belong into correction workbooks, with the ``state`` of each."""
    kinds = problems[["rule", "severity"]].drop_duplicates()
    states = {(rule, severity): state_of(rule, severity) for rule, severity in kinds.itertuples(index=False)}
    state = [states[pair] for pair in zip(problems["rule"], problems["severity"], strict=True)]
    told = problems.assign(state=pd.Series(state, index=problems.index, dtype="str"))
    return told[(told["state"] != "") & ~told["table"].isin(_OWNED_BY_OEM) & told["table"].isin(contract().tables)]


def original_texts(problems: pd.DataFrame) -> dict[tuple[str, int, str], str]:
    """By file, row and column: what stood in cells that could not be typed."""
    untyped = problems[problems["rule"].isin(UNTYPED)]
    return {
        (str(line.source_file), int(line.row_number), str(line.column)): json.loads(line.params).get("value", "")
        for line in untyped.itertuples()
    }


Place = tuple[str, int]  # source file and row number


@dataclass(frozen=True)
class _Stored:
    """A row as the lake holds it: its cells as texts ("" when missing), its digest, the first column of its key."""

    cells: Mapping[str, str]
    digest: str
    first_key: str


@dataclass(frozen=True)
class CorrectionLists:
    """The failing rows of ``dealers`` in one cycle."""

    job: Job
    dealers: Collection[str]

    @cached_property
    def _problems(self) -> pd.DataFrame:
        found = listed(self.job.results.read("problems"))
        return found[found["dealer_id"].isin(self.dealers)]

    @cached_property
    def _by_dealer(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        frame = self._problems.fillna({"column": "", "params": "{}"}).astype({"row_number": "int64"})
        for problem in frame.itertuples(index=False):
            found.setdefault(problem.dealer_id, []).append(problem)
        return found

    @cached_property
    def _rows(self) -> dict[str, dict[Place, _Stored]]:
        """The rows behind the problems by table and place, with personal columns; whole columns at once."""
        lake, found = self.job.lake, {}
        for name, problems in self._problems.groupby("table"):
            table = contract().tables[str(name)]
            places = pd.MultiIndex.from_frame(problems[_PLACE].astype({"row_number": "int64"}))
            whole = lake.read(LAYER, table.name, personal=True)
            rows = whole[pd.MultiIndex.from_frame(whole[[FILE_COLUMN, ROW_COLUMN]]).isin(places)]
            rows = rows.drop_duplicates([FILE_COLUMN, ROW_COLUMN])  # a mapping may make several rows of one line
            texts_of = cell_texts(table, rows).astype(object)
            cells = texts_of.where(texts_of.notna(), "").to_dict("records")
            keys = rows[table.key[0]].fillna("")
            lines = zip(rows[FILE_COLUMN], rows[ROW_COLUMN], cells, row_digests(lake, table, rows), keys, strict=True)
            found[table.name] = {(file, int(row)): _Stored(each, digest, key) for file, row, each, digest, key in lines}
        return found

    def books(self, locale: str, most: int = MOST_ROWS) -> Iterator[tuple[str, CorrectionBook]]:
        """A workbook of at most ``most`` rows for every one of ``dealers`` that has rows to correct."""
        for dealer_id, problems in sorted(self._by_dealer.items()):
            yield dealer_id, _Book(self.job, dealer_id, problems, self._rows, locale, most).build()


class _Book:
    """Puts one dealer's failing rows into words of one language."""

    def __init__(
        self,
        job: Job,
        dealer_id: str,
        problems: Sequence[Any],
        rows: Mapping[str, Mapping[Place, _Stored]],
        locale: str,
        most: int,
    ) -> None:
        self.job, self.lake, self.dealer_id, self.locale, self.rows = job, job.lake, dealer_id, locale, rows
        self.most = most
        self.personal = dealer_id != UNASSIGNED
        self.unreadable = [problem for problem in problems if problem.rule == _UNREADABLE]
        self.problems = [problem for problem in problems if problem.rule != _UNREADABLE]

    def build(self) -> CorrectionBook:
        by_row: dict[tuple[str, Place], list[Any]] = {}
        for problem in self.problems:
            place = (problem.source_file, problem.row_number)
            if place in self.rows[problem.table]:
                by_row.setdefault((problem.table, place), []).append(problem)
        ranked = sorted(by_row.items(), key=lambda item: min(_STATES.index(each.state) for each in item[1]))
        shown = ranked[: self.most]
        tables = [
            self._table(name, [(place, problems) for (table, place), problems in shown if table == name])
            for name in contract().tables
            if any(table == name for (table, _), _ in shown)
        ]
        meta = {"dealer_id": self.dealer_id, "cycle": self.job.cycle.name}
        wrong = any(problem.rule == "unknown_reason" for problem in self.problems)
        return CorrectionBook(
            locale=self.locale,
            dealer=self.dealer_id if self.personal else text("corrections.nobody", self.locale),
            cycle=self.job.cycle.name,
            as_of=self.job.cycle.as_of,
            meta=sign(self.lake, meta),
            personal=self.personal,
            summary=self._summary(),
            unreadable=tuple(
                (problem.source_file, str(problem.row_number), self._say(texts.wrong, problem))
                for problem in self.unreadable
            ),
            reasons=self._reasons() if wrong else (),
            listed=len(shown),
            total=len(ranked),
            tables=tuple(tables),
        )

    def _reasons(self) -> tuple[tuple[str, str], ...]:
        return tuple((code, reason.label.text(self.locale)) for code, reason in catalogue().items())

    def _say(self, what: Any, problem: Any) -> str:
        params = json.loads(problem.params or "{}")
        words: str = what(problem.rule, problem.table, problem.column or "", params, self.locale)
        return words

    def _summary(self) -> tuple[tuple[str, str, int, str], ...]:
        counts = Counter((problem.table, problem.rule, problem.column) for problem in self.problems)
        lines = []
        for (table, rule, column), count in counts.most_common():
            label = texts.column_label(table, column, self.locale)
            title = text(f"rule.{rule}.title", self.locale)
            mend = texts.mend(rule, table, column, {}, self.locale)
            lines.append((self._label(table), f"{label}: {title}" if label else title, count, mend))
        return tuple(lines)

    def _label(self, table: str) -> str:
        return contract().tables[table].label.text(self.locale)

    def _table(self, name: str, lines: Sequence[tuple[Place, list[Any]]]) -> CorrectionTable:
        table = contract().tables[name]
        words = {field: self._words(spec) for field, spec in table.fields.items()}
        rows = [self._row(table, place, problems, words) for place, problems in lines]
        used = {field for row in rows for field in (*row.open, *(f for f, cell in row.cells.items() if cell))}
        ordered = [name for name in table.key if name in used] + [f for f in table.fields if f not in table.key]
        called = source_columns(self.lake, name)
        columns = [
            CorrectionColumn(
                *(field, table.fields[field].label.text(self.locale), self._choices(table.fields[field])),
                called.get(field, ()),
            )
            for field in ordered
            if field in used
        ]
        return CorrectionTable(name, self._label(name), tuple(columns), tuple(rows))

    def _cells(
        self, table: Table, place: Place, problems: Sequence[Any], words: Mapping[str, Mapping[str, str]]
    ) -> dict[str, str]:
        """A row's cells as the dealer reads them; what could not be typed as it was written."""
        stored = self.rows[table.name][place].cells
        hidden = () if self.personal else [name for name, field in table.fields.items() if field.personal]
        cells = {name: words[name].get(cell, cell) for name, cell in stored.items()}
        cells |= {name: _MASK for name in hidden if cells[name]}
        for problem in problems:
            if problem.rule in UNTYPED and not cells.get(problem.column):
                cells[problem.column] = json.loads(problem.params).get("value", "")
        return cells

    def _words(self, field: ContractField) -> Mapping[str, str]:
        """How the codes of a field are written in the reader's language; typing reads them back."""
        if field.kind == "bool":
            return _BOOLS[self.locale]
        spelled = contract().words.get(field.kind, {}) if self.locale != "en" else {}
        return {code: spellings[0] for code, spellings in spelled.items()}

    def _choices(self, field: ContractField) -> tuple[str, ...]:
        words = self._words(field)
        return tuple(words.values()) or contract().codes(field.kind)

    def _row(
        self, table: Table, place: Place, problems: Sequence[Any], words: Mapping[str, Mapping[str, str]]
    ) -> CorrectionRow:
        stored = self.rows[table.name][place]
        state = min((problem.state for problem in problems), key=_STATES.index)
        own = [problem for problem in problems if problem.state != "held"]
        opened = dict.fromkeys(name for p in own for name in open_cells(table, p.rule, p.column))
        if not self.personal:  # a masked cell cannot be corrected; whose row it is, is what is asked
            opened = {name: None for name in opened if not table.fields[name].personal}
            if any(problem.rule == "unknown_dealer" for problem in own):
                opened["dealer_id"] = None
        sure = any(confirmable(problem.rule) for problem in own)
        token = Token(self.dealer_id, table.name, *place, stored.first_key, stored.digest, tuple(opened), sure)
        return CorrectionRow(
            token=token_text(self.lake, token),
            state=text(f"corrections.state.{state}", self.locale),
            wrong="\n".join(dict.fromkeys(self._say(texts.wrong, problem) for problem in problems)),
            mend="\n".join(dict.fromkeys(self._say(texts.mend, problem) for problem in problems)),
            file=place[0],
            row=place[1],
            cells=self._cells(table, place, problems, words),
            marked={problem.column for problem in own if problem.column in table.fields},
            open=tuple(opened),
            confirmable=sure,
        )
