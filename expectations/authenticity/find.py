"""All authenticity signals of a network at once: counts, expected counts, corrected over dealers and signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from expectations.authenticity import calls, contacts, digits, peers, phones, reasons, times, wording
from expectations.authenticity.parts import Part
from expectations.authenticity.records import NotCheckedError, Records
from models.catalogue.contract import FILE_COLUMN, ROW_COLUMN, contract
from models.catalogue.signals import SignalStandard, signals

Detector = Callable[[Records, Mapping[str, float]], Iterator[Part]]

DETECTORS: Mapping[str, Detector] = {
    detector.__name__: detector
    for detector in (
        phones.shared_phone,
        phones.staff_phone,
        phones.sequential_phone,
        phones.phone_changed,
        calls.revisit_seconds,
        calls.straight_top_marks,
        calls.revisit_success_improbable,
        times.deadline_burst,
        times.back_dated,
        reasons.one_reason,
        reasons.reason_shift,
        wording.copied_text,
        digits.digit_anomaly,
        contacts.no_contact,
        contacts.never_moves,
    )
}

FOUND_DTYPES = {
    "dealer_id": "str",
    "signal": "str",
    "rows": "int64",
    "evidence_rows": "int64",
    "expected_rows": "float64",
    "p_value": "float64",
    "q_value": "float64",
    "flagged": "boolean",
}
EVIDENCE_DTYPES = {
    "dealer_id": "str",
    "signal": "str",
    "table": "str",
    "source_file": "str",
    "row_number": "Int64",
    "row_key": "str",
}
CHECKED_DTYPES = {"signal": "str", "checked": "bool", "dealers": "int64", "reason": "str", "params": "object"}


@dataclass(frozen=True)
class SignalOptions:
    """What a caller may set.

    ``until``: end of the months looked at (not included; default: the first midnight after the last filing or, without
    filings, the last lead). ``changes``: when a dealer's plan was issued. ``earlier_phones``: what
    ``phones.phone_marks`` gave for an earlier cycle. ``standard``: the catalogue (default: the shipped one).
    """

    until: datetime | None = None
    changes: Mapping[str, datetime] = field(default_factory=dict)
    earlier_phones: pd.DataFrame | None = None
    standard: SignalStandard = field(default_factory=signals)


@dataclass(frozen=True)
class Signals:
    """What was found, to be checked by people.

    ``found``: one row per dealer and signal: dealer_id, signal, rows (looked at), evidence_rows, expected_rows (what
    peers show on as many rows), p_value, q_value, flagged; the last three are empty where the dealer has too few rows
    or the signal could not be tested: not checked is no pass. ``evidence``: the rows behind flagged ones: dealer_id,
    signal, table, source_file, row_number, row_key. ``checked``: one row per signal: checked, dealers tested, and else
    the reason (message ``signals.note.<reason>``) with its params.
    """

    found: pd.DataFrame
    evidence: pd.DataFrame
    checked: pd.DataFrame

    def counts(self) -> dict[str, int]:
        """Figures for a key point: dealers and signals to be checked, signals that could not be tested."""
        flagged = self.found[self.found["flagged"].fillna(False).astype(bool)]
        return {
            "signals_to_check": len(flagged),
            "dealers_to_check": int(flagged["dealer_id"].nunique()),
            "signals_not_checked": int((~self.checked["checked"]).sum()),
        }


@dataclass(frozen=True)
class _Judged:
    """One signal over all dealers; ``part`` is the position of the part that speaks for each dealer."""

    code: str
    parts: tuple[Part, ...]
    part: np.ndarray
    rows: np.ndarray
    seen: np.ndarray
    expected: np.ndarray
    p: np.ndarray  # NaN: not tested


def find_signals(
    tables: Mapping[str, pd.DataFrame], window_months: int, options: SignalOptions | None = None
) -> Signals:
    """The authenticity signals of the ``window_months`` months before ``options.until``.

    ``tables``: accepted frames of the lake (docs/architecture.md). Of leads, the columns ``phone`` and
    ``customer_name`` (``Lake.read(..., personal=True)``) are used when there: without them sequences of numbers are
    not checked and shared numbers are told apart less well. They are never given out.
    """
    chosen = options or SignalOptions()
    records = _records(tables, window_months, chosen)
    judged, checked = [], []
    for code, detect in DETECTORS.items():
        outcome = _judge(code, detect, records)
        checked.append(_told(code, outcome))
        if isinstance(outcome, _Judged):
            judged.append(outcome)
    found = _corrected(judged, records)
    return Signals(found, _evidence(judged, found, records), _frame(checked, CHECKED_DTYPES))


def _records(tables: Mapping[str, pd.DataFrame], months: int, options: SignalOptions) -> Records:
    until = np.datetime64(options.until, "us") if options.until is not None else _end(tables)
    first = until.astype("datetime64[M]") - np.timedelta64(months, "M")
    start = first.astype("datetime64[us]") + (until - until.astype("datetime64[M]"))
    changes = {dealer: np.datetime64(at, "us") for dealer, at in options.changes.items()}
    return Records(tables, start, until, options.standard, changes, options.earlier_phones)


def _end(tables: Mapping[str, pd.DataFrame]) -> np.datetime64:
    for table, column in (("defeats", "defeated_at"), ("leads", "created_at")):
        frame = tables.get(table)
        if frame is not None and frame[column].notna().any():
            return (frame[column].max().to_datetime64().astype("datetime64[D]") + 1).astype("datetime64[us]")
    return np.datetime64("1970-01-01", "us")


def _judge(code: str, detect: Detector, records: Records) -> _Judged | NotCheckedError:
    standard, dealers = records.standard, len(records.dealers)
    signal = standard[code]
    try:
        for column in signal.columns:
            records.need(column)
        parts = tuple(detect(records, signal.limits))
    except NotCheckedError as error:
        return error
    many = [part.counts(dealers) for part in parts]
    tested = [n >= (part.least_rows or signal.rows) for part, (_, n) in zip(parts, many, strict=True)]
    most = max((int(enough.sum()) for enough in tested), default=0)
    if most < standard.test.peers:
        return NotCheckedError("few_peers", dealers=most, peers=standard.test.peers)
    p, seen = np.full((len(parts), dealers), np.nan), np.array([x for x, _ in many])
    expected = np.zeros((len(parts), dealers))
    for number, (part, (x, n), enough) in enumerate(zip(parts, many, tested, strict=True)):
        if enough.sum() < standard.test.peers:
            continue
        allowed = np.ones(dealers, bool) if part.allowed is None else part.allowed
        asked = enough & allowed & (x >= (part.least_evidence or signal.evidence))
        expected[number, enough], p[number, enough] = _against_peers(part, x, n, enough, asked, len(parts), records)
        seen[number, ~allowed] = 0.0
    best = np.argmin(np.where(np.isnan(p), 2.0, p), axis=0)
    at = best, np.arange(dealers)
    return _Judged(code, parts, best, np.array([n for _, n in many])[at], seen[at], expected[at], p[at])


def _against_peers(
    part: Part, x: np.ndarray, n: np.ndarray, enough: np.ndarray, asked: np.ndarray, ways: int, records: Records
) -> tuple[np.ndarray, np.ndarray]:
    """Expected rows and p-value per dealer with ``enough`` rows; 1 where nothing is ``asked``: tails are costly."""
    if part.allowed is not None and not part.allowed.any():  # nobody stands out: nothing to test
        return n[enough] * x[enough].sum() / n[enough].sum(), np.ones(int(enough.sum()))
    offset = np.zeros(len(x)) if part.offset is None else part.offset
    honest = peers.learn(x[enough], n[enough], offset[enough], records.standard.test)
    p = np.ones(len(x))
    p[asked] = np.minimum(honest.tail(x[asked], n[asked], offset[asked]) * (part.tests or ways), 1.0)
    return n[enough] * honest.rate(offset[enough]), p[enough]


def _told(code: str, outcome: _Judged | NotCheckedError) -> tuple[object, ...]:
    if isinstance(outcome, NotCheckedError):
        return code, False, 0, outcome.reason, outcome.params
    return code, True, int((~np.isnan(outcome.p)).sum()), "", {}


def _corrected(judged: list[_Judged], records: Records) -> pd.DataFrame:
    """All dealers x signals with q-values (Benjamini-Hochberg over everything tested)."""
    rows = [
        (dealer, one.code, one.rows[at], one.seen[at], one.expected[at], one.p[at])
        for one in judged
        for at, dealer in enumerate(records.dealers)
    ]
    found = _frame([(*row, np.nan, None) for row in rows], FOUND_DTYPES)
    tested = found["p_value"].notna().to_numpy()
    q = np.full(len(found), np.nan)
    if tested.any():
        q[tested] = false_discovery_control(found.loc[tested, "p_value"].to_numpy())
    found["q_value"] = q
    limit = records.standard.test.fdr
    found["flagged"] = pd.array(np.where(tested, q <= limit, False), "boolean")
    found.loc[~tested, "flagged"] = pd.NA
    found["expected_rows"] = found["expected_rows"].where(tested).round(2)
    return found


def _evidence(judged: list[_Judged], found: pd.DataFrame, records: Records) -> pd.DataFrame:
    """The rows behind flagged signals. Rows of others stay unnamed: an honest dealer has some of every sign."""
    parts = [_frame([], EVIDENCE_DTYPES)]
    flagged = found["flagged"].fillna(False).to_numpy(bool).reshape(len(judged), -1) if judged else []
    for one, alarm in zip(judged, flagged, strict=True):
        for number, part in enumerate(one.parts):
            named = np.append(alarm & (one.part == number), False)
            parts.append(_rows_of(one.code, part, part.evidence & named[part.rows.dealer], records))
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def _rows_of(code: str, part: Part, mask: np.ndarray, records: Records) -> pd.DataFrame:
    table, rows = part.rows.table, part.rows.frame[mask]
    values = {
        "dealer_id": records.dealers[part.rows.dealer[mask]],
        "signal": code,
        "table": table,
        "source_file": rows.get(FILE_COLUMN),
        "row_number": rows.get(ROW_COLUMN),
        "row_key": rows[contract().tables[table].key[0]],
    }
    return pd.DataFrame(
        {
            name: pd.Series(np.asarray(values[name]) if values[name] is not None else None, range(len(rows)), dtype)
            for name, dtype in EVIDENCE_DTYPES.items()
        }
    )


def _frame(rows: list[tuple[object, ...]], dtypes: Mapping[str, str]) -> pd.DataFrame:
    columns = zip(*rows, strict=True) if rows else ([] for _ in dtypes)
    return pd.DataFrame(
        {
            name: pd.Series(list(values), dtype=dtype)
            for (name, dtype), values in zip(dtypes.items(), columns, strict=True)
        }
    )
