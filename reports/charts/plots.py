"""Charts with two axes: the trend with its season, the funnel plot of dealers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.analysis_figures import FunnelPlot, Month
from reports.analysis_words import AnalysisWords
from reports.charts.shapes import Legend, Mark, Plot, area, broken_line, dot, line, round_steps

_CURVE = 40  # points of a limit line
MOST_X = 4  # ticks under a plot, so that they do not touch on a phone


def trend(months: Sequence[Month], own: str, other: str, words: AnalysisWords) -> Plot:
    """Close rate by month with its interval, beside ``other``, and the same months a year before."""
    f = words.f
    rates = [(one.own.rate, one.other.rate, one.last_year.rate, one.hi90) for one in months]
    top = top_of([value for row in rates for value in row])
    step = 100 / max(len(months) - 1, 1)
    xs = [number * step for number in range(len(months))]

    def ys(values: Sequence[float | None]) -> list[tuple[float, float | None]]:
        return [(x, None if value is None else 100 - 100 * value / top) for x, value in zip(xs, values, strict=True)]

    band = [
        (x, 100 - 100 * one.lo90 / top, 100 - 100 * one.hi90 / top)
        for x, one in zip(xs, months, strict=True)
        if one.lo90 is not None and one.hi90 is not None
    ]
    marks: list[Mark] = grid(top)
    if len(band) == len(months) > 1:
        marks.append(area("band", [(x, high) for x, _, high in band], [(x, low) for x, low, _ in band]))
    marks += broken_line("last", ys([row[2] for row in rates]))
    marks += broken_line("peer", ys([row[1] for row in rates]))
    marks += broken_line("own", ys([row[0] for row in rates]))
    legend = [Legend("own", own)]
    if any(one.other.of for one in months):
        legend.append(Legend("peer", other))
    if any(one.last_year.of for one in months):
        legend.append(Legend("last", words.page("legend.last_year")))
    if len(band) == len(months) > 1:
        legend.append(Legend("band", words.page("legend.band")))
    rows = tuple(
        (
            f.month(one.name),
            words.cases(one.own),
            f.percent(one.own.rate),
            f.percent(one.other.rate),
            f.percent(one.last_year.rate),
        )
        for one in months
    )
    places = sorted({round(place * (len(months) - 1) / (MOST_X - 1)) for place in range(MOST_X)})
    first, last = months[0], months[-1]
    return Plot(
        title=words.page("trend.chart"),
        says=words.page(
            "trend.says",
            own=own,
            first=f.month(first.name),
            before=f.percent(first.own.rate),
            last=f.month(last.name),
            now=f.percent(last.own.rate),
            other=f.percent(last.other.rate),
            last_year=f.percent(last.last_year.rate),
        ),
        marks=tuple(marks),
        x_ticks=tuple((xs[place], months[place].name) for place in places),
        y_ticks=percent_ticks(top, words),
        x_name=words.page("axis.month"),
        y_name=words.page("axis.close_rate"),
        head=(
            words.page("axis.month"),
            words.page("head.trend.counts"),
            own,
            other,
            words.page("legend.last_year"),
        ),
        rows=rows,
        legend=tuple(legend),
        table_title=words.page("table.numbers"),
    )


def funnel_plot(plot: FunnelPlot, here: str, words: AnalysisWords) -> Plot:
    """Every dealer by its number of cases, its own mix taken out, and the limits that widen where cases are few.

    A dealer is drawn outside the limits if and only if the comparison put it there. ``here``: what the strong dots are.
    """
    f = words.f
    most = max(point.cases for point in plot.points) * 1.05
    fewest = min(point.cases for point in plot.points)
    reach = plot.limit * plot.sd(max(fewest * 0.8, 1))
    values = [plot.place(point) for point in plot.points]
    low, high = max(0.0, min([plot.rate - reach, *values])), min(1.0, max([plot.rate + reach, *values]))
    room = 0.06 * (high - low)
    low, high = max(0.0, low - room), high + room

    def x(cases: float) -> float:
        return 100 * cases / most

    def y(rate: float) -> float:
        return 100 - 100 * (rate - low) / (high - low)

    cases = [max(fewest * 0.8, 1) * (most / max(fewest * 0.8, 1)) ** (number / _CURVE) for number in range(_CURVE + 1)]
    curves = [
        [(x(n), y(min(high, max(low, plot.rate + side * plot.limit * plot.sd(n))))) for n in cases] for side in (1, -1)
    ]
    marks = [
        area("inside", *curves),
        *(line("limit", curve) for curve in curves),
        line("center", [(0, y(plot.rate)), (100, y(plot.rate))]),
    ]
    drawn = sorted(plot.points, key=lambda point: (point.here, point.outside))
    marks += [dot(_dot_kind(point.here, point.outside), x(point.cases), y(plot.place(point))) for point in drawn]
    outside = [point for point in plot.points if point.outside and point.here]
    own = [point for point in plot.points if point.here]
    rows = tuple(
        (
            point.name,
            f.number(point.cases),
            f.percent(point.value),
            f.percent(point.expected),
            f.percent(plot.place(point)),
            words.page(f"place.{'below' if point.z < 0 else 'above'}" if point.outside else "place.inside"),
        )
        for point in sorted(own, key=lambda point: (point.z, point.dealer_id))
    )
    legend = [
        Legend("dot-in", words.page("legend.inside", what=here)),
        Legend("dot-out", words.page("legend.outside", what=here)),
    ]
    if len(own) < len(plot.points):
        legend.append(Legend("dot-other", words.page("legend.other_dealers")))
    legend.append(Legend("limit", words.page("legend.limit")))
    legend.append(Legend("center", words.page("legend.center", rate=f.percent(plot.rate))))
    return Plot(
        title=words.page("place.chart"),
        says=words.page("place.says", dealers=len(own), outside=len(outside), rate=f.percent(plot.rate)),
        marks=tuple(marks),
        x_ticks=tuple((x(value), f.number(value)) for value in round_steps(most)),
        y_ticks=_ticks_between(low, high, words),
        x_name=words.page("axis.cases"),
        y_name=words.page("axis.own_mix"),
        head=tuple(
            words.page(f"head.place.{name}") for name in ("dealer", "cases", "value", "expected", "drawn", "place")
        ),
        rows=rows,
        legend=tuple(legend),
        table_title=words.page("table.dealers", count=len(own)),
    )


def _dot_kind(here: bool, outside: bool) -> str:
    if not here:
        return "dot other"
    return "dot outside" if outside else "dot inside-dot"


def top_of(values: Sequence[float | None]) -> float:
    """The upper end of an axis from 0 on which all ``values`` have room."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return max([0.01, *known]) * 1.1


def grid(top: float) -> list[Mark]:
    """The grid lines of such an axis, at its round figures."""
    return [line("grid", [(0, 100 - 100 * value / top), (100, 100 - 100 * value / top)]) for value in round_steps(top)]


def percent_ticks(top: float, words: AnalysisWords) -> tuple[tuple[float, str], ...]:
    """The ticks of such an axis."""
    ticks = round_steps(top)
    digits = 0 if all(abs(100 * value - round(100 * value)) < 1e-9 for value in ticks) else 1
    return tuple((100 * value / top, words.f.percent(value, digits)) for value in ticks)


def _ticks_between(low: float, high: float, words: AnalysisWords) -> tuple[tuple[float, str], ...]:
    """Round shares between two that an axis reaches from and to."""
    step = next(one for one in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if (high - low) / one <= 6)
    ticks = [step * number for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    digits = 0 if step >= 0.01 else 1
    return tuple((100 * (value - low) / (high - low), words.f.percent(value, digits)) for value in ticks)
