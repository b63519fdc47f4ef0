"""The authenticity signals of a cycle for those who read them: per dealer, with their rows and since when."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from expectations.scoring import SIGNALS
from models.catalogue.signals import signals
from reports.quality_signs import NotTested, Sign, too_few_rows
from tasks.results import Results

_FOUND = ["dealer_id", "signal", "rows", "evidence_rows", "expected_rows", "flagged"]


@dataclass(frozen=True)
class SignalFigures:
    """Signals of ``dealers`` (all when None) in ``results``; ``earlier``: published results of cycles before."""

    results: Results
    earlier: Sequence[Results]
    dealers: Collection[str] | None = None

    @cached_property
    def found(self) -> pd.DataFrame:
        """Per dealer and signal: rows looked at, with evidence, expected, flagged (empty: not tested)."""
        return self._read(self.results)

    @cached_property
    def before(self) -> list[tuple[str, pd.DataFrame]]:
        """The same of the cycles before, oldest first."""
        return [(each.cycle, self._read(each)) for each in self.earlier if each.has("signals")]

    def _read(self, results: Results) -> pd.DataFrame:
        frame = results.read("signals", _FOUND)
        return frame if self.dealers is None else frame[frame["dealer_id"].isin(self.dealers)]

    @cached_property
    def flagged(self) -> dict[str, list[str]]:
        """The flagged signals of each dealer that has any, in the catalogue's order."""
        order = {code: at for at, code in enumerate(signals().signals)}
        lines = self.found[self.found["flagged"].fillna(False).astype(bool)]
        found: dict[str, list[str]] = {}
        for dealer, signal in zip(lines["dealer_id"], lines["signal"], strict=True):
            found.setdefault(str(dealer), []).append(str(signal))
        return {dealer: sorted(codes, key=order.__getitem__) for dealer, codes in found.items()}

    @cached_property
    def network_untested(self) -> dict[str, NotTested]:
        """Signals that could be tested for nobody, with the reason."""
        checked = self.results.read("signals_checked")
        missing = checked[~checked["checked"]]
        return {
            str(line.signal): NotTested(str(line.signal), str(line.reason), json.loads(line.params))
            for line in missing.itertuples()
        }

    def untested(self, dealer_id: str) -> tuple[NotTested, ...]:
        """What could not be tested of a dealer: for nobody, or because it has too few rows."""
        here = self._lines.get(dealer_id, {})
        return tuple(self._untested(here))

    def _untested(self, here: Mapping[str, tuple[int, int, float, bool | None]]) -> Iterator[NotTested]:
        for code in signals().signals:
            if code in self.network_untested:
                yield self.network_untested[code]
            elif code not in here or here[code][3] is None:
                yield too_few_rows(code)

    @cached_property
    def _lines(self) -> dict[str, dict[str, tuple[int, int, float, bool | None]]]:
        """By dealer and signal: rows, evidence rows, expected rows, flagged (None: not tested)."""
        found: dict[str, dict[str, tuple[int, int, float, bool | None]]] = {}
        for line in self.found.itertuples():
            flagged = None if pd.isna(line.flagged) else bool(line.flagged)
            told = int(line.rows), int(line.evidence_rows), float(line.expected_rows), flagged
            found.setdefault(str(line.dealer_id), {})[str(line.signal)] = told
        return found

    @cached_property
    def _places(self) -> dict[tuple[str, str], tuple[tuple[str, str], ...]]:
        """Table and id of the rows behind each flagged sign; file and row number where a row has no id."""
        rows = self.results.read("signal_evidence")
        if self.dealers is not None:
            rows = rows[rows["dealer_id"].isin(self.dealers)]
        named = rows["row_key"].fillna(rows["source_file"].astype("str") + ":" + rows["row_number"].astype("str"))
        told = rows.assign(place=named).drop_duplicates(["dealer_id", "signal", "table", "place"])
        return {
            (str(dealer), str(signal)): tuple(zip(part["table"], part["place"], strict=True))
            for (dealer, signal), part in told.groupby(["dealer_id", "signal"])
        }

    @cached_property
    def _first_seen(self) -> dict[tuple[str, str], str]:
        first: dict[tuple[str, str], str] = {}
        for cycle, frame in self.before:
            lines = frame[frame["flagged"].fillna(False).astype(bool)]
            for pair in zip(lines["dealer_id"], lines["signal"], strict=True):
                first.setdefault(pair, cycle)
        return first

    @cached_property
    def _points(self) -> dict[tuple[str, str], float]:
        """What a flagged sign costs its dealer's score."""
        losses = self.results.read("losses", ["dealer_id", "table", "rule", "points"])
        lost = losses[losses["table"] == SIGNALS]
        return dict(zip(zip(lost["dealer_id"], lost["rule"], strict=True), lost["points"].astype(float), strict=True))

    def signs(self, dealer_id: str) -> tuple[Sign, ...]:
        """The flagged signals of a dealer with their rows, since when, and what they cost."""
        told = []
        for code in self.flagged.get(dealer_id, ()):
            rows, seen, expected, _ = self._lines[dealer_id][code]
            pair = dealer_id, code
            first = self._first_seen.get(pair, self.results.cycle)
            places = self._places.get(pair, ())
            told.append(Sign(code, rows, seen, expected, first, places, self._points.get(pair, 0.0)))
        return tuple(told)
