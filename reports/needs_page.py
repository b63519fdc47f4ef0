"""What customers need: defeated against won customers by attribute, for the nation, and what is sure per series."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from reports.analysis_figures import ProfileValue, ScopeFigures
from reports.analysis_page import AnalysisPage
from reports.analysis_sections import Section, Table
from reports.analysis_words import AnalysisWords
from reports.charts.rows import lift_kind, lifts

MOST_NAMED = 4
EXPORTS = ("profile",)


def needs_page(
    nation: ScopeFigures, series: Sequence[ScopeFigures], locale: str, around: Sequence[tuple[str, str]]
) -> AnalysisPage:
    """The page of customers' needs in ``locale``; ``nation`` and ``series`` with their profiles."""
    words = AnalysisWords(locale)
    f = words.f
    tested = [one for one in nation.profile if one.q_value is not None]
    sure = [one for one in tested if lift_kind(one) in ("costs", "gains")]
    month = nation.month
    return AnalysisPage(
        locale=locale,
        title=words.page("title.needs", cycle=f.month(nation.cycle)),
        meta=f.month(nation.cycle),
        headline=words.page(
            "needs.headline",
            cycle=f.month(nation.cycle),
            leads=f.number(month.own.of if month else None),
            tested=len(tested),
            count=len(sure),
        ),
        findings=tuple(
            _named(kind, key, sure, words)
            for kind, key in (("gains", "more"), ("costs", "fewer"))
            if any(lift_kind(one) == kind for one in sure)
        ),
        changes=(),
        changes_note="",
        warning="",
        tiles=(),
        sections=(*_attributes(nation, words), _series(series, words)),
        notes=(),
        basis=words.page("profile.note", cycle=f.month(nation.cycle)),
        commands=tuple(f"rematch export {what} --cycle {nation.cycle} --out {what}.csv" for what in EXPORTS),
        around=tuple(around),
    )


def _named(kind: str, key: str, sure: Sequence[ProfileValue], words: AnalysisWords) -> str:
    mine = sorted((one for one in sure if lift_kind(one) == kind), key=lambda one: (one.q_value or 0.0, -one.leads))
    names = [one.value for one in words.with_attribute(mine[:MOST_NAMED])]
    return words.page(f"needs.{key}", values=words.f.words(names))


def _attributes(nation: ScopeFigures, words: AnalysisWords) -> list[Section]:
    """A section per attribute, those with a sure difference first."""
    found = []
    sure = {f"by-{one.attribute}" for one in nation.profile if lift_kind(one) in ("costs", "gains")}
    for attribute, rows in groupby(nation.profile, key=lambda one: one.attribute):
        values, title = list(rows), words.attribute(attribute)
        if any(one.q_value is not None for one in values):
            found.append(Section(f"by-{attribute}", title, charts=(lifts(values, title, words),)))
        else:
            why = words.message(values[0].missing) if values[0].missing else ""
            found.append(Section(f"by-{attribute}", title, missing=words.page("needs.untested", why=why)))
    return sorted(found, key=lambda part: part.anchor not in sure)


def _series(series: Sequence[ScopeFigures], words: AnalysisWords) -> Section:
    f, rows = words.f, []
    for one in series:
        sure = [value for value in one.profile if lift_kind(value) in ("costs", "gains")]
        for value in words.with_attribute(sorted(sure, key=lambda value: value.q_value or 0.0)):
            interval = words.page("to", low=f.number(value.lo90, 2), high=f.number(value.hi90, 2))
            rows.append(
                (
                    one.name,
                    value.value,
                    f.number(value.leads),
                    f.percent(value.close_rate),
                    f.number(value.lift, 2),
                    interval,
                    words.page(f"profile.{lift_kind(value)}"),
                )
            )
    names = (
        "index.series",
        "head.profile.value",
        "index.leads",
        "head.profile.rate",
        "head.profile.lift",
        "head.profile.interval",
        "head.verdict",
    )
    table = Table(tuple(words.page(name) for name in names), tuple(rows), (2, 3, 4, 5))
    if not rows:
        return Section("series", words.page("needs.series"), missing=words.page("needs.series_none"))
    return Section("series", words.page("needs.series"), tables=(table,))
