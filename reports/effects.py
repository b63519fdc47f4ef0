"""Verdicts on measures in one sentence a sales manager understands."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from models.catalogue.playbook import playbook
from models.messages import text
from reports.formats import Formatter

MINIMUM_UNTREATED = 15  # tasks.compute.judgement.posterior.Options.minimum_untreated


def effect_sentence(effect: Mapping[str, object], locale: str) -> str:
    """What verification found of one measure: its title and the sentence of ``reason_key`` with its figures.

    ``effect`` is a row of ``tasks.compute.judgement.verify`` with ``measure`` passed through.
    """
    f = Formatter(locale)

    def figure(name: str) -> str:
        value = effect[name]
        return f.missing if pd.isna(value) else f"{float(value):+.1f}"  # type: ignore[arg-type,call-overload]

    def count(name: str) -> str:
        value = effect[name]
        return f.missing if pd.isna(value) else str(int(value))  # type: ignore[arg-type,call-overload]

    sentence = text(
        str(effect["reason_key"]),
        locale,
        effect=figure("effect_points").lstrip("+-"),
        lo=figure("lo90"),
        hi=figure("hi90"),
        target=figure("target_points").lstrip("+"),
        months=count("months"),
        cases=count("denominator"),
        needed=count("months_needed"),
        untreated=count("untreated"),
        minimum=MINIMUM_UNTREATED,
    )
    standard = playbook().measures.get(str(effect["measure"]))
    title = standard.title.text(locale) if standard else str(effect["measure_id"])
    return text("plan_page.effects.line", locale, measure=title, sentence=sentence)
