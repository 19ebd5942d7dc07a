"""Builds SVG text, escaped, with no more than a handful of elements."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from testbed.report.looks import LOOKS

Point = tuple[float, float]


def element(tag: str, *children: str, **attributes: object) -> Markup:
    """Return an element. ``class_`` stands for ``class``, other ``_`` in names for ``-``.

    Attributes that are ``None`` are left out; numbers are rounded to a tenth of a pixel.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _value(value))
        for name, value in attributes.items()
        if value is not None
    )
    content = Markup("").join(escape(child) for child in children)
    return Markup("<{}{}>{}</{}>").format(tag, written, content, tag)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value)


def text(x: float, y: float, content: str, class_: str, anchor: str | None = None) -> Markup:
    """Return a line of text."""
    return element("text", content, x=x, y=y, class_=class_, text_anchor=anchor)


def line(start: Point, end: Point, class_: str) -> Markup:
    """Return a straight line."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=class_)


def box(left: float, top: float, width: float, height: float, class_: str) -> Markup:
    """Return a rectangle; a negative width or height is taken as none."""
    return element(
        "rect", x=left, y=top, width=max(width, 0.0), height=max(height, 0.0), class_=class_
    )


def path(points: Iterable[Point], class_: str, closed: bool = False) -> Markup:
    """Return a line through points, closed to an area if asked for."""
    steps = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return element("path", d=f"M{steps}{' Z' * closed}", class_=class_)


def marker(at: Point, side: int, size: float = 3.0) -> Markup:
    """Return the mark of a side: a disc for the first, a hollow square for the second."""
    x, y = at
    if not LOOKS[side].corners:
        return element("circle", cx=x, cy=y, r=size, class_=f"mark s{side}")
    corners = ((x + size * across, y + size * down) for across, down in LOOKS[side].corners)
    return path(corners, f"mark s{side}", closed=True)


def swatch(side: int) -> Markup:
    """Return the entry of a legend for the line and the mark of a side."""
    return element(
        "svg",
        path([(0, 6), (34, 6)], f"line s{side}"),
        marker((17, 6), side, 3.5),
        class_="swatch",
        viewBox="0 0 34 12",
        aria_hidden="true",
        xmlns="http://www.w3.org/2000/svg",
    )


def key(style: int) -> Markup:
    """Return the entry of a legend for a fill."""
    return element(
        "svg",
        box(0.5, 0.5, 17, 11, f"part p{style}"),
        class_="key",
        viewBox="0 0 18 12",
        aria_hidden="true",
        xmlns="http://www.w3.org/2000/svg",
    )


def picture(
    size: Point, name: str, title: str, description: str, *children: str, class_: str = "chart"
) -> Markup:
    """Return a whole image with a title and a description for who cannot see it.

    ``name`` has to be unique on the page.
    """
    width, height = size
    return element(
        "svg",
        element("title", title, id=f"{name}-t"),
        element("desc", description, id=f"{name}-d"),
        *children,
        class_=class_,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{name}-t {name}-d",
        style=f"--w:{width:g}px",
        xmlns="http://www.w3.org/2000/svg",
    )
