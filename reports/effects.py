"""Verdicts on measures in one sentence a sales manager understands."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from models.messages import text
from reports.figures import EarlierMeasure
from reports.words import Words

MINIMUM_UNTREATED = 15  # tasks.compute.judgement.posterior.Options.minimum_untreated


def effect_sentence(effect: Mapping[str, object], earlier: EarlierMeasure | None, words: Words) -> str:
    """What verification found of one measure: its title, cycle and verdict, and the sentence of ``reason_key``.

    ``effect`` is a row of ``tasks.compute.judgement.verify`` with ``measure`` passed through.
    """
    f = words.f

    def figure(name: str, *, signed: bool = True) -> str:
        value = effect[name]
        return f.missing if pd.isna(value) else f.number(float(value), 1, signed=signed)  # type: ignore[arg-type,call-overload]

    def count(name: str) -> str:
        value = effect[name]
        return f.missing if pd.isna(value) else f.number(int(value))  # type: ignore[arg-type,call-overload]

    sentence = text(
        str(effect["reason_key"]),
        words.locale,
        effect=figure("effect_points", signed=False).lstrip("-"),
        lo=figure("lo90"),
        hi=figure("hi90"),
        target=figure("target_points", signed=False),
        months=count("months"),
        cases=count("denominator"),
        needed=count("months_needed"),
        untreated=count("untreated"),
        minimum=MINIMUM_UNTREATED,
    )
    title = words.measure(str(effect["measure"]), earlier.own_text if earlier else str(effect["measure_id"]))
    cycle = earlier.cycle if earlier else str(effect["plan_id"])[:7]
    return text("effects.line", words.locale, measure=title, cycle=f.month(cycle), sentence=sentence)
