"""Canonical tables out of text: every column becomes what the contract says, every value that cannot is a problem.

A required cell that is there but cannot be typed sets its row apart (quarantine); an optional one is emptied and said
so (warn). Empty required cells are the checks' business (expectations), not judged here. Whole columns at once: never
a call per cell.
"""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from models.catalogue.contract import PROVENANCE, TIME_KINDS, ContractField, Table, contract
from models.enums import Severity
from tasks.compute.frames import dtype_of, in_contract_order, join_problems, problems_at
from tasks.compute.phones import parse_phones
from tasks.compute.times import parse_times

_TRUE = ("true", "1", "1.0", "yes", "y", "t", "是", "有", "对", "真", "已", "√", "✓", "✔", "☑")
_FALSE = ("false", "0", "0.0", "no", "n", "f", "否", "无", "不", "假", "未", "×", "✗", "✘", "☒")
_UNITS = {"万": 1e4, "萬": 1e4, "亿": 1e8, "千": 1e3, "k": 1e3, "w": 1e4}
_NUMBER = re.compile(r"([-+]?)(\d{1,3}(?:,\d{3})+|\d+)?(\.\d+)?(?:e([-+]?\d{1,3}))?(万|萬|亿|千|k|w)?")
_CURRENCY = re.compile(r"^(?:¥|¥|￥|rmb|cny|人民币|\$)|(?:元整?|圆|rmb|cny|人民币|岁|次|天|秒|台|辆|公里|km)$")
_DIGITS_LOST = r"^\d(?:\.\d+)?[Ee]\+?\d{2}$"  # what a spreadsheet makes of a long identifier: 2.0260103E+16
_LONG_DIGITS = re.compile(r"\d{7,}")
_LIST_SEPARATORS = re.compile(r"\s*[;；,，、|\n]\s*")
# what pages and sheets leave around a value
_BLANKS = " \t\r\n\v\f\0\u00a0\u2007\u200b\u200c\u200d\u200e\u202f\u2060\u3000\ufeff"
_SHOWN = 40  # characters of a wrong value a message quotes


@dataclass(frozen=True)
class Typing:
    """What typing needs to know besides the contract.

    ``phone_key`` turns E.164 numbers into their keyed hashes, so that clear numbers never stand in a key column.
    """

    phone_key: Callable[[pd.Series[Any]], pd.Series[Any]]
    timezone: str = "Asia/Shanghai"
    phone_region: str = "CN"


@dataclass(frozen=True)
class _Typed:
    """A typed column, and which cells are there but cannot be typed (None: all can)."""

    values: Any
    bad: Any = None
    rule: str = ""


def type_table(
    table: Table, frame: pd.DataFrame, formats: Mapping[str, Sequence[str]], typing: Typing
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``frame`` (canonical columns as ``str``, provenance) as a lake frame of ``table``, and its problems.

    ``formats`` gives the strptime formats per time field (domain.md section 4). A malformed phone keeps its text in the
    (encrypted) phone column for the dealer's correction list and has no key. Problems: ``bad_date``, ``bad_number``,
    ``bad_bool``, ``unknown_word``, ``digits_lost``, ``malformed_phone``; columns as in docs/architecture.md, ``params``
    with the value and, for words, the nearest known ones.
    """
    columns: dict[str, Any] = {}
    wrong: list[tuple[ContractField, _Typed]] = []
    for name, field in table.fields.items():
        if name not in frame:
            continue
        source = _texts(frame[name])
        typed = _TYPERS.get(field.kind, _word if contract().codes(field.kind) else _text)(
            source, field, formats.get(name, ()), typing
        )
        if typed.bad is not None and pc.any(typed.bad).as_py():
            wrong.append((field, typed))
        columns |= _columns(source, field, typed, typing)
    result = pd.DataFrame(columns | {name: frame[name].to_numpy() for name in PROVENANCE}, copy=False)
    result = in_contract_order(table, result.astype({PROVENANCE[0]: "str", PROVENANCE[1]: "int64"}))
    problems = [_problems(table, result, frame[field.name], field, typed) for field, typed in wrong]
    return result, join_problems(problems)


def _texts(column: pd.Series[Any]) -> Any:
    """The column as one Arrow array of trimmed texts; blank is missing."""
    array = pa.array(column.astype("str"))
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if array.type != pa.string() and array.nbytes < 2**31 - 1:
        array = pc.cast(array, pa.string())
    trimmed = pc.utf8_trim(array, characters=_BLANKS)
    shortest = pc.min(pc.binary_length(trimmed)).as_py()
    return pc.if_else(pc.equal(trimmed, ""), None, trimmed) if shortest == 0 else trimmed


def _columns(source: Any, field: ContractField, typed: _Typed, typing: Typing) -> dict[str, Any]:
    if field.kind != "phone":
        values = typed.values.to_pandas() if isinstance(typed.values, pa.Array) else typed.values
        return {field.name: values.astype(dtype_of(field))}
    key = typing.phone_key(typed.values.to_pandas().astype("str"))
    kept = pc.coalesce(typed.values, source) if field.required else typed.values
    return {field.name: kept.to_pandas().astype("str"), field.key_column: key}


def _problems(
    table: Table, typed_frame: pd.DataFrame, source: pd.Series[Any], field: ContractField, typed: _Typed
) -> pd.DataFrame:
    mask = typed.bad.to_numpy(zero_copy_only=False)
    severity = Severity.QUARANTINE if field.required else Severity.WARN
    wrong = source[mask]
    texts = {value: _params(str(value), field) for value in wrong.unique()}
    return problems_at(table, typed_frame[mask], typed.rule, severity, column=field.name, params=list(wrong.map(texts)))


def _params(value: str, field: ContractField) -> str:
    """What a message about this value may say; of personal fields nothing, of others no digits that may be a phone."""
    params: dict[str, str] = {}
    if not field.personal:
        params = {"value": shown(value), "kind": field.kind}
    codes = contract().codes(field.kind)
    if codes:
        near = difflib.get_close_matches(_plain(value), _spellings(field.kind), n=3, cutoff=0.5)
        params["candidates"] = ", ".join(dict.fromkeys(_spellings(field.kind)[word] for word in near)) or ", ".join(
            codes
        )
    return json.dumps(params, ensure_ascii=False)


def shown(value: str) -> str:
    """A value as messages may quote it: short, and without digits long enough to be a phone."""
    short = value if len(value) <= _SHOWN else value[:_SHOWN] + "…"
    return _LONG_DIGITS.sub("…", short)


def _plain(value: str) -> str:
    return "".join(unicodedata.normalize("NFKC", value).split()).replace("_", "").casefold()


@cache
def _spellings(kind: str) -> dict[str, str]:
    words = contract().words[kind]
    known = {_plain(word): code for code, spellings in words.items() for word in spellings}
    return known | {_plain(code): code for code in words}


def _by_distinct(source: Any, meaning: Callable[[str], Any], kind: Any) -> tuple[Any, Any]:
    """``meaning`` of every distinct text, spread over the column; None is a text without meaning."""
    encoded = source.dictionary_encode()
    values = pa.array([meaning(text) for text in encoded.dictionary.to_pylist()], kind)
    bad = pc.is_null(values)
    return values.take(encoded.indices), pc.fill_null(bad.take(encoded.indices), False)


def _text(source: Any, field: ContractField, _formats: Sequence[str], _typing: Typing) -> _Typed:
    if not field.name.endswith("_id"):
        return _Typed(source)
    lost = pc.fill_null(pc.match_substring_regex(source, _DIGITS_LOST), False)
    # a required one is kept as it is written: it names the row, which is set apart
    return _Typed(source if field.required else pc.if_else(lost, None, source), lost, "digits_lost")


def _word(source: Any, field: ContractField, _formats: Sequence[str], _typing: Typing) -> _Typed:
    known = _spellings(field.kind)
    return _Typed(*_by_distinct(source, lambda text: known.get(_plain(text)), pa.string()), rule="unknown_word")


def _bool(source: Any, _field: ContractField, _formats: Sequence[str], _typing: Typing) -> _Typed:
    known = dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)
    values, bad = _by_distinct(source, lambda text: known.get(_plain(text)), pa.bool_())
    return _Typed(values.to_pandas().astype("boolean"), bad, "bad_bool")


def _code(source: Any, _field: ContractField, _formats: Sequence[str], _typing: Typing) -> _Typed:
    return _Typed(_by_distinct(source, lambda text: text.casefold(), pa.string())[0])


def _codes(source: Any, _field: ContractField, _formats: Sequence[str], _typing: Typing) -> _Typed:
    def joined(text: str) -> str:
        return ";".join(part for part in _LIST_SEPARATORS.split(text.casefold()) if part)

    return _Typed(_by_distinct(source, joined, pa.string())[0])


def _time(source: Any, field: ContractField, formats: Sequence[str], typing: Typing) -> _Typed:
    times, bad = parse_times(source, formats, typing.timezone)
    return _Typed(pc.floor_temporal(times, unit="day") if field.kind == "date" else times, bad, "bad_date")


def _number(source: Any, _field: ContractField, _formats: Sequence[str], _typing: Typing) -> _Typed:
    return _Typed(*_numbers(source), "bad_number")


def _whole(source: Any, _field: ContractField, _formats: Sequence[str], _typing: Typing) -> _Typed:
    values, bad = _numbers(source)
    numbers = values.to_numpy(zero_copy_only=False)
    fits = (numbers == np.round(numbers)) & (np.abs(np.nan_to_num(numbers)) < 2**53)
    split = ~np.isnan(numbers) & ~fits
    bad = split if bad is None else bad.to_numpy(zero_copy_only=False) | split
    whole = pd.array(np.where(fits, np.nan_to_num(numbers), 0).astype("int64"), dtype="Int64")
    whole[~fits] = pd.NA
    return _Typed(pd.Series(whole), pa.array(bad), "bad_number")


def _numbers(source: Any) -> tuple[Any, Any]:
    try:
        pc.cast(source.slice(0, 1000), pa.float64())  # a cast of a whole column that fails costs a second
        values = pc.cast(source, pa.float64())
    except pa.ArrowInvalid:
        return _by_distinct(source, amount, pa.float64())
    finite = pc.fill_null(pc.is_finite(values), True)
    return (values, None) if pc.all(finite).as_py() else _by_distinct(source, amount, pa.float64())


def amount(text: str) -> float | None:
    """A number as people write it: ``128,800``, ``12.88万``, ``¥128800``, ``128800元``; None when it is none."""
    plain = _plain(text).replace("，", ",")
    match = _NUMBER.fullmatch(_CURRENCY.sub("", _CURRENCY.sub("", plain)))
    if match is None or not (match[2] or match[3]):
        return None
    value = float(f"{match[1]}{(match[2] or '0').replace(',', '')}{match[3] or ''}e{match[4] or 0}")
    value = round(value * _UNITS[match[5]], 6) if match[5] else value
    return value if np.isfinite(value) else None


def _phone(source: Any, _field: ContractField, _formats: Sequence[str], typing: Typing) -> _Typed:
    return _Typed(*parse_phones(source, typing.phone_region), rule="malformed_phone")


_TYPERS: Mapping[str, Callable[[Any, ContractField, Sequence[str], Typing], _Typed]] = {
    **dict.fromkeys(TIME_KINDS, _time),
    "int": _whole,
    "money": _number,
    "score": _number,
    "bool": _bool,
    "phone": _phone,
    "reason": _code,
    "reason_list": _codes,
}
