"""The report of an experiment that was driven."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from testbed.drive import outputs
from testbed.report import console
from testbed.runs.compare import run as runner
from testbed.runs.compare import session


def test_report_of_a_driven_experiment_has_every_file(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = outputs.new_folder(bench.home / "results", "test")
    machine = {"cpu": "c", "cores": 2, "memory_bytes": 1, "system": "s", "kernel": "k"}
    session.run(bench.plan, {"machine": machine}, folder, bench.tools, bench.workload)
    text = io.StringIO()
    monkeypatch.setattr(console, "out", Console(file=text, width=160))
    assert runner.report(folder).comparison.complete
    assert "SubmitJob p50" in text.getvalue()
    names = {path.name for path in folder.iterdir()}
    assert names >= {"report.html", "comparison.json", "comparison.csv", "trials.csv"}
