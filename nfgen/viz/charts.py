"""Charts as inline SVG; colours are classes of the page's style, so that they follow light and dark."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .html import Html, tag

WIDTH, HEIGHT = 440.0, 290.0  # SVG units: at this width the letters stay legible on a phone
LEFT, RIGHT, TOP, BOTTOM = 62.0, 14.0, 14.0, 46.0
TICKS = 5
LOG_FROM = 30.0  # a ratio of largest to smallest from which a linear axis hides the small values
MAX_POINTS = 1200  # of a line: more than the pixels it is drawn with


@dataclass(frozen=True)
class Series:
    """Points of one colour."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Axis:
    """From values to a place between two ends of the picture."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def over(
        cls, values: Sequence[float], start: float, end: float, *, from_zero: bool = False, log: bool = False
    ) -> "Axis":
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if log:
            log = low > 0 and high / low > LOG_FROM
        if log:
            return cls(low / 1.1, high * 1.1, start, end, True)
        low = min(0.0, low) if from_zero else low
        room = 0.04 * (high - low) or abs(high) or 1.0
        return cls(low if from_zero and low == 0 else low - room, high + room, start, end)

    def at(self, value: float) -> float:
        low, high = self.low, self.high
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


def line_chart(
    series: Sequence[Series], title: str, x_label: str, y_label: str, *, marked: float | None = None
) -> Html:
    """Lines through points, the vertical axis logarithmic where the values need it.

    Args:
        marked: an x at which an upright line stands.
    """
    shown = [_thinned(one) for one in series if len(one.x)]
    x = Axis.over([a for one in shown for a in one.x], LEFT, WIDTH - RIGHT)
    y = Axis.over([b for one in shown for b in one.y], HEIGHT - BOTTOM, TOP, log=True)
    lines = [
        tag(
            "polyline",
            points=" ".join(f"{x.at(a)},{y.at(b)}" for a, b in zip(one.x, one.y, strict=True)),
            class_=f"line s{number}",
        )
        for number, one in enumerate(shown)
    ]
    dots = [
        tag("circle", cx=x.at(one.x[0]), cy=y.at(one.y[0]), r=3, class_=f"dot s{number}")
        for number, one in enumerate(shown)
        if len(one.x) == 1
    ]
    upright = [] if marked is None else [_upright(x, marked)]
    return _chart([*upright, *lines, *dots], shown, x, y, title, x_label, y_label)


def scatter_chart(
    series: Sequence[Series],
    title: str,
    x_label: str,
    y_label: str,
    *,
    marked: float | None = None,
    diagonal: bool = False,
) -> Html:
    """Points, each named by its series and its number; axes are logarithmic where the values need it.

    Args:
        marked: an x at which an upright line stands.
        diagonal: whether to draw x = y; both axes then have one scale.
    """
    shown = [one for one in series if len(one.x)]
    marks = [] if marked is None else [marked]
    values = [[*marks, *(a for one in shown for a in one.x)], [b for one in shown for b in one.y]]
    if diagonal:
        values = [values[0] + values[1]] * 2
    x = Axis.over(values[0], LEFT, WIDTH - RIGHT, from_zero=True, log=True)
    y = Axis.over(values[1], HEIGHT - BOTTOM, TOP, from_zero=True, log=True)
    lines = [_upright(x, mark) for mark in marks]
    if diagonal:
        lines.append(tag("line", x1=x.at(x.low), y1=y.at(y.low), x2=x.at(x.high), y2=y.at(y.high), class_="rule"))
    dots = [
        tag(
            "circle",
            tag("title", f"{one.name} {i}: {a:.4g}, {b:.4g}"),
            cx=x.at(a),
            cy=y.at(b),
            r=3.2,
            class_=f"dot s{number}",
        )
        # The first series, which the chart is about, is drawn last, above the others.
        for number, one in reversed(list(enumerate(shown)))
        for i, (a, b) in enumerate(zip(one.x, one.y, strict=True))
    ]
    return _chart([*lines, *dots], shown, x, y, title, x_label, y_label)


def histogram(
    values: Sequence[float],
    title: str,
    x_label: str,
    *,
    low: float,
    high: float,
    bins: int = 25,
    y_label: str = "count",
    marked: float | None = None,
) -> Html:
    """How many values fall into each of `bins` equal parts of [low, high]; values beyond count at the ends."""
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, max(0, int((value - low) / (high - low) * bins)))] += 1
    width = (high - low) / bins
    x = Axis(low, high, LEFT, WIDTH - RIGHT)
    y = Axis(0.0, max([*counts, 1]) * 1.06, HEIGHT - BOTTOM, TOP)
    bars = []
    for i, count in enumerate(counts):
        left, right = low + i * width, low + (i + 1) * width
        if count:
            about = tag("title", f"{left:.3g} to {right:.3g}: {count}")
            bars.append(
                tag(
                    "rect",
                    about,
                    x=x.at(left),
                    y=y.at(float(count)),
                    width=round(x.at(right) - x.at(left) - 1, 1),
                    height=round(y.at(0.0) - y.at(float(count)), 1),
                    class_="bar s0",
                )
            )
    upright = [] if marked is None else [_upright(x, marked)]
    return _chart([*bars, *upright], [], x, y, title, x_label, y_label)


def _upright(x: Axis, value: float) -> Html:
    return tag("line", x1=x.at(value), x2=x.at(value), y1=TOP, y2=HEIGHT - BOTTOM, class_="rule")


def _thinned(one: Series) -> Series:
    step = math.ceil(len(one.x) / MAX_POINTS)
    return Series(one.name, one.x[::step], one.y[::step])


def _chart(
    content: list[Html], named: Sequence[Series], x: Axis, y: Axis, title: str, x_label: str, y_label: str
) -> Html:
    """Content in a frame of axes; the legend stands above the picture as text of the page."""
    base, middle = HEIGHT - BOTTOM, (TOP + HEIGHT - BOTTOM) / 2
    grid = [tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y.at(t), y2=y.at(t), class_="grid") for t in y.ticks()]
    labels = [tag("text", _tick(t), x=LEFT - 7, y=y.at(t) + 4, text_anchor="end") for t in y.ticks()]
    labels += [tag("text", _tick(t), x=x.at(t), y=base + 17, text_anchor="middle") for t in x.ticks()]
    labels.append(
        tag("text", x_label, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 6, text_anchor="middle", class_="label")
    )
    labels.append(
        tag("text", y_label, x=13, y=middle, text_anchor="middle", class_="label", transform=f"rotate(-90 13 {middle})")
    )
    axis = tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=base, y2=base, class_="axis")
    svg = tag(
        "svg",
        tag("title", title),
        grid,
        content,
        axis,
        labels,
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        aria_label=title,
    )
    legend = None
    if len(named) > 1:
        legend = tag(
            "p", [tag("span", tag("i", class_=f"key s{i}"), one.name) for i, one in enumerate(named)], class_="legend"
        )
    return tag("figure", tag("figcaption", title), legend, svg, class_="chart")


def _tick(value: float) -> str:
    value = 0.0 if abs(value) < 1e-12 else value
    if 0 < abs(value) < 1e-3:
        mantissa, _, power = f"{value:.2e}".partition("e")
        return f"{float(mantissa):g}e{int(power)}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
