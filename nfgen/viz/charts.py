"""Charts as inline SVG, coloured by classes of the page's style, so that they follow its light and dark mode.

Not matplotlib: its SVG has fixed colours and sizes, outlines instead of text, and no tooltips.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from .html import render

WIDTH, HEIGHT = 440.0, 290.0  # SVG units; the text stays legible on a phone
LEFT, RIGHT, TOP, BOTTOM = 62.0, 14.0, 14.0, 46.0
TICKS = 5
BINS = 25
LOG_FROM = 30.0  # ratio of largest to smallest value from which the axis is logarithmic
MAX_POINTS = 1200  # of a line; more than its pixels
LEAST, MOST = 1e-300, 1e300  # values are drawn as if within: beyond, differences and shares are no floats


@dataclass(frozen=True)
class Series:
    """Points of one colour."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Axis:
    """Maps values to coordinates of the picture."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def over(
        cls, values: Sequence[float], start: float, end: float, *, from_zero: bool = False, log: bool = False
    ) -> "Axis":
        low, high = (_drawable(min(values)), _drawable(max(values))) if values else (0.0, 1.0)
        if log:
            log = low > 0 and high / low > LOG_FROM
        if log:
            return cls(low / 1.1, high * 1.1, start, end, True)
        low = min(0.0, low) if from_zero else low
        room = 0.04 * (high - low) if high - low > LEAST else abs(high) or 1.0
        return cls(low if from_zero and low == 0 else low - room, high + room, start, end)

    def at(self, value: float) -> float:
        low, high, value = self.low, self.high, _drawable(value)
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            marks = [m * 10.0**d for d in decades for m in (1, 2, 5)]
            kept = [mark for mark in marks if self.low <= mark <= self.high]
            return kept if len(kept) <= 2 * TICKS else [mark for mark in kept if f"{mark:e}".startswith("1.")]
        raw = (self.high - self.low) / TICKS
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def marks(self) -> list[tuple[float, str]]:
        """Coordinates and labels of the ticks."""
        return [(self.at(tick), _label(tick)) for tick in self.ticks()]


@dataclass(frozen=True)
class Rule:
    """A dashed line."""

    x1: float
    x2: float
    y1: float = TOP
    y2: float = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Line:
    """A line through points, in the colour of its series."""

    points: str
    series: int


@dataclass(frozen=True)
class Dot:
    """A point in the colour of its series, with its tooltip."""

    x: float
    y: float
    radius: float
    series: int
    label: str = ""


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram, with its tooltip."""

    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True)
class Plot:
    """What a chart shows; `templates/plot.svg` draws bars, rules, lines and dots in this order."""

    title: str
    x: Axis
    y: Axis
    x_label: str
    y_label: str
    names: Sequence[str] = ()
    """Of the series, for the legend; none if there is a single series."""
    bars: Sequence[Bar] = ()
    rules: Sequence[Rule] = ()
    lines: Sequence[Line] = ()
    dots: Sequence[Dot] = ()
    width: float = field(default=WIDTH, init=False)
    height: float = field(default=HEIGHT, init=False)
    left: float = field(default=LEFT, init=False)
    right: float = field(default=WIDTH - RIGHT, init=False)
    bottom: float = field(default=HEIGHT - BOTTOM, init=False)
    middle: float = field(default=(TOP + HEIGHT - BOTTOM) / 2, init=False)

    def chart(self) -> Markup:
        """The figure with title, legend and picture."""
        return render("chart.html", plot=self)


def line_chart(
    series: Sequence[Series], title: str, x_label: str, y_label: str, *, marked: float | None = None
) -> Markup:
    """Lines through points; the vertical axis is logarithmic if the values span much.

    Args:
        marked: x of a vertical line.
    """
    shown = [_thinned(one) for one in series if len(one.x)]
    x = Axis.over([a for one in shown for a in one.x], LEFT, WIDTH - RIGHT)
    y = Axis.over([b for one in shown for b in one.y], HEIGHT - BOTTOM, TOP, log=True)
    lines = [
        Line(" ".join(f"{x.at(a)},{y.at(b)}" for a, b in zip(one.x, one.y, strict=True)), number)
        for number, one in enumerate(shown)
    ]
    dots = [Dot(x.at(one.x[0]), y.at(one.y[0]), 3, number) for number, one in enumerate(shown) if len(one.x) == 1]
    names = [one.name for one in shown]
    return Plot(title, x, y, x_label, y_label, names, rules=_vertical(x, marked), lines=lines, dots=dots).chart()


def scatter_plot(
    series: Sequence[Series],
    title: str,
    x_label: str,
    y_label: str,
    *,
    marked: float | None = None,
    diagonal: bool = False,
) -> Plot:
    """Points with tooltips of series and index; axes are logarithmic if the values span much.

    Args:
        marked: x of a vertical line.
        diagonal: whether to draw x = y; both axes then have the same scale.
    """
    shown = [one for one in series if len(one.x)]
    marks = [] if marked is None else [marked]
    values = [[*marks, *(a for one in shown for a in one.x)], [b for one in shown for b in one.y]]
    if diagonal:
        values = [values[0] + values[1]] * 2
    x = Axis.over(values[0], LEFT, WIDTH - RIGHT, from_zero=True, log=True)
    y = Axis.over(values[1], HEIGHT - BOTTOM, TOP, from_zero=True, log=True)
    rules = _vertical(x, marked)
    if diagonal:
        rules.append(Rule(x.at(x.low), x.at(x.high), y.at(y.low), y.at(y.high)))
    dots = [
        Dot(x.at(a), y.at(b), 3.2, number, f"{one.name} {i}: {a:.4g}, {b:.4g}")
        # The first series, which the chart is about, is drawn last, above the others.
        for number, one in reversed(list(enumerate(shown)))
        for i, (a, b) in enumerate(zip(one.x, one.y, strict=True))
    ]
    return Plot(title, x, y, x_label, y_label, [one.name for one in shown], rules=rules, dots=dots)


def histogram(
    values: Sequence[float],
    title: str,
    x_label: str,
    *,
    low: float,
    high: float,
    y_label: str = "count",
    marked: float | None = None,
) -> Markup:
    """Counts of values in equal parts of [low, high]; values outside count at the ends."""
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int((min(max(value, low), high) - low) / (high - low) * BINS))] += 1
    width = (high - low) / BINS
    x = Axis(low, high, LEFT, WIDTH - RIGHT)
    y = Axis(0.0, max([*counts, 1]) * 1.06, HEIGHT - BOTTOM, TOP)
    bars = []
    for i, count in enumerate(counts):
        left, right, top = low + i * width, low + (i + 1) * width, y.at(float(count))
        size = round(x.at(right) - x.at(left) - 1, 1), round(y.at(0.0) - top, 1)
        if count:
            bars.append(Bar(x.at(left), top, *size, f"{left:.3g} to {right:.3g}: {count}"))
    return Plot(title, x, y, x_label, y_label, bars=bars, rules=_vertical(x, marked)).chart()


def _vertical(x: Axis, value: float | None) -> list[Rule]:
    return [] if value is None else [Rule(x.at(value), x.at(value))]


def _thinned(one: Series) -> Series:
    step = math.ceil(len(one.x) / MAX_POINTS)
    return Series(one.name, one.x[::step], one.y[::step])


def _drawable(value: float) -> float:
    return 0.0 if abs(value) < LEAST else min(max(value, -MOST), MOST)


def _label(value: float) -> str:
    value = 0.0 if abs(value) < 1e-12 else value
    if 0 < abs(value) < 1e-3:
        mantissa, _, power = f"{value:.2e}".partition("e")
        return f"{float(mantissa):g}e{int(power)}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
