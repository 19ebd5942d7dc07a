"""The report as one HTML file that needs nothing else: no network, no script, no other file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from testbed.report.page import REPORT, render, save
from testbed.runs.compare.report.html import build, runs
from testbed.runs.compare.report.html.view import View, read


def write(
    experiment_folder: Path,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write ``report.html`` into the folder of an experiment and return its path.

    Everything is worked out from the folder. ``on_progress`` is called with what goes on. Raises
    :class:`testbed.errors.TestbedError` naming what is missing or damaged.
    """
    view = read(experiment_folder, on_progress)
    on_progress("drawing")
    return draw(view)


def draw(view: View) -> Path:
    """Write the page of an experiment that has been read, and return its path."""
    return save(view.folder / REPORT, render("report.html.j2", build.page(view)))


def write_several(
    experiment_folders: Sequence[Path],
    path: Path,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write one page that compares several experiments to ``path``, and return it.

    Raises :class:`testbed.errors.TestbedError` naming what is missing or damaged.
    """
    views = [read(folder, on_progress) for folder in experiment_folders]
    on_progress("drawing")
    return save(path, render("runs.html.j2", runs.page(views)))
