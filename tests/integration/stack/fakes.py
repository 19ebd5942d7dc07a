"""A design of two small processes, and what tests need to start and watch it."""

from __future__ import annotations

import os
import subprocess
import sys

from common.topology import ProcessSpec, Topology
from tests.support.paths import ROOT

PORTS = 4


def make_topology(ports: list[int]) -> Topology:
    module = "tests.integration.stack.fake_process"
    return Topology(
        design="fake",
        title="two processes that do nothing",
        processes=(
            ProcessSpec("first", module, ports[0], ports[1], slot_share=2),
            ProcessSpec("second", module, ports[2], ports[3], ("first",)),
        ),
        entries=("second",),
    )


def command(*arguments: str, topology: Topology) -> subprocess.Popen[str]:
    """Start the command line in a process of its own, with the fake design known to it."""
    ports = [port for each in topology.processes for port in (each.port, each.metrics_port)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.stack.fake_command", *arguments],
        env={**os.environ, "FAKE_PORTS": ",".join(map(str, ports))},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
