"""The example server as a design: started, watched, driven, killed and healed like any other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from common.topology import Topology
from examples.node_server import topology as node_design
from testbed.cli.main import make_app
from testbed.runs.faults import registry
from testbed.stack import records as stacks
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.local import LocalRuntime
from tests.support import jobs
from tests.support.client import DONE, RUNNING, Client, rejection_of
from tests.support.stacks import ROOT, shifted

pytestmark = pytest.mark.needs("node")
Command = Callable[..., Result]


@pytest.fixture
def design(node: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topology]:
    """The design on free ports, with state of its own; nothing of it is left running."""
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    moved = shifted(node_design.TOPOLOGY)
    monkeypatch.setattr(node_design, "TOPOLOGY", moved)
    yield moved
    LocalRuntime().down("node", silent)


@pytest.fixture
def testbed(design: Topology) -> Command:
    return lambda *arguments: CliRunner().invoke(make_app(), arguments)


def server(testbed: Command) -> dict[str, object]:
    (stack,) = json.loads(testbed("status", "--json").stdout)["stacks"]
    (process,) = stack["processes"]
    return dict(process)


def test_it_is_started_watched_driven_and_stopped(testbed: Command, design: Topology) -> None:
    started = testbed("up", "node", "--runtime", "local", "--slots", "3")

    assert started.exit_code == 0, started.output
    assert "design node (one process in Node) is up" in started.stdout
    assert ", 3 slots, as local processes" in started.stdout
    seen = server(testbed)
    assert (seen["health"], seen["metrics"]) == ("SERVING", "")
    assert int(str(seen["memory_bytes"])) > 1 << 20
    client = Client(design.endpoints())
    held = [client.submit(jobs.sleep(60_000)) for _ in range(4)]
    states = [client.status(each).state for each in held]
    assert states.count(RUNNING) == 3, "as many as it was given slots"
    client.close()
    assert "serving on port" in testbed("logs", "node", "server").stdout
    assert "design node is down: 1 process stopped" in testbed("down", "node").stdout
    assert testbed("down").stdout == "nothing was up\n"


def test_killed_or_paused_it_is_healed_and_its_jobs_went_with_its_memory(
    testbed: Command, design: Topology
) -> None:
    runtime = LocalRuntime(health_timeout=0.5)
    assert testbed("up", "node", "--runtime", "local").exit_code == 0
    record = stacks.find("node")[0]
    meter, client = runtime.meter(record), Client(design.endpoints())
    lost = client.submit(jobs.noop())
    client.wait(lost, DONE)
    before = meter.read()["server"]
    assert before is not None

    killed = testbed("fault", "kill", "node", "server", "--for", "0.1")

    assert killed.exit_code == 0, killed.output
    assert "what server held in its memory is lost" in killed.stdout
    assert server(testbed)["pid"] != record.processes[0].pid
    rejection = rejection_of(lambda: client.status(lost))
    assert rejection.code == "NOT_FOUND"
    again = meter.read()["server"]
    assert again is not None
    assert again.cpu_seconds > before.cpu_seconds, "what it used before it ended still counts"

    kept = testbed("fault", "pause_long", "node", "server", "--keep")
    assert kept.exit_code == 0
    assert [each.health for each in runtime.status(record)] == ["dead"]
    assert [each.health for each in runtime.status(stacks.find("node")[0])] == ["no answer"]
    assert "healed: server goes on" in testbed("fault", "heal", "node").stdout
    assert server(testbed)["health"] == "SERVING"
    assert client.run(jobs.noop()).state == DONE
    client.close()


@pytest.mark.parametrize("kind", ["cut", "isolate", "delay", "clock"])
def test_fault_that_it_cannot_have_is_refused_by_name(testbed: Command, kind: str) -> None:
    assert testbed("up", "node", "--runtime", "local").exit_code == 0

    refused = testbed("fault", kind, "node", "server")

    assert refused.exit_code == 2
    assert f"{kind} cannot hit 'server' in design node" in refused.stderr
    assert registry.get(kind).targets(node_design.TOPOLOGY) == []
