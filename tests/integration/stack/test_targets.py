"""What a local Prometheus is set to read, and the command line without a Prometheus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.stack import prometheus
from testbed.stack import records as stacks
from testbed.stack.observability import targets
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.local import LocalRuntime
from tests.integration.stack.test_commands import run

pytestmark = pytest.mark.usefixtures("known")


def test_a_stack_is_a_target_from_its_start_to_its_stop(
    runtime: LocalRuntime, topology: Topology
) -> None:
    record = runtime.up(topology, StackSpec(2), silent)

    file = targets.folder() / "stack-fake.json"
    assert json.loads(file.read_text()) == [
        {"targets": [address], "labels": {"design": "fake", "process": name}}
        for name, address in record.metrics.items()
    ]
    runtime.down("fake", silent)
    assert list(targets.folder().iterdir()) == []


def test_observing_without_a_prometheus_says_how_to_get_one_and_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    result = run("up", "fake", "--runtime", "local", "--observe")

    assert result.exit_code == 2
    assert "there is no `prometheus` on PATH" in result.stderr
    assert "apt install prometheus" in result.stderr
    assert stacks.recorded() == []


def test_observing_containers_says_what_to_do_instead() -> None:
    result = run("up", "fake", "--runtime", "compose", "--observe")

    assert result.exit_code == 2
    assert "docker compose -f compose/observability.yaml up" in result.stderr
    assert stacks.recorded() == []


def test_a_prometheus_that_cannot_start_leaves_nothing_and_shows_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "prometheus"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho the disk is full\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    result = run("up", "fake", "--runtime", "local", "--observe")

    assert result.exit_code == 2
    assert "Prometheus ended (exit code 1)" in result.stderr
    assert "the disk is full" in result.stderr
    assert stacks.recorded() == []
    assert prometheus.find() is None
