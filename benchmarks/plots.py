"""How is growth drawn? One SVG of several panels: no script, no font to load, readable in light and in dark.

An SVG that a page embeds as a picture follows the reader's system, not the page, so it brings its own background.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from reports.charts import DASHES, Axis

PANEL_WIDTH, PANEL_HEIGHT, COLUMNS = 430, 340, 2
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 34, 46
LEGEND_LINE, SAMPLE = 15, 24
# Okabe and Ito's palette: darkened on white, as it is on black. The first four are told apart by dashes too.
LIGHT = ("#0072b2", "#d55e00", "#009e73", "#a6557f", "#666666")
DARK = ("#56b4e9", "#ff9044", "#2fc99a", "#e79bc4", "#a0a0a0")
STYLE = """
.page { fill: #ffffff } .word { fill: #222222 } .tick { fill: #555555 } .grid { stroke: #dddddd }
.line { fill: none; stroke-width: 2 }
%s
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 } .word { fill: #e6e6e6 } .tick { fill: #a8a8a8 } .grid { stroke: #30363d }
%s
}
"""


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line; the same `look` means the same thing in every panel."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    look: int = 0


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture. Both axes are logarithmic, so that growth in proportion is a straight line of slope one."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    x_ticks: tuple[float, ...] = ()  # empty: round values


def draw(panels: Sequence[Panel], *, label: str) -> str:
    """Lay the panels out in two columns; `label` is what a screen reader says."""
    width = COLUMNS * PANEL_WIDTH
    height = math.ceil(len(panels) / COLUMNS) * PANEL_HEIGHT
    parts = [
        f'<g transform="translate({(i % COLUMNS) * PANEL_WIDTH} {(i // COLUMNS) * PANEL_HEIGHT})">{_panel(panel)}</g>'
        for i, panel in enumerate(panels)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(label)}" font-family="sans-serif" font-size="12">'
        f"<title>{escape(label)}</title><style>{STYLE % (_colours(LIGHT), _colours(DARK))}</style>"
        f'<rect class="page" width="{width}" height="{height}"/>{"".join(parts)}</svg>\n'
    )


def short(value: float) -> str:
    """Write a tick: 0.5, 20, 10k, 3M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _colours(palette: Sequence[str]) -> str:
    return " ".join(f".s{i} {{ stroke: {c} }} .d{i} {{ fill: {c} }}" for i, c in enumerate(palette))


def _panel(panel: Panel) -> str:
    x = _axis([v for one in panel.series for v in one.x], start=LEFT, end=PANEL_WIDTH - RIGHT, room=1.0)
    legend = LEGEND_LINE * len(panel.series)
    y = _axis([v for one in panel.series for v in one.y], start=PANEL_HEIGHT - BOTTOM, end=TOP + legend, room=1.1)
    bottom = PANEL_HEIGHT - BOTTOM
    parts = [f'<text class="word" font-weight="bold" x="{LEFT}" y="20">{escape(panel.title)}</text>']
    for tick in y.ticks():
        at = y.at(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{PANEL_WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="tick" text-anchor="end" x="{LEFT - 6}" y="{at + 4:.1f}">{short(tick)}</text>')
    for tick in panel.x_ticks or x.ticks():
        at = x.at(tick)
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP + legend}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" text-anchor="middle" x="{at:.1f}" y="{bottom + 16}">{short(tick)}</text>')
    middle = (LEFT + PANEL_WIDTH - RIGHT) // 2
    parts.append(
        f'<text class="tick" text-anchor="middle" x="{middle}" y="{PANEL_HEIGHT - 10}">{escape(panel.x_label)}</text>'
        f'<text class="tick" text-anchor="middle" transform="translate(14 {(TOP + legend + bottom) // 2}) rotate(-90)">'
        f"{escape(panel.y_label)}</text>"
    )
    for number, one in enumerate(panel.series):
        parts += [_line(one, x, y), _name(one, at=TOP + LEGEND_LINE * number)]
    return "".join(parts)


def _axis(values: Sequence[float], *, start: float, end: float, room: float) -> Axis:
    low, high = min(values), max(values)
    if low == high:
        low, high = low / 2, high * 2
    return Axis(low=low / room, high=high * room, start=start, end=end, log=True)


def _line(one: Series, x: Axis, y: Axis) -> str:
    points = [(x.at(a), y.at(b)) for a, b in sorted(zip(one.x, one.y, strict=True))]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    dots = "".join(f'<circle class="d{one.look}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in points)
    return f'<polyline class="line s{one.look}"{_dashes(one)} points="{path}"/>{dots}'


def _name(one: Series, *, at: float) -> str:
    end = LEFT + SAMPLE
    return (
        f'<line class="line s{one.look}"{_dashes(one)} x1="{LEFT}" x2="{end}" y1="{at}" y2="{at}"/>'
        f'<text class="word" x="{end + 6}" y="{at + 4}">{escape(one.label)}</text>'
    )


def _dashes(one: Series) -> str:
    dashes = DASHES[one.look % len(DASHES)]
    return f' stroke-dasharray="{dashes}"' if dashes else ""
