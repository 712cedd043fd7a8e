"""A drawing of the latency of one request at a time, against the number of items and against the depth of a page."""

from collections.abc import Sequence
from math import log10
from typing import NamedTuple

from tests.bench.report import EVERYBODY, Results

_WIDTH, _HEIGHT, _MARGIN, _LEGEND = 480, 300, 45, 110
_COLOURS = dict(zip(EVERYBODY, ("#888888", "#2f6fb0", "#c0622b"), strict=True))

type Point = tuple[float, float]


class Curve(NamedTuple):
    """Points in a style of their own."""

    name: str
    style: str
    points: Sequence[Point]


def drawing(results: Results) -> str:
    """Return an SVG of two panels."""
    growth, depth = [], []
    for subject, colour in _COLOURS.items():
        style = f'stroke="{colour}"'
        growth.append(Curve(f"item, {subject}", style, _points(results, subject, "item of ")))
        growth.append(
            Curve(f"page, {subject}", f'{style} stroke-dasharray="6 4"', _points(results, subject, "page of "))
        )
        depth.append(Curve(subject, style, _points(results, subject, "page ")))
    panels = _panel(0, "ms (p50) of a request among so many items", growth)
    panels += _panel(_WIDTH, "ms (p50) of the page of this number", depth)
    size = f'width="{2 * _WIDTH}" height="{_HEIGHT}"'
    style = "<style>text { font: 11px sans-serif } polyline { fill: none; stroke-width: 2 }</style>"
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}<rect {size} fill="white"/>{panels}</svg>\n'


def _points(results: Results, subject: str, start: str) -> list[Point]:
    points = []
    for name in results.workloads(start):
        number, latency = name.removeprefix(start).replace(",", ""), results.get(name, subject, "p50")
        if number.isdecimal() and latency is not None:
            points.append((float(number), latency))
    return points


def _panel(left: int, title: str, curves: Sequence[Curve]) -> str:
    points = [point for curve in curves for point in curve.points]
    if not points:
        return ""
    numbers = sorted({x for x, _ in points})
    first, span = log10(numbers[0]), log10(numbers[-1] / numbers[0]) or 1
    highest = max(y for _, y in points) * 1.1
    right, bottom = left + _WIDTH - _MARGIN - _LEGEND, _HEIGHT - _MARGIN

    def at(x: float, y: float) -> str:
        across = left + _MARGIN + (log10(x) - first) / span * (right - left - _MARGIN)
        return f"{across:.1f},{bottom - y / highest * (bottom - _MARGIN):.1f}"

    parts = [_text(left + _MARGIN, 20, title)]
    parts += [_text(at(number, 0).partition(",")[0], bottom + 18, f"{number:,.0f}") for number in numbers]
    for y in (highest * step / 4 for step in range(5)):
        parts.append(f'<polyline stroke="#dddddd" points="{at(numbers[0], y)} {at(numbers[-1], y)}"/>')
        parts.append(_text(left + 8, at(1, y).partition(",")[2], f"{y:.2f}"))
    for row, (name, style, some) in enumerate(curve for curve in curves if curve.points):
        parts.append(f'<polyline {style} points="{" ".join(at(x, y) for x, y in some)}"/>')
        parts.append(f'<polyline {style} points="{right + 12},{60 + 16 * row} {right + 30},{60 + 16 * row}"/>')
        parts.append(_text(right + 34, 64 + 16 * row, name))
    return "".join(parts)


def _text(x: object, y: object, text: str) -> str:
    return f'<text x="{x}" y="{y}">{text}</text>'
