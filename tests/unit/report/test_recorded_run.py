"""A run that was recorded long ago still gives the figures that it gave then."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from testbed.runs.compare.report import rebuild
from tests.support.paths import ROOT

# Two blocks of both designs, three users, recorded on 2026-11-26, with the figures of then; those
# that came later have been added, and none was changed for it.
RECORDED = ROOT / "tests" / "data" / "recorded_run"
FIGURES = ("comparison.csv", "trials.csv", "inside.csv")


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "compare" / "20261126T185402Z"
    shutil.copytree(RECORDED, folder)
    for name in FIGURES:
        (folder / name).unlink()
    rebuild.write(folder)
    return folder


@pytest.mark.parametrize("name", FIGURES)
def test_a_recorded_run_gives_the_figures_that_it_gave_then(rebuilt: Path, name: str) -> None:
    assert (rebuilt / name).read_text() == (RECORDED / name).read_text()
