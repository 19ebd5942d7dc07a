"""How a reader distinguishes sides: by shape, dashes and hatching, and by colour besides.

Every side has a look of its own, so that a page is as clear in grey and on paper. The first two are
styled in ``style.css``; the pages style the others from here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True)
class Look:
    """How one side looks.

    ``glyph`` stands before a verdict and has the form of the mark in charts, which is the polygon
    of ``corners`` (of a square from -1 to 1, y downwards), a disc if empty. ``is_hollow`` marks are
    outlined. ``dashes`` are those of lines, as SVG has them; ``hatch`` is angle, distance and width
    of the stripes of a fill. Colours are of light and dark screens.
    """

    glyph: str
    corners: tuple[Point, ...]
    is_hollow: bool
    dashes: str
    hatch: tuple[int, float, float]
    light: str
    dark: str


def _regular(count: int, turn: float = -90.0, inner: float = 1.0) -> tuple[Point, ...]:
    """Return the corners of a regular polygon, of a star if every other one is further in."""
    angles = [math.radians(turn + 360 * index / count) for index in range(count)]
    reach = [1.15 if index % 2 == 0 else 1.15 * inner for index in range(count)]
    return tuple(
        (round(r * math.cos(a), 3), round(r * math.sin(a), 3))
        for r, a in zip(reach, angles, strict=True)
    )


_SQUARE = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))
_UP, _DOWN, _DIAMOND = _regular(3), _regular(3, 90.0), _regular(4)
_STAR, _PLUS, _HEXAGON = _regular(10, inner=0.45), _regular(8, inner=0.35), _regular(6)

LOOKS: Sequence[Look] = (
    Look("●", (), False, "", (0, 1, 0), "#1d5f9e", "#75b4ee"),
    Look("■", _SQUARE, True, "6 3", (45, 5, 2), "#b4500b", "#f0a067"),
    Look("▲", _UP, False, "2 3", (-45, 5, 2), "#2d6b3f", "#7cc492"),
    Look("◇", _DIAMOND, True, "10 3 2 3", (0, 4, 2), "#86357f", "#d795d0"),
    Look("▼", _DOWN, False, "14 4", (90, 4, 2), "#705600", "#d6b656"),
    Look("☆", _STAR, True, "6 2 1 2 1 2", (45, 9, 6), "#0b6b73", "#6cc5cd"),
    Look("✚", _PLUS, False, "3 6", (-45, 9, 6), "#a3264b", "#f090ab"),
    Look("△", _UP, True, "14 3 4 3", (0, 8, 5), "#4a4cb0", "#a9aaf2"),
    Look("◆", _DIAMOND, False, "1 4", (90, 8, 5), "#53611b", "#b5c776"),
    Look("▽", _DOWN, True, "8 2", (45, 4, 1), "#6b4a33", "#c9a587"),
    Look("★", _STAR, False, "5 4 1 4", (-45, 4, 1), "#3a5666", "#9dbccb"),
    Look("⬡", _HEXAGON, True, "18 6", (0, 3, 1), "#5c5c5c", "#b9b9b9"),
)
