"""The workflows for CI: what they call is there, and what they upload is written."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from testbed.cli import commands
from testbed.cli.main import make_app
from testbed.runs.compare.run import COMPARISON_JSON, JUNIT_XML, REPORT, SUMMARY_MD
from tests.examples.conftest import EXAMPLES
from tests.support.stacks import ROOT

PULL_REQUEST = EXAMPLES / "ci" / "pull_request.yml"
_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)


def workflows() -> Iterator[str]:
    yield from _BLOCK.findall((ROOT / "docs" / "ci.md").read_text())
    for path in sorted(EXAMPLES.glob("ci/*.yml")):
        yield path.read_text()


def steps(workflow: str) -> list[dict[str, Any]]:
    data = yaml.safe_load(workflow)
    # YAML 1.1 takes the key `on` for a truth.
    assert data[True]
    return [step for job in data["jobs"].values() for step in job["steps"]]


def commands_of(workflow: str) -> list[list[str]]:
    """Return the arguments of the testbed's commands, for a base that is named HEAD~1."""
    lines = [line for step in steps(workflow) for line in step.get("run", "").splitlines()]
    return [
        shlex.split(line.replace("${BASE:0:10}", "HEAD~1").replace("$DESIGN", "a"))[1:]
        for line in lines
        if line.startswith(".venv/bin/testbed ")
    ]


@pytest.mark.parametrize("workflow", list(workflows()))
def test_workflow_calls_a_command_that_there_is_and_keeps_its_report(workflow: str) -> None:
    names = {path.stem for path in Path(str(commands.__file__)).parent.glob("*.py")}
    called = commands_of(workflow)
    assert called
    assert {arguments[0] for arguments in called} <= names
    kept = [step["with"]["path"] for step in steps(workflow) if "upload" in step.get("uses", "")]
    for name in (REPORT, JUNIT_XML, COMPARISON_JSON):
        assert f"/{name}\n" in kept[0]


def test_pull_request_is_compared_with_its_base_by_a_plan_that_can_be_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    (arguments,) = commands_of(PULL_REQUEST.read_text())
    result = CliRunner().invoke(make_app(), [*arguments, "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "a@HEAD~1" in result.output


def test_pull_request_has_the_history_of_its_base_and_shows_the_summary() -> None:
    found = steps(PULL_REQUEST.read_text())
    (checkout,) = [each for each in found if "checkout" in each.get("uses", "")]
    assert checkout["with"]["fetch-depth"] == 0
    (shown,) = [each for each in found if "GITHUB_STEP_SUMMARY" in each.get("run", "")]
    assert f"/{SUMMARY_MD} " in shown["run"]
    assert shown["if"] == "always()"
