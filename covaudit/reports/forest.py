"""Estimates with their intervals as a drawing: the numbers of `figures.forest`, placed in an SVG without a browser."""

from html import unescape
from math import isnan
from typing import NamedTuple

from covaudit.figures.forest import ForestInfo, Point
from covaudit.figures.text import DASH, TOO_FEW, number
from covaudit.figures.text import interval as bounds

WIDTH = 440
_SIDE, _HEAD, _LINE, _FOOT = 10, 30, 36, 26


class Mark(NamedTuple):
    """An interval `low` to `high` with its point at `value`, all in pixels; without a point where it is undefined."""

    series: int
    y: float
    words: str
    value: float | None
    low: float
    high: float
    is_few: bool


class Line(NamedTuple):
    """The title of a row, and where it stands."""

    y: float
    title: str


class Drawing(NamedTuple):
    """`ticks` are x and label; `zero` is where 0 lies when the axis goes below it."""

    height: float
    lines: list[Line]
    marks: list[Mark]
    ticks: list[tuple[float, str]]
    zero: float | None


def draw_forest(info: ForestInfo) -> Drawing:
    """Under each title a line of words and an interval for each series."""
    lines, marks, y = [], [], 0.0
    for row in info.rows:
        lines.append(Line(y + 18, unescape(row.title)))  # figures write names as HTML
        y += _HEAD
        for order, (name, point) in enumerate(zip(info.series, row.points, strict=True)):
            marks.append(_mark(info, order, name, point, y))
            y += _LINE
    steps = round((info.high - info.low) / 0.2)
    values = [info.low + step * (info.high - info.low) / steps for step in range(steps + 1)]
    ticks = [(_x(info, value), f"{value:.1f}".replace("-", "−")) for value in values]
    return Drawing(y + _FOOT, lines, marks, ticks, _x(info, 0.0) if info.low < 0 else None)


def _mark(info: ForestInfo, order: int, name: str, point: Point, y: float) -> Mark:
    is_few = point.n < TOO_FEW
    if isnan(point.value):
        words = f"{unescape(name)}: {DASH} ({point.method.removeprefix('undefined: ')})"
        return Mark(order, y, words, None, 0, 0, is_few)
    few = ", too few" if is_few else ""
    words = f"{unescape(name)}: {number(point.value)} {bounds(point.low, point.high)}, n {point.n:,}{few}"
    low, high = (point.value if isnan(end) else end for end in (point.low, point.high))
    return Mark(order, y, words, _x(info, point.value), _x(info, low), _x(info, high), is_few)


def _x(info: ForestInfo, value: float) -> float:
    return round(_SIDE + (WIDTH - 2 * _SIDE) * (value - info.low) / (info.high - info.low), 1)
