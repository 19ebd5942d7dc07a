"""A timeline of a fault run: calls answered and failed, the backlog below, every fault shaded.

Faults are numbered in their order; where there is room their names stand beside the numbers. A
fault that cost a process its memory has a solid bar on top, any other an open one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

from markupsafe import Markup

from testbed.report import svg
from testbed.report.scales import Linear
from testbed.report.svg import Point
from testbed.runs.faults.figures.model import SECOND, FaultFigures

WIDTH = 880.0
LEFT, RIGHT = 46.0, 74.0
NAMES, BAR, BELOW_BAR = 46.0, 5.0, 10.0
CALLS, GAP, JOBS, FOOT = 150.0, 30.0, 76.0, 36.0
LETTER, DIGIT = 6.0, 7.0
MOST_POINTS = 400


@dataclass(frozen=True)
class Reach:
    """How far the axes go, the same for all timelines that stand under each other."""

    seconds: float
    calls: float
    jobs: float

    @classmethod
    def of(cls, figures: Sequence[FaultFigures]) -> Reach:
        """Return what holds all trials."""
        lines = [each.timeline for each in figures]
        rates = [
            rate
            for each in lines
            for values in (each.answered, each.errors)
            for _, rate in _binned(values, mean)
        ]
        jobs = [count for each in lines for count in each.backlog]
        return cls(
            max([1.0, *(each.seconds for each in figures)]),
            max([1.0, *rates]),
            float(max([1, *jobs])),
        )


class _Panel:
    """One chart of the picture, between ``top`` and ``bottom``."""

    def __init__(
        self, top: float, height: float, x: Linear, y: Linear, title: str, title_at: float
    ) -> None:
        self.top, self.bottom = top, top + height
        self._x, self._y, self._title, self._title_at = x, y, title, title_at

    def x(self, seconds: float) -> float:
        """Return where a second lies."""
        return LEFT + min(max(self._x.place(seconds), 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def at(self, point: Point) -> Point:
        """Return where a value lies."""
        y = min(max(self._y.place(point[1]), 0.0), 1.0)
        return self.x(point[0]), self.bottom - y * (self.bottom - self.top)

    def grid(self) -> Iterator[Markup]:
        """Draw the values of the y axis and its title."""
        right = WIDTH - RIGHT
        for value, label in self._y.ticks():
            y = self.at((0.0, value))[1]
            yield svg.line((LEFT, y), (right, y), "grid")
            yield svg.text(LEFT - 6, y + 3.5, label, "tick", "end")
        yield svg.line((LEFT, self.bottom), (right, self.bottom), "axis")
        yield svg.text(4, self._title_at, self._title, "title")

    def line(self, points: Sequence[Point], class_: str) -> Markup:
        """Draw a line."""
        return svg.path([self.at(point) for point in points], f"line {class_}")

    def area(self, points: Sequence[Point], class_: str) -> Markup:
        """Fill the area under a line."""
        ends = [(points[0][0], 0.0), *points, (points[-1][0], 0.0)]
        return svg.path([self.at(point) for point in ends], class_, closed=True)

    def name(self, value: float, text: str, class_: str) -> Markup:
        """Write a name at the right end of a line that ends at ``value``."""
        return svg.text(WIDTH - RIGHT + 6, self.at((0.0, value))[1] + 4, text, class_)


def picture(figures: FaultFigures, label: str, side: int, reach: Reach, name: str) -> Markup:
    """Draw the timeline of a trial, in the style of its side. ``name`` is unique on the page."""
    x = Linear(0.0, reach.seconds, 8)
    rates, counts = Linear.around([reach.calls], 4), Linear.around([reach.jobs], 2)
    top = NAMES + BAR + BELOW_BAR
    calls = _Panel(top, CALLS, x, rates, "calls per second", 10.0)
    under = calls.bottom + GAP
    jobs = _Panel(under, JOBS, x, counts, "jobs queued or running", under - 8)
    has_jobs = bool(figures.timeline.backlog)
    last = jobs if has_jobs else calls
    drawn = [*_faults(figures, calls, last), *calls.grid(), *_calls(figures, calls, side)]
    if has_jobs:
        drawn += [*jobs.grid(), *_backlog(figures, jobs, side)]
    for value, text in x.ticks():
        drawn.append(
            svg.line((last.x(value), last.bottom), (last.x(value), last.bottom + 4), "axis")
        )
        drawn.append(svg.text(last.x(value), last.bottom + 16, text, "tick", "middle"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    drawn.append(
        svg.text(middle, last.bottom + 31, "seconds since the load began", "title", "middle")
    )
    return svg.picture(
        (WIDTH, last.bottom + FOOT),
        name,
        f"{label} over time, with every fault",
        description(figures),
        *drawn,
        class_="chart faultline",
    )


def description(figures: FaultFigures) -> str:
    """Say in words what the picture shows."""
    listed = "; ".join(
        f"{number}: {fault.name} from {_offset(figures, fault.begun_us):.0f} to "
        f"{_offset(figures, fault.ended_us):.0f} s"
        for number, fault in enumerate(figures.faults, start=1)
    )
    answered, errors = sum(figures.timeline.answered), sum(figures.timeline.errors)
    return f"{answered:,} calls answered, {errors:,} failed. Faults: {listed or 'none'}."


def _offset(figures: FaultFigures, moment: int) -> float:
    return (moment - figures.begun_us) / SECOND


def _binned(values: Sequence[int], of: Callable[[Sequence[int]], float]) -> list[Point]:
    """Return one point for so many seconds that the line can be drawn, in the middle of them."""
    step = max(1, -(-len(values) // MOST_POINTS))
    return [
        (start + min(step, len(values) - start) / 2, float(of(values[start : start + step])))
        for start in range(0, len(values), step)
    ]


def _calls(figures: FaultFigures, panel: _Panel, side: int) -> Iterator[Markup]:
    answered = _binned(figures.timeline.answered, mean)
    errors = _binned(figures.timeline.errors, mean)
    if not answered:
        return
    yield panel.area(errors, "errors")
    yield panel.line(errors, "failed")
    yield panel.line(answered, f"s{side}")
    high, low = answered[-1][1], errors[-1][1]
    apart = abs(panel.at((0.0, high))[1] - panel.at((0.0, low))[1]) >= 14
    yield panel.name(high, "answered", f"end s{side}")
    yield panel.name(low if apart else 0.0, "failed", "end failed")


def _backlog(figures: FaultFigures, panel: _Panel, side: int) -> Iterator[Markup]:
    points = _binned(figures.timeline.backlog, max)
    yield panel.area(points, f"band s{side}")
    yield panel.line(points, f"s{side}")
    yield panel.name(points[-1][1], "backlog", f"end s{side}")


def _faults(figures: FaultFigures, top: _Panel, bottom: _Panel) -> Iterator[Markup]:
    """Shade the time of every fault and write which one it is, as far as there is room."""
    bar = top.top - BAR - BELOW_BAR
    texts = list(_texts(figures, top))
    for fault in figures.faults:
        left = top.x(_offset(figures, fault.begun_us))
        width = max(top.x(_offset(figures, fault.ended_us)) - left, 1.0)
        style = "lossy" if fault.loss else "mild"
        hint = svg.element("title", f"{fault.name}, {fault.seconds:.1f} s")
        shade = svg.box(left, bar, width, bottom.bottom - bar, f"fault {style}")
        yield svg.element("g", hint, shade, svg.box(left, bar, width, BAR, f"fault-bar {style}"))
    for x, line, text, anchor in texts:
        yield svg.text(x, bar - 6 - 13 * line, text, "fault-name", anchor)


def _texts(figures: FaultFigures, panel: _Panel) -> Iterator[tuple[float, int, str, str]]:
    """Place names in two lines in turn; if those do not fit, numbers, as many as do."""
    names = [f"{n} {fault.name}" for n, fault in enumerate(figures.faults, start=1)]
    places = [panel.x(_offset(figures, fault.begun_us)) for fault in figures.faults]
    ends = [*places[2:], WIDTH, WIDTH]
    if all(
        x + len(name) * LETTER <= end for x, name, end in zip(places, names, ends, strict=False)
    ):
        for index, (x, name) in enumerate(zip(places, names, strict=True)):
            yield x, index % 2, name, "start"
        return
    free = 0.0
    for number, x in enumerate(places, start=1):
        if x >= free:
            yield x, 0, str(number), "start"
            free = x + (len(str(number)) + 1) * DIGIT
