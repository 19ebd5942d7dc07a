"""Processes that are not ours, in containers: an official image, and the example server in Node."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from common.process_spec import COMMAND, DISK, TCP, Image, ProcessSpec, Ready
from common.stack_spec import Budget, StackSpec
from common.topology import Topology
from examples.node_server.topology import TOPOLOGY as NODE
from testbed.errors import TestbedError
from testbed.runs.faults import registry
from testbed.stack import designs, runtimes
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Runtime
from testbed.stack.runtimes.compose import containers, engine
from tests.containers.conftest import PROJECT
from tests.support import jobs, needs
from tests.support.client import DONE, Client
from tests.support.engine import leaving_nothing
from tests.support.stacks import shifted

pytestmark = pytest.mark.needs("engine")

BASE, OWN_BASE = "node:22-slim", "taskqueue-test-node"
STAND_IN = """\
FROM python:3.13-slim
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && npm --version
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
"""
FETCH = "import sys, urllib.request as u; u.urlopen('http://' + sys.argv[1], timeout=5)"
FILES = ("-m", "http.server", "{port}", "--bind", "{host}", "--directory", "{data}")
# Python's own file server, from Python's image.
WEB = ProcessSpec(
    "web",
    port=50081,
    holds=DISK,
    command=("a program that is not there", *FILES),
    ready=Ready(COMMAND, command=("python", "-c", FETCH, "127.0.0.1:{port}")),
    image=Image("python:3.13-slim", command=("python", *FILES)),
)
PORT = ProcessSpec(
    "port", port=50082, command=WEB.command, ready=Ready(TCP), image=WEB.image, peers=("web",)
)
SERVERS = Topology("servers", "two file servers", (WEB, PORT), ("web",))
Start = Callable[..., StackRecord]


def volumes() -> set[str]:
    return {str(each.name) for each in engine.connect().volumes.list()}


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(designs.DESIGNS, SERVERS.design, "a module that nobody loads here")


@pytest.fixture
def start(home: Path, runtime: Runtime) -> Iterator[Start]:
    """Starts a topology on free ports; nothing of it is left, volumes without a name included."""
    before, used = volumes(), set()

    def up(topology: Topology, **spec: object) -> StackRecord:
        used.add(topology.design)
        return runtime.up(shifted(topology), StackSpec(**spec), runtimes.silent)  # type: ignore[arg-type]

    with leaving_nothing(PROJECT):
        yield up
        for design in used:
            runtime.down(design, runtimes.silent)
    assert volumes() <= before


def health(runtime: Runtime, record: StackRecord) -> dict[str, str]:
    return {each.record.name: each.health for each in runtime.status(record)}


def inject(
    runtime: Runtime, record: StackRecord, kind: str, topology: Topology
) -> Callable[[], None]:
    """Hit the first process of a stack, and return what heals it."""
    controls, chosen = runtime.controls(record), registry.get(kind)
    hit = chosen.target(topology, topology.processes[0].name)
    chosen.inject(controls, hit, chosen.read({}))
    return lambda: chosen.heal(controls, hit)


def test_official_image_is_watched_killed_and_paused_and_keeps_its_files(
    start: Start, runtime: Runtime
) -> None:
    record = start(SERVERS, budget=Budget(cpus=1.0, memory_mib=256))
    assert health(runtime, record) == {"web": "SERVING", "port": "SERVING"}
    assert (record.slots, record.metrics) == (0, {})
    web = containers.find("servers")["web"]
    assert web.attrs["HostConfig"]["NanoCpus"] == 500_000_000
    assert web.exec_run(["touch", "/data/kept"]).exit_code == 0
    assert all(use is not None for use in runtime.meter(record).read().values())

    heal = inject(runtime, record, "kill", SERVERS)
    assert health(runtime, record) == {"web": "dead", "port": "SERVING"}
    heal()
    assert health(runtime, record) == {"web": "SERVING", "port": "SERVING"}
    assert containers.find("servers")["web"].exec_run(["ls", "/data"]).output == b"kept\n"

    heal = inject(runtime, record, "pause_long", SERVERS)
    assert health(runtime, record) == {"web": "no answer", "port": "SERVING"}
    heal()
    assert health(runtime, record)["web"] == "SERVING"


def test_open_port_with_nobody_behind_it_does_not_count_as_served(
    home: Path, runtime: Runtime
) -> None:
    waits = Image("python:3.13-slim", command=("sleep", "infinity"))
    deaf = Topology("servers", "", (replace(PORT, peers=(), image=waits),), ("port",))
    with leaving_nothing(PROJECT), pytest.raises(TestbedError, match="port did not serve within 3"):
        type(runtime)(start_timeout=3.0).up(shifted(deaf), StackSpec(), runtimes.silent)


def test_example_server_in_node_is_built_driven_killed_and_healed(
    start: Start, runtime: Runtime, node_image: None
) -> None:
    record = start(NODE)
    assert health(runtime, record) == {"server": "SERVING"}
    container = containers.find("node")["server"]
    assert container.attrs["Config"]["User"] == "1000"
    assert container.attrs["HostConfig"]["NanoCpus"] <= engine.cores() * 10**9
    client = Client(record.endpoints)
    assert client.run(jobs.noop()).state == DONE

    heal = inject(runtime, record, "kill", NODE)
    assert health(runtime, record) == {"server": "dead"}
    heal()
    assert health(runtime, record) == {"server": "SERVING"}
    assert client.run(jobs.noop(), 60.0).state == DONE
    client.close()
    stopped = runtime.down("node", runtimes.silent)
    assert (stopped.ended, stopped.killed) == (("server",), ())


def test_budget_for_one_process_that_no_machine_has_is_refused(
    home: Path, runtime: Runtime
) -> None:
    with pytest.raises(TestbedError, match="2000 cores are 2000 for each process") as refused:
        runtime.up(shifted(NODE), StackSpec(budget=Budget(cpus=2000)), runtimes.silent)
    assert f"--cpus {engine.cores()}" in refused.value.hint


@pytest.fixture
def node_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have the engine know an image with Node: the official one, or one with this machine's."""
    if docker("image", "inspect", BASE) or docker("pull", "--quiet", BASE):
        return
    if reason := needs.missing("node"):
        needs.lacks(f"the engine cannot get {BASE}, and {reason}")
    program, npm = (Path(shutil.which(name) or "").resolve() for name in ("node", "npm"))
    shutil.copy(program, tmp_path / "node")
    shutil.copytree(npm.parents[1], tmp_path / "npm")
    (tmp_path / "Dockerfile").write_text(STAND_IN)
    if not docker("build", "--tag", OWN_BASE, str(tmp_path)):
        needs.lacks(f"the engine cannot get {BASE}, nor run this machine's Node")
    monkeypatch.setenv("TESTBED_NODE_IMAGE", OWN_BASE)


def docker(*arguments: str) -> bool:
    done = subprocess.run(["docker", *arguments], capture_output=True, check=False, timeout=300)
    return done.returncode == 0
