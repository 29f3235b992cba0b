"""Charts as SVG, written by hand: bars on one scale, and lines on two logarithmic ones."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

WIDTH = 760
LABEL_WIDTH = 230
VALUE_WIDTH = 70
BAR_HEIGHT = 24
TOP = 46

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px }
.note { font-size: 12px; fill: #57606a }
.ours { fill: #0969da; stroke: #0969da } .base { fill: #8c959f; stroke: #8c959f }
.peer { fill: #d4a72c; stroke: #d4a72c }
.line { fill: none; stroke-width: 2 }
.grid { stroke: #d0d7de; stroke-width: 1 } .budget { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .note { fill: #9198a1 } .grid { stroke: #3d444d }
  .ours { fill: #4493f8; stroke: #4493f8 }
}
"""


class Bar(NamedTuple):
    """One bar; `kind` is `ours`, `peer` or `base`."""

    label: str
    value: float
    kind: str


class Line(NamedTuple):
    """One line through points (x, y), all above 0."""

    label: str
    points: Sequence[tuple[float, float]]
    kind: str


def bars(title: str, note: str, rows: Sequence[Bar], *, budget: float | None = None) -> str:
    """Horizontal bars from 0, with their values; a dashed line where the budget is."""
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    scale = room / max(*(row.value for row in rows), budget or 0.0)
    parts = [_bar(row, TOP + number * BAR_HEIGHT, scale) for number, row in enumerate(rows)]
    bottom = TOP + len(rows) * BAR_HEIGHT
    if budget is not None:
        x = LABEL_WIDTH + budget * scale
        parts.append(f'<line class="budget" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{bottom}"/>')
    return _picture(title, note, parts, bottom + 10)


def _bar(row: Bar, y: int, scale: float) -> str:
    width = max(1.0, row.value * scale)
    middle = y + BAR_HEIGHT / 2 + 4
    return (
        f'<text x="{LABEL_WIDTH - 8}" y="{middle}" text-anchor="end">{html.escape(row.label)}</text>'
        f'<rect class="{row.kind}" x="{LABEL_WIDTH}" y="{y + 3}" width="{width:.1f}" height="{BAR_HEIGHT - 6}"/>'
        f'<text x="{LABEL_WIDTH + width + 6:.1f}" y="{middle}">{number(row.value)}</text>'
    )


PLOT_HEIGHT = 240
PLOT_LEFT = 70
PLOT_RIGHT = WIDTH - 180


class Scale(NamedTuple):
    """From values to pixels, logarithmic, with a grid line at each power of ten."""

    least: float
    most: float
    start: float
    end: float

    def at(self, value: float) -> float:
        part = (math.log10(value) - self.least) / ((self.most - self.least) or 1)
        return self.start + part * (self.end - self.start)

    @property
    def powers(self) -> list[float]:
        return [10.0**power for power in range(round(self.least), round(self.most) + 1)]


def scale_of(values: Sequence[float], start: float, end: float) -> Scale:
    return Scale(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))), start, end)


def lines(title: str, note: str, rows: Sequence[Line]) -> str:
    """Lines over logarithmic scales, each named at its end."""
    points = [point for row in rows for point in row.points]
    across = scale_of([x for x, _ in points], PLOT_LEFT, PLOT_RIGHT)
    upwards = scale_of([y for _, y in points], TOP + PLOT_HEIGHT, TOP)
    parts = [*_grid(across, upwards), *(_line(row, across, upwards) for row in rows)]
    return _picture(title, note, parts, TOP + PLOT_HEIGHT + 30)


def _grid(across: Scale, upwards: Scale) -> list[str]:
    bottom = TOP + PLOT_HEIGHT
    vertical = [
        f'<line class="grid" x1="{across.at(x):.1f}" x2="{across.at(x):.1f}" y1="{TOP}" y2="{bottom}"/>'
        f'<text class="note" x="{across.at(x):.1f}" y="{bottom + 18}" text-anchor="middle">{x:,.0f}</text>'
        for x in across.powers
    ]
    horizontal = [
        f'<line class="grid" x1="{PLOT_LEFT}" x2="{PLOT_RIGHT}" y1="{upwards.at(y):.1f}" y2="{upwards.at(y):.1f}"/>'
        f'<text class="note" x="{PLOT_LEFT - 8}" y="{upwards.at(y) + 4:.1f}" text-anchor="end">{y:,g}</text>'
        for y in upwards.powers
    ]
    return vertical + horizontal


def _line(row: Line, across: Scale, upwards: Scale) -> str:
    places = [(across.at(x), upwards.at(y)) for x, y in row.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    x, y = places[-1]
    return (
        f'<polyline class="line {row.kind}" style="fill: none" points="{path}"/>'
        f'<text x="{x + 8:.1f}" y="{y + 4:.1f}">{html.escape(row.label)}</text>'
    )


def _picture(title: str, note: str, parts: Sequence[str], height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>"
        f'<text class="title" x="8" y="18">{html.escape(title)}</text>'
        f'<text class="note" x="8" y="36">{html.escape(note)}</text>' + "\n".join(parts) + "</svg>\n"
    )


def number(value: float) -> str:
    """A value as tables and charts show it: two or three digits that count.

    >>> number(1.234), number(12.34), number(34567.8)
    ('1.23', '12.3', '34,600')
    """
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    return f"{rounded:,.{max(0, min(digits, 2))}f}"
