"""How is a curve drawn? Inline SVG that needs no script, no style sheet and no network, with its data in a table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup, escape

from reports.numbers import number

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 12, 42
COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#a6761d",
    "#3a8fc4",
    "#666666",
)  # Okabe and Ito, darkened for text
DASHES = ("", "7 3", "2 3", "9 3 2 3")
MOST_POINTS = 400  # surface.md 3
TABLE_ROWS = 40
DECADES = 1e-12  # a logarithmic axis ends here


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line or one set of points; a None or non-finite y leaves a gap."""

    label: str
    x: Sequence[float]
    y: Sequence[float | None]
    kind: Literal["line", "faint", "points"] = "line"
    colour: int = 0


@dataclass(frozen=True, kw_only=True)
class Line:
    """A straight line across the chart: what theory expects, where the user's own value stands."""

    label: str
    value: float
    axis: Literal["x", "y"] = "y"
    colour: int = 6


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Everything that a chart shows; `conclusion` is its caption and what a screen reader says."""

    title: str
    conclusion: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    lines: tuple[Line, ...] = field(default=())
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Maps values to pixels along one direction."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    def at(self, value: float) -> float:
        """The pixel of a value, kept inside the frame."""
        share = (self._scaled(value) - self._scaled(self.low)) / (self._scaled(self.high) - self._scaled(self.low))
        return self.start + min(max(share, -0.02), 1.02) * (self.end - self.start)

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, DECADES)) if self.log else value

    def ticks(self) -> list[float]:
        """Round values between the ends."""
        if self.log and self.high / self.low > 10:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            if last - first >= 2:
                step = max(1, (last - first) // 6)
                return [10.0**e for e in range(first, last + 1, step)]
            low, high = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            every = [m * 10.0**e for e in range(low, high + 1) for m in (1, 2, 5)]
            return [v for v in every if self.low <= v <= self.high]
        span = self.high - self.low
        step = 10 ** math.floor(math.log10(span / 4))
        step *= next(m for m in (1, 2, 5, 10) if span / (m * step) <= 6)
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def draw(chart: Chart) -> Markup:
    """A figure: caption, picture and table. An empty chart says that there is nothing to draw."""
    series = tuple(s for s in chart.series if any(_usable(y, log=chart.log_y) for y in s.y))
    if not series:
        return Markup("<figure><figcaption><b>{}.</b> {} There is nothing to draw.</figcaption></figure>").format(
            chart.title, chart.conclusion
        )
    x = _axis(
        [v for s in series for v in s.x], [li.value for li in chart.lines if li.axis == "x"], chart.log_x, across=True
    )
    ys = [y for s in series for y in s.y if y is not None]
    y = _axis(ys, [li.value for li in chart.lines if li.axis == "y"], chart.log_y, across=False)
    parts = [_grid(x, y, chart), *(_line(li, x, y) for li in chart.lines if math.isfinite(li.value))]
    parts += [_series(s, x, y, log=chart.log_y) for s in series]
    picture = Markup(
        '<svg viewBox="0 0 {w} {h}" role="img" aria-label="{label}" font-family="sans-serif" font-size="12">'
        "<title>{label}</title>{parts}</svg>"
    ).format(w=WIDTH, h=HEIGHT, label=f"{chart.title}. {chart.conclusion}", parts=Markup("").join(parts))
    return Markup("<figure>{}{}<figcaption><b>{}.</b> {}</figcaption>{}</figure>").format(
        picture, _legend(series, chart.lines), chart.title, chart.conclusion, _table(chart, series)
    )


def _usable(value: float | None, *, log: bool) -> bool:
    return value is not None and math.isfinite(value) and (value > 0 or not log)


def _axis(values: Sequence[float], extra: Sequence[float], log: bool, *, across: bool) -> Axis:  # noqa: FBT001
    usable = [v for v in (*values, *extra) if _usable(v, log=log)] or [1.0]
    low, high = min(usable), max(usable)
    if log:
        low, high = max(low, DECADES), max(high, DECADES)
        low, high = (low / 1.25, high * 1.25) if high / low < 1e12 else (high / 1e12, high * 1.25)
    else:
        pad = 0.05 * (high - low) or 0.5 * abs(high) or 0.5
        low, high = low - (0 if across else pad), high + (0 if across and high > low else pad)
    start, end = (LEFT, WIDTH - RIGHT) if across else (HEIGHT - BOTTOM, TOP)
    return Axis(low=low, high=high, start=start, end=end, log=log)


def _grid(x: Axis, y: Axis, chart: Chart) -> Markup:
    parts = []
    for value, label in _labels(y.ticks()):
        at = f"{y.at(value):.1f}"
        parts.append(
            Markup(
                '<line class="grid" stroke="#ccc" stroke-width="0.6" x1="{}" x2="{}" y1="{}" y2="{}"/>'
                '<text class="tick" fill="#555" text-anchor="end" x="{}" y="{}">{}</text>'
            ).format(LEFT, WIDTH - RIGHT, at, at, LEFT - 6, f"{y.at(value) + 4:.1f}", label)
        )
    parts += [
        Markup('<text class="tick" fill="#555" text-anchor="middle" x="{}" y="{}">{}</text>').format(
            f"{x.at(value):.1f}", HEIGHT - BOTTOM + 16, label
        )
        for value, label in _labels(x.ticks())
    ]
    parts.append(
        Markup(
            '<text class="tick" fill="#555" text-anchor="middle" x="{}" y="{}">{}</text>'
            '<text class="tick" fill="#555" text-anchor="middle" transform="translate(13 {}) rotate(-90)">{}</text>'
        ).format((LEFT + WIDTH - RIGHT) // 2, HEIGHT - 6, chart.x_label, (TOP + HEIGHT - BOTTOM) // 2, chart.y_label)
    )
    return Markup("").join(parts)


def _labels(ticks: Sequence[float]) -> list[tuple[float, str]]:
    """Each tick with as many digits as it takes to tell it from its neighbours."""
    labels = [number(value, digits=3) for value in ticks]
    for digits in range(4, 9):
        if len(set(labels)) == len(labels):
            break
        labels = [number(value, digits=digits) for value in ticks]
    return list(zip(ticks, labels, strict=True))


def _line(line: Line, x: Axis, y: Axis) -> Markup:
    colour = COLOURS[line.colour % len(COLOURS)]
    if line.axis == "y":
        ends = (f"{LEFT}", f"{y.at(line.value):.1f}", f"{WIDTH - RIGHT}", f"{y.at(line.value):.1f}")
    else:
        ends = (f"{x.at(line.value):.1f}", f"{TOP}", f"{x.at(line.value):.1f}", f"{HEIGHT - BOTTOM}")
    return Markup(
        '<line class="c{}" stroke="{}" stroke-width="1.2" stroke-dasharray="5 4" x1="{}" y1="{}" x2="{}" y2="{}">'
        "<title>{}: {}</title></line>"
    ).format(line.colour % len(COLOURS), colour, *ends, line.label, number(line.value))


def _series(series: Series, x: Axis, y: Axis, *, log: bool) -> Markup:
    index = series.colour % len(COLOURS)
    colour = COLOURS[index]
    pairs = list(zip(series.x, series.y, strict=False))
    step = max(1, math.ceil(len(pairs) / MOST_POINTS))
    pairs = pairs[::step] + (pairs[-1:] if (len(pairs) - 1) % step else [])
    if series.kind == "points":
        shape = Markup(
            '<circle class="f{}" fill="{}" fill-opacity="0.75" cx="{}" cy="{}" r="4"><title>{}</title></circle>'
        )
        dots = [
            shape.format(
                index, colour, f"{x.at(px):.1f}", f"{y.at(py):.1f}", f"{series.label}: {number(px)}, {number(py)}"
            )
            for px, py in pairs
            if py is not None and _usable(py, log=log)
        ]
        return Markup("").join(dots)
    path, pen = [], "M"
    for px, py in pairs:
        if py is None or not _usable(py, log=log):
            pen = "M"
            continue
        path.append(f"{pen}{x.at(px):.1f} {y.at(py):.1f}")
        pen = "L"
    faint = series.kind == "faint"
    return Markup(
        '<path class="c{}" fill="none" stroke="{}" stroke-width="{}" stroke-opacity="{}" stroke-dasharray="{}" d="{}">'
        "<title>{}</title></path>"
    ).format(
        index,
        colour,
        "1" if faint else "2",
        "0.35" if faint else "1",
        "" if faint else DASHES[series.colour % len(DASHES)],
        "".join(path),
        series.label,
    )


def _legend(series: Sequence[Series], lines: Sequence[Line]) -> Markup:
    named: dict[str, tuple[int, bool]] = {s.label: (s.colour, False) for s in series if s.kind != "faint"}
    named |= {f"{li.label} ({number(li.value)})": (li.colour, True) for li in lines if math.isfinite(li.value)}
    items = [
        Markup('<li class="t{}">{} {}</li>').format(colour % len(COLOURS), "┄" if is_line else "●", label)
        for label, (colour, is_line) in named.items()
    ]
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))


def _table(chart: Chart, series: Sequence[Series]) -> Markup:
    blocks = []
    for one in series:
        if one.kind == "faint":
            continue
        pairs = list(zip(one.x, one.y, strict=False))
        step = max(1, math.ceil(len(pairs) / TABLE_ROWS))
        rows = Markup("").join(
            Markup("<tr><td>{}</td><td>{}</td></tr>").format(number(px), number(py)) for px, py in pairs[::step]
        )
        head = Markup("<tr><th>{}</th><th>{}</th></tr>").format(chart.x_label, escape(one.label))
        blocks.append(Markup("<table><thead>{}</thead><tbody>{}</tbody></table>").format(head, rows))
    return Markup('<details class="data"><summary>the numbers</summary><div class="tables">{}</div></details>').format(
        Markup("").join(blocks)
    )
