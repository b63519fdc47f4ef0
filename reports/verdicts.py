"""What verification found of a measure, in sentences: verdict, doubts, execution, why a measure comes first."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from models.catalogue.doubts import doubts
from models.catalogue.indicators import indicators
from models.messages import DEFAULT_LOCALE, text


def sentence(effect: Mapping[str, object], locale: str = DEFAULT_LOCALE) -> str:
    """The verdict of one row of ``verify`` with its figures; the effect shown is the shrunk one."""
    return text(
        str(effect["reason_key"]),
        locale,
        effect=_points(effect.get("shrunk_points")).lstrip("−"),  # the sentence says better or worse
        lo=_points(effect.get("lo90"), signed=True),
        hi=_points(effect.get("hi90"), signed=True),
        target=_points(effect.get("target_points")),
        months=_count(effect.get("months")),
        cases=_count(effect.get("denominator")),
        needed=_count(effect.get("months_needed")),
        untreated=_count(effect.get("untreated")),
        minimum=doubts().untreated.dealers,
    )


def notes(effect: Mapping[str, object], locale: str = DEFAULT_LOCALE) -> list[str]:
    """What weakens the comparison, one sentence each."""
    figures = {name: _count(effect.get(name)) for name in ("revised_months", "revised_cases")}
    return [text(key, locale, **figures) for key in str(effect.get("notes") or "").split(";") if key]


def execution(effect: Mapping[str, object], locale: str = DEFAULT_LOCALE) -> list[str]:
    """Which source says what about whether the measure was carried out, one sentence each."""
    known = indicators().indicators.get(str(effect.get("process_indicator")))
    figures = {
        "indicator": known.label.text(locale) if known else "",
        "points": _points(effect.get("process_points"), signed=True),
        "lo": _points(effect.get("process_lo90"), signed=True),
        "hi": _points(effect.get("process_hi90"), signed=True),
        "least": _points(effect.get("process_least")),
    }
    return [text(key, locale, **figures) for key in str(effect.get("execution_because") or "").split(";") if key]


def because(row: Mapping[str, object], locale: str = DEFAULT_LOCALE) -> str:
    """Why a measure is proposed first, in one sentence; ``row`` is one of ``measures``. Empty where it is not first."""
    key = str(row.get("because") or "")
    if not key:
        return ""
    return text(
        key,
        locale,
        dealers=_count(row["pooled"]),
        effect=_points(row["shrunk_points"], signed=True),
        lo90=_points(row["shrunk_lo90"], signed=True),
        hi90=_points(row["shrunk_hi90"], signed=True),
        chance=_count(round(100 * float(row["best_chance"]))),  # type: ignore[arg-type]
    )


def practice_sentence(note: Mapping[str, object], dealer_name: str = "", locale: str = DEFAULT_LOCALE) -> str:
    """Where a measure worked, by ``practice_note``; ``dealer_name`` is said only where the dealer consented.

    Empty for an empty note.
    """
    if not note:
        return ""
    figures = {"dealers": note["dealers"], "effect": _points(note["effect"])}
    if note["dealer_id"]:
        return text("learning.practice.named", locale, dealer=dealer_name or note["dealer_id"], **figures)
    return text("learning.practice.unnamed", locale, **figures)


def _points(value: object, *, signed: bool = False) -> str:
    if _absent(value):
        return "–"
    shown = f"{float(value):+.1f}" if signed else f"{float(value):.1f}"  # type: ignore[arg-type]
    return shown.replace("+0.0", "0.0").replace("-0.0", "0.0").replace("-", "−")


def _count(value: object) -> str:
    return "–" if _absent(value) else f"{int(value):,}"  # type: ignore[call-overload]


def _absent(value: object) -> bool:
    return value is None or bool(pd.isna(value))  # type: ignore[call-overload]
