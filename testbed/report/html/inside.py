"""Where the time of a call goes, by the processes' own clocks."""

from __future__ import annotations

from testbed.report.html.page import Section
from testbed.report.html.view import View


def section(view: View) -> Section:
    """Return the section of the inside view."""
    return Section(
        "inside",
        "Where time goes",
        "Where the time goes",
        ["The trials have no record of the processes' own metrics, so this part is empty."],
    )
