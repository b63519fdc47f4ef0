"""Where customers went: one block of defeats on the left, a band to each destination, as wide as its share."""

from __future__ import annotations

from collections.abc import Sequence

from reports.analysis_figures import Moments
from reports.analysis_words import AnalysisWords
from reports.charts.shapes import FlowChart, FlowEnd, Mark, box

SLOT = 44.0  # height of an end's row
_BAND = 34.0  # the widest a band may be at its end
_LEFT, _RIGHT = 6.0, 94.0


def flows(ends: Sequence[tuple[str, Moments]], title: str, words: AnalysisWords) -> FlowChart:
    """Bands from all defeats of the month to ``ends`` (name, counts), the largest first; widths add up to the whole."""
    f = words.f
    total = sum(moments.now for _, moments in ends)
    height = SLOT * len(ends)
    whole = min(height * 0.8, _BAND * total / max(1, *(moments.now for _, moments in ends)))
    start = (height - whole) / 2
    marks: list[Mark] = [box("block", 0, _LEFT, start, start + whole)]
    for place, (_, moments) in enumerate(ends):
        width = whole * moments.now / total if total else 0.0
        if width:
            middle = SLOT * place + SLOT / 2
            tone = "band-dark" if place % 2 == 0 else "band-light"
            marks.append(_band(tone, (start, start + width), (middle - width / 2, middle + width / 2)))
            marks.append(box("block", _RIGHT, 100, middle - width / 2, middle + width / 2))
        start += width
    rows = tuple(
        FlowEnd(
            name,
            (
                f.number(moments.now),
                f.percent(moments.now / total if total else None),
                f.number(moments.previous),
                f.number(moments.last_year),
            ),
        )
        for name, moments in ends
    )
    listed = f.words([f"{end.label} {end.cells[0]} ({end.cells[1]})" for end in rows])
    return FlowChart(
        title=title,
        says=words.page("flows.says", total=f.number(total), ends=listed),
        marks=tuple(marks),
        height=height,
        head=tuple(words.page(f"head.moments.{name}") for name in ("now", "share", "previous", "last_year")),
        ends=rows,
    )


def _band(kind: str, left: tuple[float, float], right: tuple[float, float]) -> Mark:
    """A curved band from a span on the left to a span on the right."""
    (a, b), (c, d), middle = left, right, (_LEFT + _RIGHT) / 2
    return Mark(
        kind,
        f"M{_LEFT},{a:.2f}C{middle},{a:.2f} {middle},{c:.2f} {_RIGHT},{c:.2f}"
        f"V{d:.2f}C{middle},{d:.2f} {middle},{b:.2f} {_LEFT},{b:.2f}Z",
    )
