"""Charts of rows: the funnel, the gap as a waterfall, rankings with intervals, shares of a whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from reports.analysis_figures import Part, ProfileValue, ReasonShare
from reports.analysis_words import AnalysisWords
from reports.charts.shapes import ROW_HEIGHT, Cell, Legend, Mark, Row, RowChart, Scale, box, line, whisker
from reports.comparing import Standing, standing
from reports.figures import Comparison

CLOSE_RATE = "close_rate"
_TOP, _BOTTOM = 3.0, ROW_HEIGHT - 3.0


def _says(*parts: str, words: AnalysisWords) -> str:
    """An alternative text from the parts there are."""
    return words.f.words([part for part in parts if part])


def _zero(scale: Scale) -> Mark:
    return line("zero", [(scale.at(0), 0), (scale.at(0), ROW_HEIGHT)])


def funnel(leads: int, steps: Sequence[Comparison], beside: str, words: AnalysisWords) -> RowChart:
    """How many of ``leads`` came as far as each step, beside what ``beside`` would have on the same leads.

    ``steps``: each taken from those who took the one before, then the close rate, which is taken from all leads. Bars
    are shares of ``leads``; their lengths are the counts of the table.
    """
    f = words.f
    rows = [_funnel_row(words.page("funnel.closed"), leads, leads, None, (), words)]
    expected: float | None = 1.0
    for step in steps:
        if step.indicator == CLOSE_RATE:
            reached = step.expected
        else:
            expected = None if expected is None or step.expected is None else expected * step.expected
            reached = expected
        where = standing(step)
        cells = (
            f.percent(step.value),
            f.percent(step.expected) if where is not Standing.UNJUDGED else "–",
            _gap(step, words),
            words.page(f"standing.{where}"),
        )
        name = words.page(f"funnel.{step.indicator}")
        rows.append(_funnel_row(name, step.numerator, leads, reached, cells, words, where))
    compared = [step for step in steps if step.expected is not None]
    head = ("funnel.count", "funnel.rate", "funnel.beside", "difference", "verdict")
    return RowChart(
        title=words.page("funnel.title"),
        head=tuple(beside if name == "funnel.beside" else words.page(f"head.{name}") for name in head),
        rows=tuple(rows),
        legend=(Legend("own", words.page("legend.own")), *(Legend("peer", beside) for _ in compared[:1])),
        name_head=words.page("head.funnel.step"),
    )


def _funnel_row(
    name: str,
    count: int,
    leads: int,
    reached: float | None,
    cells: tuple[str, ...],
    words: AnalysisWords,
    where: Standing = Standing.UNJUDGED,
) -> Row:
    worse = where in (Standing.WORSE, Standing.LIKELY_WORSE)
    marks = [box("bar costs" if worse else "bar own", 0, 100 * count / leads if leads else 0, 1, 15)]
    if reached is not None:
        marks.append(box("bar peer", 0, 100 * reached, 17, 23))
    share = words.f.percent(count / leads if leads else None)
    says = words.page("funnel.says", name=name, count=words.f.number(count), share=share)
    kinds = ("n", "n", "gap", f"verdict {where}")
    heads = (words.page("head.funnel.rate"), words.page("head.beside"), "", "")
    rest = tuple(Cell(text, kind, head) for text, kind, head in zip(cells, kinds, heads, strict=False))
    first = Cell(words.f.number(count), "n", words.page("head.funnel.count"))
    padding = (Cell("", "gap"),) * (4 - len(rest))
    beside = words.page("funnel.says_beside", share=words.f.percent(reached)) if reached is not None else ""
    return Row(name, share, says + beside, tuple(marks), (first, *rest, *padding))


def _gap(one: Comparison, words: AnalysisWords) -> str:
    if standing(one) is Standing.UNJUDGED:
        return words.message(one.missing) if one.missing else "–"
    interval = words.f.interval(one.lo90, one.hi90)
    return words.page("with_interval", figure=words.f.points(one.gap_points), interval=interval)


def waterfall(parts: Sequence[Part], words: AnalysisWords) -> RowChart:
    """The gap as the sum of its parts: each bar begins where the one before ends, the last is the gap itself.

    ``parts``: the parts in their order, then the whole (kind ``gap``). Intervals stand around the end of each bar.
    """
    ends = [0.0]
    for part in parts[:-1]:
        ends.append(ends[-1] + part.points)
    spans = [*pairwise(ends), (0.0, parts[-1].points)]
    reach = [start + edge for part, (start, _) in zip(parts, spans, strict=True) for edge in _edges(part)]
    scale = Scale.over([*(end for span in spans for end in span), *reach])
    rows = []
    for place, (part, (start, end)) in enumerate(zip(parts, spans, strict=True)):
        marks = [_zero(scale), box(f"bar {part_kind(part)}", scale.at(start), scale.at(end), _TOP, _BOTTOM)]
        if place < len(parts) - 1:
            marks.append(line("joint", [(scale.at(end), _BOTTOM), (scale.at(end), ROW_HEIGHT)]))
        if 0 < place < len(parts) - 1:
            marks.append(line("joint", [(scale.at(start), 0), (scale.at(start), _TOP)]))
        if part.lo90 is not None and part.hi90 is not None:
            marks += whisker(scale.at(start + part.lo90), scale.at(start + part.hi90))
        rows.append(_part_row(part, tuple(marks), words))
    return RowChart(
        title=words.page("gap.chart"),
        head=tuple(words.page(f"head.{name}") for name in ("gap.points", "gap.deals", "verdict")),
        rows=tuple(rows),
        legend=_part_legend(parts, words),
        name_head=words.page("head.gap.part"),
    )


def drivers(parts: Sequence[Part], words: AnalysisWords) -> RowChart:
    """Parts side by side from one zero line, in the order given: what costs deals to the left."""
    scale = Scale.over([edge for part in parts for edge in (part.points, *_edges(part))])
    rows = []
    for part in parts:
        marks = [_zero(scale), box(f"bar {part_kind(part)}", scale.at(0), scale.at(part.points), _TOP, _BOTTOM)]
        if part.lo90 is not None and part.hi90 is not None:
            marks += whisker(scale.at(part.lo90), scale.at(part.hi90))
        rows.append(_part_row(part, tuple(marks), words))
    return RowChart(
        title=words.page("drivers.title"),
        head=tuple(words.page(f"head.{name}") for name in ("gap.points", "gap.deals", "verdict")),
        rows=tuple(rows),
        legend=_part_legend(parts, words),
        name_head=words.page("head.reason"),
    )


def part_kind(part: Part) -> str:
    """How sure a part is, and in which direction: costs, gains, chance, unjudged, or whole for the gap itself."""
    if part.kind == "gap":
        return "whole"
    if part.chance is None:
        return "unjudged"
    return "chance" if part.chance else "costs" if part.points < 0 else "gains"


def _certainty(part: Part) -> str:
    """The verdict on a part that is not put down to chance; a total that was not judged is only a total."""
    return "sum" if part.kind == "gap" and part.chance is None else part_kind(part)


def _edges(part: Part) -> tuple[float, ...]:
    return () if part.lo90 is None or part.hi90 is None else (part.lo90, part.hi90)


def _part_row(part: Part, marks: tuple[Mark, ...], words: AnalysisWords) -> Row:
    f = words.f
    points, deals = f.points(part.points), f.number(part.deals, 1, signed=True)
    interval = ""
    if part.lo90 is not None and part.hi90 is not None:
        interval = words.page("interval", interval=f.interval(part.lo90, part.hi90))
    verdict = words.page(f"part.{'chance' if part.chance else _certainty(part)}")
    says = _says(points, interval, words.page("part.deals", deals=deals), verdict, words=words)
    cells = (
        Cell(points, "n"),
        Cell(deals, "n", words.page("head.gap.deals")),
        Cell(verdict, f"verdict {part_kind(part)}"),
    )
    return Row(words.part(part.kind, part.code), interval, says, marks, cells)


def _part_legend(parts: Sequence[Part], words: AnalysisWords) -> tuple[Legend, ...]:
    """What the kinds of bars that occur mean."""
    there = {part_kind(part) for part in parts}
    if any(_edges(part) for part in parts):
        there.add("interval")
    kinds = ("costs", "gains", "chance", "interval")
    return tuple(Legend(kind, words.page(f"legend.{kind}")) for kind in kinds if kind in there)


def reason_ranking(shares: Sequence[ReasonShare], words: AnalysisWords) -> RowChart:
    """Reasons by their share of defeats with its interval; a second bar shows the share as filed."""
    f = words.f
    known = [value for one in shares for value in (one.share, one.declared_share, one.hi90)]
    scale = Scale.over(known)
    rows = []
    for one in shares:
        marks = [box("bar own", 0, scale.at(one.share or 0.0), 1, 15)]
        if one.declared_share is not None:
            marks.append(box("bar peer", 0, scale.at(one.declared_share), 17, 23))
        interval = ""
        if one.lo90 is not None and one.hi90 is not None:
            marks += whisker(scale.at(one.lo90), scale.at(one.hi90), 8)
            interval = words.page("interval", interval=words.span(one.lo90, one.hi90))
        counts = (one.declared, one.confirmed, one.used)
        heads = [words.page(f"head.reasons.{name}") for name in ("share", "declared", "confirmed", "used")]
        figures = (f.percent(one.share), *(f.number(count) for count in counts))
        cells = tuple(Cell(figure, "n", head) for figure, head in zip(figures, heads, strict=True))
        share = words.page("reasons.says", share=f.percent(one.share))
        says = _says(
            share, interval, words.page("reasons.says_declared", declared=f.percent(one.declared_share)), words=words
        )
        rows.append(Row(words.reason(one.code), interval, says, tuple(marks), cells))
    corrected = any(one.corrected for one in shares)
    return RowChart(
        title=words.page("reasons.chart"),
        head=tuple(words.page(f"head.reasons.{name}") for name in ("share", "declared", "confirmed", "used")),
        rows=tuple(rows),
        legend=(
            Legend("own", words.page("legend.corrected" if corrected else "legend.used")),
            Legend("peer", words.page("legend.declared")),
            Legend("interval", words.page("legend.share_interval")),
        ),
        name_head=words.page("head.reason"),
    )


def shares(counts: Sequence[tuple[str, int]], title: str, name_head: str, words: AnalysisWords) -> RowChart:
    """Parts of a whole, as long as their share of it; ``counts``: name and cases."""
    total = sum(count for _, count in counts)
    rows = []
    for name, count in counts:
        share = count / total if total else 0.0
        says = words.page("share.says", count=words.f.number(count), share=words.f.percent(share))
        cells = (
            Cell(words.f.percent(share), "n"),
            Cell(words.f.number(count), "n", words.page("head.count")),
        )
        rows.append(Row(name, "", says, (box("bar own", 0, 100 * share, 4, 20),), cells))
    return RowChart(
        title=title,
        head=(words.page("head.share"), words.page("head.count")),
        rows=tuple(rows),
        name_head=name_head,
    )


def lifts(values: Sequence[ProfileValue], title: str, words: AnalysisWords) -> RowChart:
    """How much more or less often customers buy than all of the scope: 1 is as often; interval where there is one."""
    f = words.f
    edges = [edge for one in values for edge in (one.lift, one.lo90, one.hi90) if edge is not None]
    scale = Scale.over([*(min(edge, _MOST_LIFT) for edge in edges), 1.0])
    rows = []
    for one in values:
        kind = lift_kind(one)
        marks = [line("zero", [(scale.at(1), 0), (scale.at(1), ROW_HEIGHT)])]
        if one.lift is not None:
            end = scale.at(min(one.lift, _MOST_LIFT))
            marks.append(box(f"bar {kind}", scale.at(1), end, _TOP, _BOTTOM))
        interval = ""
        if one.lo90 is not None and one.hi90 is not None:
            marks += whisker(scale.at(one.lo90), scale.at(min(one.hi90, _MOST_LIFT)))
            interval = words.page(
                "interval", interval=words.page("to", low=f.number(one.lo90, 2), high=f.number(one.hi90, 2))
            )
        sample = words.page("profile.sample", won=f.number(one.won), leads=f.number(one.leads))
        verdict = words.message(one.missing) if one.missing else words.page(f"profile.{kind}")
        cells = (
            Cell(f.percent(one.close_rate), "n", words.page("head.profile.rate")),
            Cell(f.number(one.lift, 2), "n", words.page("head.profile.lift")),
            Cell(interval, "gap"),
            Cell(verdict, f"verdict {kind}"),
        )
        says = _says(words.page("profile.says", lift=f.number(one.lift, 2)), interval, verdict, words=words)
        rows.append(Row(words.value(one.attribute, one.value), sample, says, tuple(marks), cells))
    return RowChart(
        title=title,
        head=tuple(
            words.page(f"head.{name}") for name in ("profile.rate", "profile.lift", "profile.interval", "verdict")
        ),
        rows=tuple(rows),
        name_head=words.page("head.profile.value"),
    )


#: Beyond this lift bars and intervals end at the edge; the figures beside them do not.
_MOST_LIFT = 3.0
SURE = 0.1  # q under which a value is said to separate, at 10 % false findings


def lift_kind(one: ProfileValue) -> str:
    """Whether customers of a value buy more or less often than the rest, may do so by chance, or cannot be tested."""
    if one.q_value is None or one.lift is None:
        return "unjudged"
    if one.q_value > SURE:
        return "chance"
    return "gains" if one.lift > 1 else "costs"
