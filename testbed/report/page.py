"""What a report is made of: tables, charts, blocks and sections, as the templates take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from testbed.errors import TestbedError
from testbed.report import svg
from testbed.report.looks import LOOKS

REPORT = "report.html"
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("testbed.report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals.update(swatch=svg.swatch, looks=LOOKS)


@dataclass(frozen=True)
class Table:
    """Rows of text. ``numeric`` columns are set flush right, ``marked`` rows stand out."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[int] = frozenset()
    marked: frozenset[int] = frozenset()
    caption: str = ""


@dataclass(frozen=True)
class Chart:
    """A picture with a heading over it and a caption under it."""

    svg: Markup
    heading: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Key:
    """An entry of a legend."""

    svg: Markup
    name: str


@dataclass(frozen=True)
class RatioRow:
    """A metric with both sides, the ratio drawn and written, and its verdict."""

    label: str
    unit: str
    values: tuple[str, str]
    strip: Markup | str
    ratio: str
    interval: str
    style: str
    short: str


@dataclass(frozen=True)
class RatioGroup:
    """Metrics that belong together."""

    name: str
    rows: Sequence[RatioRow]


@dataclass(frozen=True)
class Ratios:
    """A table of ratios on one axis; ``of`` says what a row is.

    ``labels`` head the two columns of figures.
    """

    labels: Sequence[str]
    axis: Markup
    ratio_label: str
    confidence: str
    groups: Sequence[RatioGroup]
    of: str = "Metric"


@dataclass(frozen=True)
class Block:
    """Part of a section. ``behind`` is a table that is shown on demand, under its own name."""

    heading: str = ""
    text: Sequence[str] = ()
    legend: Sequence[Key] = ()
    charts: Sequence[Chart] = ()
    behind: Table | None = None
    behind_name: str = "The figures as a table"
    table: Table | None = None
    ratios: Ratios | None = None
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a report; ``short`` is its name in the contents."""

    id: str
    short: str
    title: str
    intro: Sequence[str] = ()
    blocks: Sequence[Block] = ()
    notes: Sequence[str] = ()
    command: str = ""


@dataclass(frozen=True)
class VerdictText:
    """A verdict in plain words. ``style`` is ``s0``, ``s1`` and so on, ``none`` or ``few``."""

    style: str
    short: str
    sentence: str
    basis: str


@dataclass(frozen=True)
class CellVerdicts:
    """The verdicts of one cell of the plan: a sentence each, or a table of many sides."""

    name: str
    verdicts: Sequence[VerdictText]
    table: Table | None = None


@dataclass(frozen=True)
class Alert:
    """Something to know before anything else is read."""

    head: str
    text: str


@dataclass(frozen=True)
class ReportPage:
    """A report of one experiment."""

    name: str
    title: str
    when: str
    labels: Sequence[str]
    titles: Sequence[str]
    what_ran: Sequence[str]
    summary: Sequence[str]
    alerts: Sequence[Alert]
    matrix: Table | None
    verdicts: Sequence[CellVerdicts]
    method: Sequence[str]
    sections: Sequence[Section]
    footer: str


@dataclass(frozen=True)
class RunsPage:
    """A report of several experiments side by side."""

    title: str
    summary: str
    alerts: Sequence[Alert]
    sections: Sequence[Section]
    footer: str


@dataclass(frozen=True)
class FaultPage:
    """A report of a fault run. ``styles`` has for each label the side whose style it has."""

    name: str
    title: str
    when: str
    labels: Sequence[str]
    titles: Sequence[str]
    styles: Sequence[int]
    what_ran: Sequence[str]
    summary: Sequence[str]
    alerts: Sequence[Alert]
    sections: Sequence[Section]
    footer: str


def render(template: str, page: ReportPage | RunsPage | FaultPage) -> str:
    """Return the HTML of a page, with its style inside."""
    return _TEMPLATES.get_template(template).render(page=page)


def save(path: Path, text: str) -> Path:
    """Write a page so that a reader finds the old one or the new one, never a half.

    Raises :class:`TestbedError` if it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise TestbedError(f"{path} cannot be written: {error.strerror}") from error
    return path
