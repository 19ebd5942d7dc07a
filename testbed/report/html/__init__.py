"""The report as one HTML file that needs nothing else: no network, no script, no other file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from testbed.report import noise as noises
from testbed.report.html import build
from testbed.report.html.page import render
from testbed.report.html.view import read
from testbed.report.noise import NoiseFloor

REPORT = "report.html"


def write(
    experiment_folder: Path,
    noise: NoiseFloor | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write ``report.html`` into the folder of an experiment and return its path.

    Everything is worked out from the folder; without ``noise`` the noise floor is that of the
    newest control made on the same machine, if there is one. ``told`` hears what goes on. Raises
    :class:`testbed.errors.TestbedError` naming what is missing or damaged.
    """
    view = read(experiment_folder, noise or noises.find(experiment_folder), told)
    told("drawing")
    path = experiment_folder / REPORT
    temporary = path.with_name(f".{REPORT}.partial")
    temporary.write_text(render("report.html.j2", build.page(view)), encoding="utf-8")
    temporary.replace(path)
    return path
