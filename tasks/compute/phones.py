"""Phone numbers to E.164: Chinese mobiles by whole columns, phonenumbers only for the distinct rest."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

_FULL_WIDTH = {chr(ord("0") + digit): chr(ord("０") + digit) for digit in range(10)} | {"+": "＋", "-": "－"}
_CHINESE_MOBILE = r"^1[3-9]\d{9}$"
_SEPARATORS = r"[\s\p{Z}\p{Cf}\-‐-―()（）.·]+"
_CHINESE_PREFIX = r"^(?:\+|00)?86(1[3-9]\d{9})$"
_AS_A_FLOAT = (r"^(\d)\.(\d{10})[Ee]\+?10$", r"^(\d)\.(\d{12})[Ee]\+?12$")  # 1.3800000001E+10: no digit lost
_SPREADSHEET_TAIL = r"^'?(\+?\d+)(?:\.0+)?'?$"  # text mark, or a number that went through a float


def parse_phones(values: Any, region: str) -> tuple[Any, Any]:
    """E.164 numbers of an Arrow array of texts.

    Returns (array of ``+8613...``, missing where malformed; boolean array of values that are there but malformed).
    A number without country prefix belongs to ``region`` (ISO 3166 code). Landlines are numbers too.
    """
    if region == "CN":
        plain = pc.fill_null(pc.match_substring_regex(values, _CHINESE_MOBILE), False)
        if plain.true_count + values.null_count == len(values):
            return pc.binary_join_element_wise("+86", values, ""), pa.repeat(pa.scalar(False), len(values))
    encoded = values.dictionary_encode()
    numbers = _parse_distinct(encoded.dictionary, region)
    bad = pc.is_null(numbers)
    return numbers.take(encoded.indices), pc.fill_null(bad.take(encoded.indices), False)


def _parse_distinct(distinct: Any, region: str) -> Any:
    bare = distinct
    for digit, wide in _FULL_WIDTH.items():
        bare = pc.replace_substring(bare, wide, digit)
    bare = pc.replace_substring_regex(bare, _SPREADSHEET_TAIL, r"\1")
    for form in _AS_A_FLOAT:
        bare = pc.replace_substring_regex(bare, form, r"\1\2")
    bare = pc.replace_substring_regex(bare, _SEPARATORS, "")
    numbers = pa.nulls(len(bare), pa.string())
    if region == "CN":
        mobile = pc.replace_substring_regex(bare, _CHINESE_PREFIX, r"\1")
        fits = pc.match_substring_regex(mobile, _CHINESE_MOBILE)
        numbers = pc.if_else(fits, pc.binary_join_element_wise("+86", mobile, ""), None)
    rest = pc.is_null(numbers)
    others = [_international(text, region) for text in distinct.filter(rest).to_pylist()]
    return pc.replace_with_mask(pc.cast(numbers, pa.string()), rest, pa.array(others, pa.string()))


@lru_cache(maxsize=65_536)
def _international(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
