"""What was found of a measure, in one sentence a sales manager understands."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from models.catalogue.indicators import indicators
from models.messages import DEFAULT_LOCALE, text
from tasks.compute.judgement.posterior import Options


def sentence(effect: Mapping[str, object], locale: str = DEFAULT_LOCALE, options: Options | None = None) -> str:
    """The verdict of one row of ``verify`` with its figures; the effect shown is the shrunk one."""
    minimum = (options or Options()).minimum_untreated
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
        minimum=minimum,
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


def _points(value: object, *, signed: bool = False) -> str:
    if _absent(value):
        return "–"
    shown = f"{float(value):+.1f}" if signed else f"{float(value):.1f}"  # type: ignore[arg-type]
    return shown.replace("+0.0", "0.0").replace("-0.0", "0.0").replace("-", "−")


def _count(value: object) -> str:
    return "–" if _absent(value) else f"{int(value):,}"  # type: ignore[call-overload]


def _absent(value: object) -> bool:
    return value is None or bool(pd.isna(value))  # type: ignore[call-overload]
