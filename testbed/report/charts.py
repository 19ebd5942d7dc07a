"""Charts as SVG: lines over two axes, stacked bars, and ratios with their intervals.

Every chart says who is who without colour: the first side is a solid line, a disc and a plain fill,
the second a dashed line, a square and a hatched fill, and so on (:mod:`testbed.report.looks`).
Colours are CSS variables of the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from testbed.report import svg
from testbed.report.scales import Log, Scale
from testbed.report.svg import Point

LEFT, RIGHT, TOP, BOTTOM = 46.0, 26.0, 24.0, 40.0
ROW, BAR, LETTER, TOTAL = 24.0, 15.0, 7.0, 76.0
PARTS = 8
# Letters that there is room for at the end of a line.
LONGEST_END = 2
STRIP = (260.0, 26.0)


@dataclass(frozen=True)
class ChartLine:
    """A line: ``side`` gives its style; ``low`` and ``high`` bound a band around it."""

    name: str
    side: int
    points: Sequence[Point]
    low: Sequence[Point] = ()
    high: Sequence[Point] = ()
    thin: bool = False
    marked: bool = False


@dataclass(frozen=True)
class Axes:
    """Both axes of a chart with what they mean."""

    x: Scale
    y: Scale
    x_title: str
    y_title: str


@dataclass(frozen=True)
class BarPart:
    """A piece of a bar; ``style`` is one of :data:`PARTS` fills, ``None`` that of its side."""

    name: str
    value: float
    style: int | None = None


@dataclass(frozen=True)
class Bar:
    """A bar of ``parts`` from the left, with what is written beside it."""

    label: str
    side: int
    parts: Sequence[BarPart]
    total: str


@dataclass(frozen=True)
class Strip:
    """A ratio on an axis: the estimate, its interval, and how far noise reaches.

    ``strength`` is the style of the side that is better, as in ``s1``, ``none`` or ``few``.
    """

    estimate: float
    low: float
    high: float
    noise: tuple[float, float] | None = None
    strength: str = "none"


class _Frame:
    """The area between the axes."""

    def __init__(self, size: Point, axes: Axes) -> None:
        self.width, self.height = size
        self.axes = axes
        self.right = self.width - RIGHT
        self.bottom = self.height - BOTTOM

    def at(self, point: Point) -> Point:
        """Return where a point lies in the picture, held within the frame."""
        x = min(max(self.axes.x.place(point[0]), 0.0), 1.0)
        y = min(max(self.axes.y.place(point[1]), 0.0), 1.0)
        return LEFT + x * (self.right - LEFT), self.bottom - y * (self.bottom - TOP)

    def shade(self, stretch: Point | None) -> list[Markup]:
        """Set a stretch of the x axis off."""
        if stretch is None or stretch[1] <= stretch[0]:
            return []
        left, right = (self.at((value, self.axes.y.ticks()[0][0]))[0] for value in stretch)
        return [svg.box(left, TOP, right - left, self.bottom - TOP, "noise")]

    def grid(self) -> list[Markup]:
        """Draw ticks, their text and the titles of the axes."""
        drawn: list[Markup] = []
        for value, label in self.axes.y.ticks():
            y = self.bottom - self.axes.y.place(value) * (self.bottom - TOP)
            drawn.append(svg.line((LEFT, y), (self.right, y), "grid"))
            drawn.append(svg.text(LEFT - 6, y + 3.5, label, "tick", "end"))
        for value, label in self.axes.x.ticks():
            x = LEFT + self.axes.x.place(value) * (self.right - LEFT)
            drawn.append(svg.line((x, self.bottom), (x, self.bottom + 4), "axis"))
            drawn.append(svg.text(x, self.bottom + 16, label, "tick", "middle"))
        drawn.append(svg.line((LEFT, self.bottom), (self.right, self.bottom), "axis"))
        middle = (LEFT + self.right) / 2
        drawn.append(svg.text(middle, self.height - 6, self.axes.x_title, "title", "middle"))
        drawn.append(svg.text(4, 10, self.axes.y_title, "title"))
        return drawn


def lines(
    size: Point,
    name: str,
    title: str,
    description: str,
    axes: Axes,
    series: Sequence[ChartLine],
    shade: Point | None = None,
) -> Markup:
    """Draw lines with their bands; the name of a line that is not thin stands at its end.

    Where a name is too long for that, all have their mark there, which the legend explains.
    ``shade`` is a stretch of the x axis that is set off from the rest.
    """
    frame = _Frame(size, axes)
    drawn = [*frame.shade(shade), *frame.grid()]
    for each in series:
        if each.low and each.high:
            outline = [frame.at(point) for point in (*each.high, *reversed(each.low))]
            drawn.append(svg.path(outline, f"band s{each.side}", closed=True))
    for each in series:
        drawn += _line(frame, each)
    drawn += _ends(frame, [each for each in series if each.points and not each.thin])
    return svg.picture(size, name, title, description, *drawn)


def _line(frame: _Frame, series: ChartLine) -> list[Markup]:
    points = [frame.at(point) for point in series.points]
    drawn = []
    if len(points) > 1:
        drawn.append(svg.path(points, f"line s{series.side}{' thin' * series.thin}"))
    if series.marked or len(points) == 1:
        drawn += [svg.marker(point, series.side) for point in points]
    return drawn


def _ends(frame: _Frame, series: Sequence[ChartLine]) -> list[Markup]:
    """Write the names at the ends of lines, moved apart where they would touch."""
    if any(len(each.name) > LONGEST_END for each in series):
        return [svg.marker(frame.at(each.points[-1]), each.side, 3.5) for each in series]
    ends = sorted(((frame.at(each.points[-1]), each) for each in series), key=lambda end: end[0][1])
    drawn, last = [], -100.0
    for (x, y), each in ends:
        last = max(y + 4, last + 12)
        drawn.append(svg.text(x + 6, last, each.name, f"end s{each.side}"))
    return drawn


def bars(
    width: float, name: str, title: str, description: str, rows: Sequence[Bar], unit: str
) -> Markup:
    """Draw horizontal bars of one scale, each of one or more parts."""
    most = max((sum(part.value for part in row.parts) for row in rows), default=0.0) or 1.0
    left = 12.0 + max((len(row.label) for row in rows), default=0) * LETTER
    reach = width - left - TOTAL
    drawn: list[Markup] = []
    for index, row in enumerate(rows):
        top, x = index * ROW + 4, left
        drawn.append(svg.text(left - 8, top + BAR - 3, row.label, "label", "end"))
        for part in row.parts:
            style = f"s{row.side}-fill" if part.style is None else f"p{part.style % PARTS}"
            length = part.value / most * reach
            hint = svg.element("title", f"{part.name}: {part.value:.3g} {unit}")
            cell = svg.box(x, top, length, BAR, f"part {style}")
            drawn.append(svg.element("g", hint, cell))
            x += length
        drawn.append(svg.text(x + 6, top + BAR - 3, row.total, "total"))
    return svg.picture((width, ROW * len(rows) + 6), name, title, description, *drawn)


def strip(scale: Log, shown: Strip, name: str, title: str) -> Markup:
    """Draw one ratio: noise as a band, the interval as a line, the estimate as a mark."""
    width, height = STRIP
    middle = height / 2

    def x(value: float) -> float:
        return 6 + min(max(scale.place(value), 0.0), 1.0) * (width - 12)

    drawn = []
    if shown.noise is not None:
        low, high = map(x, shown.noise)
        drawn.append(svg.box(low, 0, high - low, height, "noise"))
    drawn += [svg.line((x(value), 0), (x(value), height), "grid") for value, _ in scale.ticks()]
    drawn.append(svg.line((x(1), 0), (x(1), height), "one"))
    drawn.append(svg.line((x(shown.low), middle), (x(shown.high), middle), "reach"))
    for value in (shown.low, shown.high):
        if scale.low <= value <= scale.high:
            drawn.append(svg.line((x(value), middle - 4), (x(value), middle + 4), "reach"))
        else:
            drawn.append(_arrow(x(value), middle, -1 if value < scale.low else 1))
    drawn.append(_estimate((x(shown.estimate), middle), shown.strength))
    return svg.picture(STRIP, name, title, title, *drawn, class_="strip")


def _estimate(at: Point, strength: str) -> Markup:
    """Draw the estimate like the side that is better, and as a ring where neither is."""
    x, y = at
    if strength.startswith("s"):
        return svg.marker(at, int(strength[1:]), 4.5)
    return svg.element("circle", cx=x, cy=y, r=4.0, class_="mark none")


def _arrow(x: float, y: float, way: int) -> Markup:
    return svg.path([(x - 5 * way, y - 4), (x, y), (x - 5 * way, y + 4)], "reach open")


def strip_axis(scale: Log) -> Markup:
    """Draw the axis that all strips of a table share."""
    width, height = STRIP[0], 16.0
    drawn = [
        svg.text(6 + scale.place(value) * (width - 12), 12, label, "tick", "middle")
        for value, label in scale.ticks()
    ]
    return svg.element(
        "svg",
        *drawn,
        class_="strip",
        viewBox=f"0 0 {width:g} {height:g}",
        aria_hidden="true",
        xmlns="http://www.w3.org/2000/svg",
    )
