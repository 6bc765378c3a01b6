"""A line chart as inline SVG: axes, grid, legend; colours are CSS classes of the page around it.

Series differ by dash pattern and marker too, so that they can be told apart in print. Values are
shown on hovering by the SVG's own titles; there is no script.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from hotrow.units import format_count

WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 24, 34, 44
_TICKS = 5
_MAX_POINTS = 400
_MAX_MARKERS = 60
_DASHES = ("", "6 3", "2 3")


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a chart.

    Attributes:
        name: in the legend.
        points: (x, y) by rising x.
    """

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A line chart.

    Attributes:
        title: above it.
        x_label: what the horizontal axis counts.
        series: at most three lines, which look alike in all charts by their place here; those without
            points are left out.
        mark: an x to draw a vertical line at, and its label.
    """

    title: str
    x_label: str
    series: tuple[Series, ...]
    mark: tuple[float, str] | None = None


def line_chart(chart: Chart) -> str:
    """Return the chart as an ``<svg>`` element, or an empty string if it has no points."""
    series = [(number, line) for number, line in enumerate(chart.series) if line.points]
    if not series:
        return ""
    points = [point for _, line in series for point in line.points]
    marks = [chart.mark[0]] if chart.mark else []
    x_ticks = ticks(min(0.0, *(x for x, _ in points)), max(*marks, *(x for x, _ in points), 1e-9))
    y_ticks = ticks(min(y for _, y in points), max(y for _, y in points))
    x_at = _scale(x_ticks[0], x_ticks[-1], _LEFT, WIDTH - _RIGHT)
    y_at = _scale(y_ticks[0], y_ticks[-1], HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" xmlns="http://www.w3.org/2000/svg">',
        f"<title>{escape(chart.title)}</title>",
        *_axes(chart, x_ticks, y_ticks, x_at, y_at),
        *_legend(series),
    ]
    if chart.mark is not None:
        parts += _mark(x_at(chart.mark[0]), chart.mark[1])
    for number, line in series:
        parts += _line(number, line, x_at, y_at)
    return "".join((*parts, "</svg>"))


def ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers, evenly spaced, that enclose ``low`` and ``high`` (not below it)."""
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        spread = abs(low) * 0.1 or 1.0
        low, high = low - spread, high + spread
    raw = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _thin(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Average neighbouring points until there are few enough to draw."""
    group = math.ceil(len(points) / _MAX_POINTS)
    if group <= 1:
        return tuple(points)
    groups = [points[start : start + group] for start in range(0, len(points), group)]
    return tuple((part[-1][0], sum(y for _, y in part) / len(part)) for part in groups)


def _axes(
    chart: Chart,
    x_ticks: list[float],
    y_ticks: list[float],
    x_at: Callable[[float], float],
    y_at: Callable[[float], float],
) -> list[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    parts = []
    for tick in y_ticks:
        y = y_at(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:.6g}</text>')
    for tick in x_ticks:
        x = x_at(tick)
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        label = format_count(tick).replace(".0", "")
        parts.append(f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{label}</text>')
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>')
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(chart.x_label)}</text>'
    )
    return parts


def _legend(series: Sequence[tuple[int, Series]]) -> list[str]:
    parts, x = [], _LEFT
    for number, line in series:
        parts.append(f'<path class="series s{number}" {_dash(number)} d="M{x} 14h26"/>')
        parts.append(f'<text x="{x + 32}" y="18">{escape(line.name)}</text>')
        x += 56 + 10 * len(line.name)
    return parts


def _mark(x: float, label: str) -> list[str]:
    anchor, shift = ("end", -5) if x > WIDTH / 2 else ("start", 5)
    return [
        f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>',
        f'<text x="{x + shift:.1f}" y="{_TOP + 10}" text-anchor="{anchor}">{escape(label)}</text>',
    ]


def _line(
    number: int, line: Series, x_at: Callable[[float], float], y_at: Callable[[float], float]
) -> list[str]:
    points = _thin(line.points)
    places = [(x_at(x), y_at(y)) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [f'<polyline class="series s{number}" {_dash(number)} points="{path}"/>']
    if len(places) <= _MAX_MARKERS:
        for (x, y), (samples, value) in zip(places, points, strict=True):
            shown = escape(f"{line.name}: {value:.5g} at {format_count(samples)}")
            place = f'cx="{x:.1f}" cy="{y:.1f}" r="3"'
            parts.append(f'<circle class="dot s{number}" {place}><title>{shown}</title></circle>')
    return parts


def _dash(number: int) -> str:
    return f'stroke-dasharray="{_DASHES[number % len(_DASHES)]}"' if number else ""
