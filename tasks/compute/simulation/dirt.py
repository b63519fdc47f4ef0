"""Rows as they should not be: every kind of bad row of domain.md sections 12 and 14, planted and listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.catalogue.deadlines import deadlines
from tasks.compute.simulation.draws import Array, Draws, Ints

#: one row per planted row: ``row_number`` counts data rows of ``file`` from 1, ``column`` is empty for whole rows,
#: ``severity`` is what domain.md section 14 says becomes of it (quarantine, warn, duplicate), ``rule`` must find it
MARK_COLUMNS = ("month", "table", "row_number", "row_key", "dealer_id", "type", "column", "severity", "rule")

#: which filings are exported a month late is drawn with the filings themselves; those beyond the deadline are listed
#: here with the others. A load of the months before must have come first: within one load nothing tells them apart
LATE = "late_filing"

_Spoil = Callable[[pd.DataFrame, Ints, np.random.Generator], None]


def _anywhere(frame: pd.DataFrame) -> Array:
    return np.ones(len(frame), bool)


@dataclass(frozen=True)
class Dirt:
    """One kind of bad row: where it can be planted, how, and what is expected to become of it."""

    kind: str
    table: str
    column: str
    spoil: _Spoil
    possible: Callable[[pd.DataFrame], Array] = _anywhere
    severity: str = "quarantine"
    copy: bool = False  # planted as an additional row, a spoilt copy of another
    rule: str | None = None  # of expectations/rules.toml; None: called like the kind


def _put(frame: pd.DataFrame, column: str, rows: Ints, values: Any) -> None:
    changed: Any = frame[column].array.copy()
    dtype: Any = frame[column].dtype
    changed[rows] = pd.Series(values, dtype=dtype).array
    frame[column] = changed


def _set(column: str, *values: object) -> _Spoil:
    def spoil(frame: pd.DataFrame, rows: Ints, rng: np.random.Generator) -> None:
        chosen = [values[choice] for choice in rng.integers(0, len(values), len(rows))]
        _put(frame, column, rows, chosen)

    return spoil


def _shift(column: str, base: str, days: int) -> _Spoil:
    """``column`` becomes the time in ``base`` moved by about ``days``."""

    def spoil(frame: pd.DataFrame, rows: Ints, rng: np.random.Generator) -> None:
        moved = frame[base].iloc[rows] + pd.to_timedelta(days + np.sign(days) * rng.integers(0, 3, len(rows)), unit="D")
        _put(frame, column, rows, moved.to_numpy())

    return spoil


def _break_phone(frame: pd.DataFrame, rows: Ints, rng: np.random.Generator) -> None:
    phone = frame["phone"].iloc[rows]
    broken = np.select(
        [np.arange(len(rows)) % 4 == turn for turn in range(3)], [phone.str[:10], "1" + phone, "0" * 11], "未留电话"
    )
    _put(frame, "phone", rows, broken.tolist())


def _negate(column: str) -> _Spoil:
    def spoil(frame: pd.DataFrame, rows: Ints, rng: np.random.Generator) -> None:
        wrong = np.where(rng.random(len(rows)) < 0.5, 0.0, -frame[column].iloc[rows])
        _put(frame, column, rows, wrong)

    return spoil


def _other_content(frame: pd.DataFrame, rows: Ints, rng: np.random.Generator) -> None:
    budget = 50_000.0 + 1_000 * rng.integers(0, 40, len(rows))
    _put(frame, "budget", rows, budget + 1.0)  # no real budget ends so
    _set("source", "其他渠道")(frame, rows, rng)


def _number(column: str, prefix: str) -> _Spoil:
    """``column`` becomes a number of its own."""

    def spoil(frame: pd.DataFrame, rows: Ints, rng: np.random.Generator) -> None:
        _put(frame, column, rows, [f"{prefix}{number:010d}" for number in rng.integers(0, 10**10, len(rows))])

    return spoil


def _lose_digits(frame: pd.DataFrame, rows: Ints, rng: np.random.Generator) -> None:
    _put(frame, "lead_id", rows, [f"2.0{number:06d}E+16" for number in rng.integers(0, 10**6, len(rows))])


def _times(column: str, base: str, factor: float) -> _Spoil:
    """``column`` becomes a multiple of ``base``: an amount in another unit, or of another car."""

    def spoil(frame: pd.DataFrame, rows: Ints, rng: np.random.Generator) -> None:
        _put(frame, column, rows, (frame[base].iloc[rows] * factor).round().to_numpy())

    return spoil


def _again(frame: pd.DataFrame, rows: Ints, rng: np.random.Generator) -> None:
    """The same customer entered a second time within the hour, under another number."""
    created = frame["created_at"].iloc[rows] + pd.to_timedelta(rng.integers(1, 60, len(rows)), unit="min")
    _put(frame, "created_at", rows, created.to_numpy())
    _number("lead_id", "DC")(frame, rows, rng)


def _same(frame: pd.DataFrame, rows: Ints, rng: np.random.Generator) -> None:
    """An exact copy needs no change."""


def _has(*columns: str) -> Callable[[pd.DataFrame], Array]:
    return lambda frame: frame[list(columns)].notna().all(axis=1).to_numpy()


def _positive(column: str) -> Callable[[pd.DataFrame], Array]:
    return lambda frame: (frame[column] > 0).fillna(False).to_numpy(bool)


def _status(status: str) -> Callable[[pd.DataFrame], Array]:
    return lambda frame: (frame["status"] == status).fillna(False).to_numpy(bool)


# a placeholder of old systems, and a year mistyped
_FUTURE = (pd.Timestamp("2099-12-31 12:00:00"), pd.Timestamp("2035-06-30 12:00:00"))

KINDS: tuple[Dirt, ...] = (
    Dirt("missing_required", "leads", "phone", _set("phone", None)),
    Dirt("missing_required", "leads", "series", _set("series", None)),
    Dirt("missing_required", "leads", "created_at", _set("created_at", None)),
    Dirt("missing_required", "leads", "lead_id", _set("lead_id", None)),
    Dirt("missing_required", "leads", "status", _set("status", None)),
    Dirt("unknown_dealer", "leads", "dealer_id", _set("dealer_id", "D9901", "D9902", "测试店")),
    Dirt("malformed_phone", "leads", "phone", _break_phone),
    Dirt("unknown_status", "leads", "status", _set("status", "战败审核中", "无效线索", "3"), rule="unknown_word"),
    Dirt("digits_lost", "leads", "lead_id", _lose_digits, copy=True),
    Dirt(
        *("status_against_timestamps", "leads", "defeated_at", _shift("defeated_at", "ordered_at", 2), _status("won")),
        rule="status_against_times",
    ),
    Dirt(
        *("status_against_timestamps", "leads", "defeated_at", _set("defeated_at", None), _status("defeated")),
        rule="status_against_times",
    ),
    Dirt(
        "defeated_before_created", "leads", "defeated_at", _shift("defeated_at", "created_at", -3), _status("defeated")
    ),
    Dirt("future_date", "leads", "created_at", _set("created_at", *_FUTURE), rule="impossible_date"),
    Dirt("future_date", "sales", "sold_at", _set("sold_at", *_FUTURE), rule="impossible_date"),
    Dirt("implausible_date", "leads", "delivered_at", _set("delivered_at", *_FUTURE), _has("delivered_at"), "warn"),
    Dirt("age_out_of_range", "leads", "age", _set("age", 7, 160), severity="warn"),
    Dirt("out_of_range", "leads", "contact_count", _set("contact_count", -1, 99999), severity="warn"),
    Dirt("non_positive_price", "leads", "list_price", _negate("list_price"), _has("list_price"), "warn"),
    Dirt(
        *("unusual_price", "leads", "quoted_price", _times("quoted_price", "list_price", 10.0)),
        *(_has("quoted_price", "list_price"), "warn"),
    ),
    Dirt(
        *("unknown_purchase_type", "leads", "purchase_type", _set("purchase_type", "团购", "公司"), _anywhere, "warn"),
        rule="unknown_word",
    ),
    Dirt(
        *("test_drive_before_visit", "leads", "test_drive_at", _shift("test_drive_at", "visited_at", -2)),
        *(_has("test_drive_at", "visited_at"), "warn"),
    ),
    Dirt(
        *("contact_before_created", "leads", "first_contact_at", _shift("first_contact_at", "created_at", -2)),
        *(_has("first_contact_at"), "warn"),
    ),
    Dirt(
        *("delivered_before_ordered", "leads", "delivered_at", _shift("delivered_at", "ordered_at", -2)),
        *(_has("delivered_at", "ordered_at"), "warn"),
    ),
    Dirt(
        *("ordered_before_created", "leads", "ordered_at", _shift("ordered_at", "created_at", -2)),
        *(_status("won"), "warn"),
    ),
    Dirt("same_customer_again", "leads", "phone", _again, _has("created_at", "phone"), "warn", copy=True),
    Dirt("duplicate_id", "leads", "", _other_content, copy=True, rule="ambiguous_id"),
    Dirt("exact_duplicate", "leads", "", _same, severity="duplicate", copy=True),
    Dirt("unknown_reason", "defeats", "reason_code", _set("reason_code", "other", "Z99", "客户没说"), severity="warn"),
    Dirt(
        *("unknown_destination", "defeats", "destination", _set("destination", "其他", "7"), _anywhere, "warn"),
        rule="unknown_word",
    ),
    Dirt(
        *("reviewed_before_filed", "defeats", "reviewed_at", _shift("reviewed_at", "defeated_at", -2)),
        *(_has("reviewed_at"), "warn"),
    ),
    Dirt("missing_required", "defeats", "defeated_at", _set("defeated_at", None)),
    Dirt("orphan", "defeats", "lead_id", _number("lead_id", "XX"), copy=True, rule="unknown_lead"),
    Dirt("exact_duplicate", "defeats", "", _same, severity="duplicate", copy=True),
    Dirt("orphan", "revisits", "lead_id", _number("lead_id", "XX"), copy=True, rule="unknown_lead"),
    Dirt("missing_required", "revisits", "reached", _set("reached", None)),
    Dirt(
        *("out_of_range", "revisits", "satisfaction_price", _set("satisfaction_price", 0.0, 95.0)),
        *(_has("satisfaction_price"), "warn"),
    ),
    Dirt("out_of_range", "revisits", "duration_s", _set("duration_s", -1, 90_000), _has("duration_s"), "warn"),
    Dirt("revisit_before_defeat", "revisits", "called_at", _shift("called_at", "called_at", -400), severity="warn"),
    Dirt("exact_duplicate", "revisits", "", _same, severity="duplicate", copy=True),
    Dirt("unknown_dealer", "sales", "dealer_id", _set("dealer_id", "D9901", "直营店")),
    Dirt("missing_required", "sales", "series", _set("series", None)),
    Dirt("malformed_phone", "sales", "phone", _break_phone),
    Dirt("non_positive_price", "sales", "price", _negate("price"), severity="warn"),
    Dirt("orphan", "sales", "lead_id", _number("lead_id", "XX"), severity="warn", rule="sale_without_lead"),
    Dirt("exact_duplicate", "sales", "", _same, severity="duplicate", copy=True),
    Dirt("unknown_dealer", "service_visits", "dealer_id", _set("dealer_id", "D9901", "路边店")),
    Dirt("malformed_phone", "service_visits", "phone", _break_phone),
    Dirt(
        *("out_of_range", "service_visits", "mileage", _set("mileage", -1, 99_999_999), _has("mileage"), "warn"),
    ),
    Dirt(
        *("parts_above_total", "service_visits", "parts_amount", _times("parts_amount", "amount", 2.0)),
        *(_positive("amount"), "warn"),
    ),
    Dirt(
        *("finished_before_visit", "service_visits", "finished_at", _shift("finished_at", "visited_at", -2)),
        *(_has("finished_at"), "warn"),
    ),
)

_KEYS = {
    "leads": "lead_id",
    "defeats": "lead_id",
    "revisits": "lead_id",
    "sales": "sale_id",
    "service_visits": "visit_id",
}


def soil(
    tables: Mapping[str, pd.DataFrame], rate: float, seed: int, month: int, month_name: str
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """The tables of a month with about ``rate`` of the rows of each table spoilt, and the list of those rows.

    Every kind of its table is planted alike, at least once where rows allow it and ``rate`` is above 0; no row is
    spoilt twice. Copies stand at the end. Columns of the list: ``MARK_COLUMNS``.
    """
    soiled, marks = dict(tables), [_no_marks()]
    for table in _KEYS:
        kinds = [kind for kind in KINDS if kind.table == table]
        if rate > 0 and len(tables[table]):
            rng = Draws(seed, month, "dirt").rng(table)
            soiled[table], found = _soil_table(tables[table], kinds, rate, rng)
            marks.append(found.assign(table=table, month=month_name))
    return soiled, pd.concat(marks, ignore_index=True)[list(MARK_COLUMNS)]


def late_marks(defeats: pd.DataFrame, truth: pd.DataFrame, month_name: str) -> pd.DataFrame:
    """The filings exported with the month after them, past the deadline, as marks.

    ``truth`` has the rows of ``defeats`` in their order.
    """
    due = defeats["defeated_at"] + pd.Timedelta(days=deadlines().filing.within_days)
    late = truth["late"].to_numpy(bool) & (due < pd.Timestamp(month_name)).to_numpy(bool)
    rows = np.flatnonzero(late)
    marks = _marks(defeats, rows, rows + 1, Dirt(LATE, "defeats", "defeated_at", _same, severity="warn"))
    return marks.assign(dealer_id=truth["dealer_id"].iloc[rows].to_numpy(), month=month_name)[list(MARK_COLUMNS)]


def _soil_table(
    frame: pd.DataFrame, kinds: list[Dirt], rate: float, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame, n = frame.copy(), len(frame)
    each = max(1, round(n * rate / len(kinds)))
    free = np.ones(n, bool)
    copies: list[pd.DataFrame] = []
    marks: list[pd.DataFrame] = []
    for kind in kinds:
        candidates = np.flatnonzero(free & kind.possible(frame))
        rows = np.sort(rng.choice(candidates, min(each, len(candidates)), replace=False))
        free[rows] = False
        if not kind.copy:
            kind.spoil(frame, rows, rng)
            marks.append(_marks(frame, rows, rows + 1, kind))
            continue
        extra = frame.iloc[rows].copy()
        kind.spoil(extra, np.arange(len(rows)), rng)
        start = n + 1 + sum([len(part) for part in copies])
        copies.append(extra)
        marks.append(_marks(extra, np.arange(len(rows)), start + np.arange(len(rows)), kind))
        if kind.kind == "duplicate_id":  # none of the copies can be trusted: the first is set apart as well
            marks.append(_marks(frame, rows, rows + 1, kind))
    return pd.concat([frame, *copies], ignore_index=True), pd.concat(marks, ignore_index=True)


def _marks(frame: pd.DataFrame, rows: Ints, numbers: Ints, kind: Dirt) -> pd.DataFrame:
    """Marks of ``rows`` of ``frame`` as they stand in the file, where they have ``numbers``."""
    none = pd.Series([None] * len(rows), dtype="str")
    dealer = frame["dealer_id"].iloc[rows] if "dealer_id" in frame else none
    return pd.DataFrame(
        {
            "table": kind.table,
            "row_number": numbers,
            "row_key": frame[_KEYS[kind.table]].iloc[rows].to_numpy(),
            "dealer_id": dealer.to_numpy(),
            "type": kind.kind,
            "column": kind.column,
            "severity": kind.severity,
            "rule": kind.kind if kind.rule is None else kind.rule,
        }
    )


def _no_marks() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="int64" if name == "row_number" else "str") for name in MARK_COLUMNS})
