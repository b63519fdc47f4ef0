"""The failing rows of dealers, gathered for their correction workbooks: from problems and lake to what is shown.

Personal columns are decrypted here and go into the owning dealer's workbook only; rows without a known dealer belong
to nobody, so the OEM's workbook about them shows no name and no phone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
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
from tasks.ingest import LAYER, row_digests
from tasks.job import Job

#: Problems of values that could not be typed: the cell is empty in the lake, the value stands in the parameters.
UNTYPED = frozenset({"bad_date", "bad_number", "bad_bool", "unknown_word"})
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
    def _rows(self) -> dict[str, pd.DataFrame]:
        """The rows behind the problems by table, with personal columns, indexed by file and row."""
        lake, found = self.job.lake, {}
        for table, problems in self._problems.groupby("table"):
            places = pd.MultiIndex.from_frame(problems[_PLACE].astype({"row_number": "int64"}))
            whole = lake.read(LAYER, str(table), personal=True)
            rows = whole[pd.MultiIndex.from_frame(whole[[FILE_COLUMN, ROW_COLUMN]]).isin(places)]
            rows = rows.drop_duplicates([FILE_COLUMN, ROW_COLUMN])  # a mapping may make several rows of one line
            found[str(table)] = rows.set_index([FILE_COLUMN, ROW_COLUMN], drop=False)
        return found

    def books(self, locale: str) -> Iterator[tuple[str, CorrectionBook]]:
        """A workbook for every one of ``dealers`` that has rows to correct."""
        for dealer_id, problems in self._problems.groupby("dealer_id"):
            yield str(dealer_id), _Book(self.job, str(dealer_id), problems, self._rows, locale).build()


class _Book:
    """Puts one dealer's failing rows into words of one language."""

    def __init__(
        self, job: Job, dealer_id: str, problems: pd.DataFrame, rows: Mapping[str, pd.DataFrame], locale: str
    ) -> None:
        self.job, self.lake, self.dealer_id, self.locale, self.rows = job, job.lake, dealer_id, locale, rows
        self.personal = dealer_id != UNASSIGNED
        self.unreadable = problems[problems["rule"] == _UNREADABLE]
        self.problems = problems[problems["rule"] != _UNREADABLE]

    def build(self) -> CorrectionBook:
        order = {state: place for place, state in enumerate(_STATES)}
        ranked = self.problems.assign(rank=self.problems["state"].map(order))
        rows = ranked.groupby(["table", *_PLACE], as_index=False)["rank"].min().sort_values("rank", kind="stable")
        shown = rows.head(MOST_ROWS)
        tables = [self._table(table, shown) for table in contract().tables if (shown["table"] == table).any()]
        meta = {"dealer_id": self.dealer_id, "cycle": self.job.cycle.name}
        wrong = "unknown_reason" in set(self.problems["rule"])
        return CorrectionBook(
            locale=self.locale,
            dealer=self.dealer_id if self.personal else text("corrections.nobody", self.locale),
            cycle=self.job.cycle.name,
            as_of=self.job.cycle.as_of,
            meta=sign(self.lake, meta),
            personal=self.personal,
            summary=self._summary(),
            unreadable=tuple(
                (str(p.source_file), str(p.row_number), self._say(texts.wrong, p)) for p in self.unreadable.itertuples()
            ),
            reasons=self._reasons() if wrong else (),
            listed=(listed_rows := sum(len(table.rows) for table in tables)),
            total=listed_rows + max(0, len(rows) - MOST_ROWS),
            tables=tuple(tables),
        )

    def _reasons(self) -> tuple[tuple[str, str], ...]:
        return tuple((code, reason.label.text(self.locale)) for code, reason in catalogue().items())

    def _say(self, what: Any, problem: Any) -> str:
        params = json.loads(problem.params or "{}")
        words: str = what(problem.rule, problem.table, problem.column or "", params, self.locale)
        return words

    def _summary(self) -> tuple[tuple[str, str, int, str], ...]:
        counts = self.problems.groupby(["table", "rule", "column"], dropna=False).size().sort_values(ascending=False)
        lines = []
        for (table, rule, column), count in counts.items():
            named = column if isinstance(column, str) else ""
            label = texts.column_label(table, named, self.locale)
            title = text(f"rule.{rule}.title", self.locale)
            mend = texts.mend(rule, table, named, {}, self.locale)
            lines.append((self._label(table), f"{label}: {title}" if label else title, int(count), mend))
        return tuple(lines)

    def _label(self, table: str) -> str:
        return contract().tables[table].label.text(self.locale)

    def _table(self, name: str, shown: pd.DataFrame) -> CorrectionTable:
        table = contract().tables[name]
        mine, there = shown[shown["table"] == name], self.rows[name]
        wanted = zip(mine["source_file"], mine["row_number"].astype("int64"), strict=True)
        places = [place for place in wanted if place in there.index]
        stored = there.loc[places]
        digests = row_digests(self.lake, table, stored).tolist()
        shown_cells = self._cells(table, stored)
        problems = self.problems[self.problems["table"] == name]
        said = {place: part for place, part in problems.groupby(_PLACE)}  # noqa: C416  a frame, not pairs
        first_keys = stored[table.key[0]].fillna("").tolist()
        rows = [
            self._row(table, place, said[place], cells, digest, key)
            for place, cells, digest, key in zip(places, shown_cells, digests, first_keys, strict=True)
        ]
        used = {field for row in rows for field in (*row.open, *(f for f, words in row.cells.items() if words))}
        ordered = [name for name in table.key if name in used] + [f for f in table.fields if f not in table.key]
        columns = [
            CorrectionColumn(field, table.fields[field].label.text(self.locale), self._choices(table.fields[field]))
            for field in ordered
            if field in used
        ]
        return CorrectionTable(name, self._label(name), tuple(columns), tuple(rows))

    def _cells(self, table: Table, stored: pd.DataFrame) -> list[dict[str, str]]:
        """Each row's cells as the dealer reads them; what could not be typed as it was written."""
        originals = original_texts(self.problems[self.problems["table"] == table.name])
        cells = cell_texts(table, stored.reset_index(drop=True))
        for name, field in table.fields.items():
            if field.personal and not self.personal:
                cells[name] = cells[name].where(cells[name].isna(), _MASK)
            elif words := self._words(field):
                cells[name] = cells[name].map(lambda cell, words=words: words.get(cell, cell), na_action="ignore")
        rows = cells.astype(object).where(cells.notna(), "").to_dict("records")
        for (file, number), row in zip(stored.index, rows, strict=True):
            for name, cell in row.items():
                if not cell:
                    row[name] = originals.get((file, number, name), "")
        return rows

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
        self, table: Table, place: tuple[str, int], problems: pd.DataFrame, cells: dict[str, str], digest: str, key: str
    ) -> CorrectionRow:
        state = min(problems["state"], key=_STATES.index)
        own = [p for p in problems.itertuples() if p.state != "held"]
        opened = dict.fromkeys(name for p in own for name in open_cells(table, p.rule, p.column or ""))
        if not self.personal:  # a masked cell cannot be corrected; whose row it is, is what is asked
            opened = {name: None for name in opened if not table.fields[name].personal}
            if any(p.rule == "unknown_dealer" for p in own):
                opened["dealer_id"] = None
        sure = any(confirmable(p.rule) for p in own)
        token = Token(self.dealer_id, table.name, place[0], place[1], key, digest, tuple(opened), sure)
        told = list(problems.itertuples())
        return CorrectionRow(
            token=token_text(self.lake, token),
            state=text(f"corrections.state.{state}", self.locale),
            wrong="\n".join(dict.fromkeys(self._say(texts.wrong, p) for p in told)),
            mend="\n".join(dict.fromkeys(self._say(texts.mend, p) for p in told)),
            file=place[0],
            row=place[1],
            cells=cells,
            marked={p.column for p in own if p.column in table.fields},
            open=tuple(opened),
            confirmable=sure,
        )
