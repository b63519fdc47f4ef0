"""Cohorts by month of creation: what became of them so far, what is still to come, and how they mature with age."""

from __future__ import annotations

from collections.abc import Sequence

from reports.analysis_figures import Age, Cohort
from reports.analysis_words import AnalysisWords
from reports.charts.plots import MOST_X, grid, percent_ticks, top_of
from reports.charts.shapes import Legend, Mark, Plot, broken_line, line


def cohorts(found: Sequence[Cohort], words: AnalysisWords) -> Plot:
    """The share won of each month's leads: what was won so far, and where it will end with its 90 % interval.

    Mature months are a solid line, those still moving a dashed one.
    """
    f = words.f
    top = top_of([value for one in found for value in (one.share, one.projected, one.hi90)])
    step = 100 / max(len(found) - 1, 1)
    xs = [number * step for number in range(len(found))]

    def y(value: float | None) -> float | None:
        return None if value is None else 100 - 100 * value / top

    edge = max((number for number, one in enumerate(found) if one.mature), default=-1)
    settled = [(x, y(one.projected) if one.mature else None) for x, one in zip(xs, found, strict=True)]
    moving = [
        (x, y(one.projected) if not one.mature or number == edge else None)
        for number, (x, one) in enumerate(zip(xs, found, strict=True))
    ]
    marks: list[Mark] = grid(top)
    open_ends = [(x, one.lo90, one.hi90) for x, one in zip(xs, found, strict=True) if not one.mature]
    for x, low, high in open_ends:
        if low is not None and high is not None:
            marks.append(line("interval", [(x, 100 - 100 * low / top), (x, 100 - 100 * high / top)]))
    marks += broken_line("peer", [(x, y(one.share)) for x, one in zip(xs, found, strict=True)])
    marks += broken_line("last", moving) if open_ends else []
    marks += broken_line("own", settled)
    rows = tuple(
        (
            f.month(one.name),
            f.number(one.leads),
            f.percent(one.share),
            f.percent(one.completeness, 0),
            f.percent(one.projected),
            words.span(one.lo90, one.hi90) if one.lo90 is not None else "–",
            words.page("maturity.mature" if one.mature else "maturity.moving"),
        )
        for one in found
    )
    places = sorted({round(place * (len(found) - 1) / (MOST_X - 1)) for place in range(MOST_X)})
    last = found[-1]
    return Plot(
        title=words.page("cohorts.chart"),
        says=words.page(
            "cohorts.says",
            month=f.month(last.name),
            share=f.percent(last.share),
            complete=f.percent(last.completeness, 0),
            projected=f.percent(last.projected),
        ),
        marks=tuple(marks),
        x_ticks=tuple((xs[place], found[place].name) for place in places),
        y_ticks=percent_ticks(top, words),
        x_name=words.page("axis.created"),
        y_name=words.page("axis.won"),
        head=tuple(
            words.page(f"head.cohorts.{name}")
            for name in ("month", "leads", "share", "complete", "projected", "interval", "state")
        ),
        rows=rows,
        legend=(
            Legend("own", words.page("cohorts.settled")),
            Legend("last", words.page("cohorts.moving")),
            Legend("interval", words.page("legend.share_interval")),
            Legend("peer", words.page("cohorts.so_far")),
        ),
        table_title=words.page("table.numbers"),
    )


def maturity(ages: Sequence[Age], words: AnalysisWords) -> Plot:
    """The share of leads won by their age; where it is as good as final the line is solid, before that dashed."""
    f = words.f
    top, last = top_of([one.share for one in ages]), max(one.months for one in ages)
    place = {one.months: 100 * one.months / max(last, 1) for one in ages}
    points = [(place[one.months], None if one.share is None else 100 - 100 * one.share / top) for one in ages]
    first = next((number for number, one in enumerate(ages) if one.mature), len(ages))
    marks: list[Mark] = grid(top)
    marks += broken_line("last", points[: first + 1]) if first else []
    marks += broken_line("own", points[first:])
    rows = tuple(
        (
            f.number(one.months),
            f.number(one.cases),
            f.percent(one.share),
            words.page("maturity.mature" if one.mature else "maturity.moving"),
        )
        for one in ages
    )
    final = next((one for one in ages if one.mature and one.share is not None), None)
    says = words.page("maturity.none")
    if final is not None:
        says = words.page("maturity.says", age=final.months, share=f.percent(final.share))
    ticks = sorted({round(number * last / (MOST_X - 1)) for number in range(MOST_X)})
    return Plot(
        title=words.page("maturity.chart"),
        says=says,
        marks=tuple(marks),
        x_ticks=tuple((100 * tick / max(last, 1), f.number(tick)) for tick in ticks),
        y_ticks=percent_ticks(top, words),
        x_name=words.page("axis.age"),
        y_name=words.page("axis.won"),
        head=tuple(words.page(f"head.maturity.{name}") for name in ("age", "cases", "share", "state")),
        rows=rows,
        legend=(
            Legend("own", words.page("maturity.mature")),
            Legend("last", words.page("maturity.moving")),
        ),
        table_title=words.page("table.numbers"),
    )
