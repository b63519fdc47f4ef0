"""What a column looks like: the evidence its values give about which field of the contract it may fill."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from rapidfuzz import fuzz

from models.catalogue.contract import TIME_KINDS, ContractField, contract
from models.catalogue.reasons import catalogue, find_code
from tasks.compute.mapping.rows import loose, numbers, squeezed

SAMPLE = 20_000  # rows looked at
CLOSED = 40  # distinct values a status or reason column may have

YEAR_FIRST = re.compile(r"(19|20)\d{2}[-/.年]?\d{1,2}[-/.月]?\d{1,2}日?([ T]\d{1,2}:\d{2}.*)?")
_PHONE = re.compile(
    r"(\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}|\+\d[\d ()./-]{7,16}\d|\(?\d{2,5}[)/ -] ?\d[\d -]{5,11}\d"
)
_DIGITS = re.compile(r"\d{8,13}")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_DATES = (
    "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%d-%b-%Y", "%d-%b-%y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y",
)  # fmt: skip
FORMATS = tuple(date + time for date in _DATES for time in _TIMES)

# What people write for a lead's state, beside the contract's own words; looked for inside the value.
STATE_WORDS = {
    "open": ("open", "new", "progress", "engag", "prospect", "pending", "contacted", "qualified", "follow", "hot",
             "warm", "cold", "callback", "ringing", "跟进", "在跟", "潜", "未成交", "意向", "新建", "待"),
    "defeated": ("lost", "lose", "defeat", "dead", "unqualified", "not interested", "refus", "reject", "declin",
                 "cancel", "closed lost", "junk", "invalid", "verloren", "perdu", "perdid", "战败", "流失", "失败",
                 "放弃", "无效", "未购"),
    "won": ("won", "win", "sold", "success", "convert", "deliver", "order", "booked", "purchas", "gewonnen", "gagn",
            "ganad", "成交", "成功", "订单", "下订", "交车", "已购", "赢单"),
}  # fmt: skip
_YES_NO = {"1": "won", "yes": "won", "y": "won", "true": "won", "是": "won"} | {
    "0": "defeated", "no": "defeated", "n": "defeated", "false": "defeated", "否": "defeated"
}  # fmt: skip


# Words in a header that hint at a field its labels and synonyms do not name; believed only where the values agree.
HINTS = {
    "lead_id": ("id", "number", "编号", "序号", "case", "record"),
    "dealer_id": ("branch", "store", "shop", "outlet", "office", "showroom", "manager", "location", "dealership",
                  "门店", "网点", "支行", "分公司", "专营店", "品牌", "机构", "senior", "snr"),
    "consultant_id": ("owner", "rep", "agent", "assigned to", "advisor", "employee", "staff", "executive", "junior",
                      "jnr", "员工", "业务员", "客户经理", "专员"),
    "status": ("outcome", "result", "converted", "conversion", "subscribed", "deposit", "response", "purchased",
               "bought", "closed", "结果", "购买", "成交", "进展"),
    "series": ("product", "item", "course", "category", "vehicle", "car", "plan", "产品", "品牌", "意向"),
    "source": ("channel", "medium", "campaign", "origin", "referrer", "渠道", "来源"),
    "created_at": ("date", "timestamp", "created", "enquiry", "inquiry", "registered", "日期", "时间"),
    "contact_count": ("attempts", "calls", "contacts", "touches", "次数"),
    "name": ("dealership", "store", "门店", "经销商", "网点"),
    "region_id": ("region", "area", "territory", "zone", "大区", "片区", "战区"),
    "ordered_at": ("closed", "close", "sold", "won", "purchase", "成交", "下订", "结案"),
    "defeated_at": ("lost", "closed", "close", "战败", "流失", "结案"),
    "test_drive_at": ("test drive", "demo", "试驾"),
    "visited_at": ("visit", "到店", "进店"),
    "reason_code": ("reason", "why", "原因"),
}  # fmt: skip
_TARGETS = ("y", "target", "label", "status")  # how the outcome is called in tables made for prediction
_CODED = ("id", "code", "no", "编码", "编号", "代码", "工号")
_HINTED = 0.64


@dataclass(frozen=True)
class Profile:
    """The evidence of one column; shares are of the cells that are filled, 0-1."""

    name: str
    filled: float
    distinct: int
    unique: bool
    phone: float  # surely phone numbers
    digits: float  # as long as phone numbers, but perhaps ids
    time: float
    number: float
    integer: float
    formats: tuple[str, ...]
    ambiguous: bool  # day-first and month-first would both fit
    values: tuple[str, ...]  # the most frequent distinct values, at most CLOSED


def profile(name: str, column: pd.Series) -> Profile:
    """The profile of a column of clean text (blanks missing)."""
    filled = column.head(SAMPLE).dropna()
    counts = filled.value_counts()
    sample = pd.Series(counts.index[:1000], dtype="str")
    weights = counts.head(1000).reset_index(drop=True)
    figure = numbers(sample)
    formats, time, ambiguous = _times(sample, weights)
    phones = sample.str.fullmatch(_PHONE) & (sample.str.count(r"\d") >= 8)
    whole = figure.notna() & (figure % 1 == 0)
    return Profile(
        name=name,
        filled=len(filled) / max(1, min(SAMPLE, len(column))),
        distinct=len(counts),
        unique=len(filled) > 1 and len(counts) == len(filled) and len(filled) == min(SAMPLE, len(column)),
        phone=_share(phones & (time < 0.5), weights),
        digits=_share(sample.str.fullmatch(_DIGITS), weights),
        time=time,
        number=_share(figure.notna(), weights),
        integer=_share(whole, weights),
        formats=formats,
        ambiguous=ambiguous,
        values=tuple(str(value) for value in counts.index[:CLOSED]),
    )


def _share(mask: pd.Series, weights: pd.Series) -> float:
    total = float(weights.sum())
    return float(weights[mask.to_numpy(dtype=bool)].sum()) / total if total else 0.0


def _times(sample: pd.Series, weights: pd.Series) -> tuple[tuple[str, ...], float, bool]:
    """The fewest formats that read the values (year-first needs none), the share read, whether another order fits."""
    read = sample.str.fullmatch(YEAR_FIRST).fillna(False).to_numpy(dtype=bool).copy()
    chosen: list[str] = []
    ambiguous = False
    if sample.empty or not bool(sample.str.contains(r"\d[/.\- ,:]|\d{8}", regex=True).any()):
        return (), 0.0, False
    while not read.all() and len(chosen) < 3:
        rest = sample[~read]
        fits = {form: _parses(rest, form) for form in FORMATS}
        best = max(fits, key=lambda form: _share(fits[form], weights[~read]))
        share = _share(fits[best], weights[~read])
        if not share:
            break
        ambiguous |= any(form != best and (fits[form] >= fits[best]).all() for form in fits)
        chosen.append(best)
        read[~read] = fits[best].to_numpy(dtype=bool)
    return tuple(chosen), _share(pd.Series(read), weights), ambiguous


def _parses(texts: pd.Series, form: str) -> pd.Series:
    return pd.to_datetime(texts, format=form, errors="coerce").notna()


def header_likeness(header: str, field: ContractField) -> float:
    """How much a header reads like a field's name, labels or synonyms: 0 to 1."""
    wanted, words = squeezed(header).replace("日期", "时间"), set(_words(header).split())
    best = 0.0
    for spelling in (field.name, field.label.zh_CN, field.label.en, *field.synonyms):
        known = squeezed(spelling)
        if wanted == known:
            return 1.0
        ratio = fuzz.ratio(wanted, known) / 100
        best = max(best, ratio if ratio >= 0.78 else 0.6 * ratio)
        if set(_words(spelling).split()) <= words:
            best = max(best, 0.85 if len(known) > 3 else 0.7)
        elif len(known) >= (4 if known.isascii() else 2) and known in wanted:
            best = max(best, 0.8)
    return best


def _words(text: str) -> str:
    return re.sub(r"[\W_]+|(?<=[a-z])(?=[A-Z])", " ", text).casefold().replace("日期", "时间").strip()


def likeness(column: Profile, field: ContractField) -> float:
    """How likely the column fills the field, from header and values together: 0 to 1."""
    header = max(header_likeness(column.name, field), _hinted(column, field))
    if field.kind == "phone" or column.phone > 0.8:
        certain = 0.75 * column.phone * (column.phone > 0.8)
        return max(header * (0.4 + 0.6 * max(column.phone, column.digits)), certain) if field.kind == "phone" else 0.0
    if field.kind in TIME_KINDS:
        return header * column.time if column.time >= 0.5 else 0.3 * header * (column.distinct == 0)
    if column.time > 0.9:
        return 0.3 * header * (field.kind in ("text", "free_text"))
    if field.kind in ("int", "money", "score"):
        return header * (column.number if column.number >= 0.5 else 0.2 * (column.distinct == 0))
    if field.kind in contract().words or field.kind == "reason":
        return _closed_likeness(column, field, header)
    return header * (0.7 if field.required and field.name.endswith("_id") and column.filled < 0.9 else 1.0)


def _closed_likeness(column: Profile, field: ContractField, header: float) -> float:
    known = known_share(column, field.kind)
    by_values = 0.8 * known if known > 0.5 and column.distinct > 1 else 0.0
    return (1.0 if column.distinct <= CLOSED else 0.4) * max(header * (0.8 + 0.2 * known), by_values)


def _hinted(column: Profile, field: ContractField) -> float:
    """The likeness a hint in the header gives, where the values are of the kind the field needs."""
    if field.kind == "status":
        return _state_likeness(column)
    told = _words(column.name)
    words = told.split()
    hints = HINTS.get(field.name, ())
    if not any(hint in words or ((" " in hint or not hint.isascii()) and hint in told) for hint in hints):
        return 0.0
    suits = {
        "lead_id": column.unique,
        "dealer_id": 1 < column.distinct <= 500 and not column.unique,
        "consultant_id": column.distinct > 1 and not column.unique,
        "series": column.distinct <= 200 and not column.unique,
        "source": column.distinct <= 100,
    }
    coded = field.name.endswith("_id") and any(word in told for word in _CODED)
    return (_HINTED + 0.05 * coded) if suits.get(field.name, True) else 0.0


def _state_likeness(column: Profile) -> float:
    """How likely a column says what became of a lead: by its own words, or yes and no under a telling header."""
    if not state_like(column.values):
        return 0.0
    told = _words(column.name)
    if any(hint in told for hint in HINTS["status"]) or told in _TARGETS:
        return 0.95
    return 0.0 if {loose(one) for one in column.values} <= set(_YES_NO) else 0.75


def state_like(values: Sequence[str]) -> bool:
    """Whether these are all values of a column that says won or lost."""
    return 2 <= len(values) < CLOSED and {"won", "defeated"} <= {
        guess_code(value, "status", values) for value in values
    }


def known_share(column: Profile, kind: str) -> float:
    """The share of a column's distinct values a closed set (or the reason standard) knows by itself."""
    if not column.values:
        return 0.0
    return sum(code_of(value, kind) is not None for value in column.values) / len(column.values)


def code_of(value: str, kind: str) -> str | None:
    """The code a value certainly means: itself, or a spelling the contract or the reason standard lists."""
    if kind == "reason":
        return find_code(value)
    for code, spellings in contract().words.get(kind, {}).items():
        if loose(value) in {loose(text) for text in (code, *spellings)}:
            return code
    return None


def guess_code(value: str, kind: str, values: Sequence[str] = ()) -> str | None:
    """The code a value probably means; ``values`` are all values of its column (a yes-no column says won or not)."""
    certain = code_of(value, kind)
    if certain is not None:
        return certain
    text = loose(value)
    if kind == "reason":
        return _by_keyword(text, {code: reason.keywords for code, reason in catalogue().items()})
    if kind == "status":
        if {loose(one) for one in values} <= set(_YES_NO):
            return _YES_NO.get(text)
        return _by_keyword(text, STATE_WORDS)
    if kind in contract().words:
        return _by_keyword(text, contract().words[kind])
    return None


def _by_keyword(text: str, keywords: Mapping[str, Sequence[str]]) -> str | None:
    """The code whose longest keyword stands in the text."""
    hits = [(len(word), code) for code, words in keywords.items() for word in words if loose(word) in text]
    return max(hits)[1] if hits else None


def contained(inner: pd.Series, outer: Iterable[str]) -> float:
    """The share of the distinct values of ``inner`` that stand among ``outer``."""
    values = set(inner.dropna().unique())
    return len(values & set(outer)) / len(values) if values else 0.0
