"""Recordings of earlier formats are read as if they were of the newest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testbed.record.formats import FORMAT, with_sides
from testbed.runs.compare import resume
from testbed.runs.compare.report import rebuild
from testbed.runs.compare.resume import ResumeError
from tests.support.experiments import Experiment, damage, plan


def old_plan(**changes: Any) -> dict[str, Any]:
    """A plan as format 2 had it."""
    given = plan(**changes)
    return {"designs" if key == "sides" else key: value for key, value in given.items()}


def test_two_designs_are_two_sides_and_thresholds_are_of_sides() -> None:
    threshold = {"metric": "completion_p50_ms", "design": "b", "max": 5}
    old = {"format": 2, "plan": {"designs": ["a", "b"], "thresholds": [threshold]}}
    assert with_sides(old)["plan"] == {
        "sides": ["a", "b"],
        "thresholds": [{"metric": "completion_p50_ms", "side": "b", "max": 5}],
    }
    assert with_sides({"format": FORMAT, "plan": {"sides": ["a"]}})["plan"] == {"sides": ["a"]}


def test_several_pairs_of_designs_are_cells_with_sides_of_their_own(tmp_path: Path) -> None:
    """Each trial is of the design that it names, whatever the first pair is."""
    cells = ({"designs": "a,a"}, {"designs": "b,b"})
    folder = tmp_path / "aa" / "1"
    Experiment(plan=plan(sides=["a", "a"]), blocks=2, seconds=5, cells=cells).write(folder)
    for path in folder.glob("trials/*/trial.json"):
        text = path.read_text()
        if '"b,b"' in text:
            path.write_text(text.replace('"design": "a"', '"design": "b"'))
    pairs = old_plan(sides=["a", "a"], pairs=[["a", "a"], ["b", "b"]], blocks=2)
    damage(folder, format=2, plan=pairs)
    rebuilt = rebuild.write(folder)
    assert [cell.sides for cell in rebuilt.comparison.cells] == [("a", "a"), ("b", "b")]
    assert rebuilt.page is not None
    text = rebuilt.page.read_text()
    assert "Design A against itself and design B against itself" in text


def test_run_of_an_earlier_format_is_not_resumed(tmp_path: Path) -> None:
    folder = Experiment(blocks=1, seconds=5).write(tmp_path / "run")
    assert resume.read(folder)["format"] == FORMAT
    damage(folder, format=2, plan=old_plan())
    with pytest.raises(ResumeError, match="recorded by an earlier version") as caught:
        resume.read(folder)
    assert "testbed report reads it" in caught.value.hint
