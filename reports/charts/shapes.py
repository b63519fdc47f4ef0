"""What charts are made of: marks in a box 100 wide and 100 high (a row's: 24 high), and the text beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ROW_HEIGHT = 24.0
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Mark:
    """One drawn thing: a path of SVG; ``kind`` is its class: how it looks (style.css)."""

    kind: str
    path: str


@dataclass(frozen=True)
class Cell:
    """A figure or a word beside the picture; ``head`` names it where columns fall apart on a phone."""

    text: str
    kind: str = "n"  # n: a number; gap, verdict: words
    head: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a chart: its name, its picture, its figures."""

    label: str
    sample: str
    says: str  # alternative text of the picture
    marks: tuple[Mark, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Legend:
    """What a kind of mark means."""

    kind: str
    text: str


@dataclass(frozen=True)
class RowChart:
    """One picture per row on a common scale: the table of numbers is the chart itself."""

    title: str
    head: tuple[str, ...]  # of the rows' cells
    rows: tuple[Row, ...]
    legend: tuple[Legend, ...] = ()
    name_head: str = ""
    form: str = "rows"


@dataclass(frozen=True)
class Plot:
    """A picture with two axes; ticks are (place 0-100, text) from left to right and from the bottom up."""

    title: str
    says: str
    marks: tuple[Mark, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    x_name: str
    y_name: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    legend: tuple[Legend, ...] = ()
    table_title: str = ""
    form: str = "plot"


@dataclass(frozen=True)
class FlowEnd:
    """Where a band ends: name, figures."""

    label: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class FlowChart:
    """Bands from one whole to its parts, each as wide as its share; ``ends`` stand beside them, one row each."""

    title: str
    says: str
    marks: tuple[Mark, ...]
    height: float
    head: tuple[str, ...]
    ends: tuple[FlowEnd, ...]
    form: str = "flow"


Chart = RowChart | Plot | FlowChart


@dataclass(frozen=True)
class Scale:
    """From figures to 0-100; covers ``low`` to ``high``."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float | None], room: float = 0.05) -> Scale:
        """The scale that shows all ``values`` and zero, with some room at the ends that hold figures."""
        known = [0.0, *(value for value in values if value is not None and math.isfinite(value))]
        low, high = min(known), max(known)
        space = room * ((high - low) or 1.0)
        return cls(low - space if low < 0 else 0.0, high + space if high > 0 or low == high else 0.0)

    def at(self, value: float) -> float:
        """Where ``value`` stands."""
        return 100.0 * (value - self.low) / (self.high - self.low)


def box(kind: str, x1: float, x2: float, y1: float, y2: float) -> Mark:
    """A filled rectangle between two places."""
    left, right = min(x1, x2), max(x1, x2)
    return Mark(kind, f"M{left:.2f},{y1:.2f}H{right:.2f}V{y2:.2f}H{left:.2f}Z")


def line(kind: str, points: Points) -> Mark:
    """A line through ``points``."""
    return Mark(kind, "M" + "L".join(f"{x:.2f},{y:.2f}" for x, y in points))


def broken_line(kind: str, points: Sequence[tuple[float, float | None]]) -> list[Mark]:
    """A line that stops where a figure is missing; a figure alone between two gaps is a dot."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is None:
            runs.append([])
        else:
            runs[-1].append((x, y))
    return [line(kind, run) if len(run) > 1 else dot(f"{kind} dot", *run[0]) for run in runs if run]


def area(kind: str, upper: Points, lower: Points) -> Mark:
    """The area between two lines over the same places."""
    return Mark(kind, line(kind, [*upper, *reversed(lower)]).path + "Z")


def dot(kind: str, x: float, y: float) -> Mark:
    """A round dot: a line of no length with round ends keeps its form however the picture is stretched."""
    return Mark(kind, f"M{x:.2f},{y:.2f}h0")


def whisker(x1: float, x2: float, y: float = ROW_HEIGHT / 2) -> list[Mark]:
    """An interval with its two ends, on a pale ground so that it stands out on a dark bar."""
    return [
        line("halo", [(x1, y), (x2, y)]),
        line("interval", [(x1, y), (x2, y)]),
        *(line("interval", [(x, y - 4), (x, y + 4)]) for x in (x1, x2)),
    ]


def round_steps(high: float, steps: Sequence[float] = (1, 2, 2.5, 5, 10), least: int = 3) -> list[float]:
    """Round figures from 0 up to ``high`` for an axis, at least ``least`` of them."""
    if high <= 0:
        return [0.0]
    power = 10.0 ** math.floor(math.log10(high / least))
    step = max(s * power for s in steps if s * power <= high / (least - 1))
    return [step * number for number in range(math.floor(high / step + 1e-9) + 1)]
