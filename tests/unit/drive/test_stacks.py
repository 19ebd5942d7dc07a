"""What keeps a side from being started here is found before any side is."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from common.process_spec import ProcessSpec
from common.topology import Topology
from testbed.drive.stacks import ports_kept, require_startable
from testbed.errors import TestbedError
from testbed.stack import records
from testbed.stack.sides.resolve import resolve
from testbed.stack.sides.side import SideError
from tests.support.ports import free_port, free_ports


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(records.HOME_VARIABLE, str(tmp_path))


@pytest.mark.parametrize(
    ("side", "problem"),
    [
        ("b+cpus=2", "local processes cannot be held to a budget"),
        ("b+clock=on+runtime=compose", "the clocks of containers cannot be set"),
    ],
)
def test_an_option_that_the_runtime_cannot_do_is_found_first(side: str, problem: str) -> None:
    with pytest.raises(SideError, match=problem) as raised:
        require_startable([resolve("a"), resolve(side)])
    assert f"side {side!r}: " in str(raised.value)


def test_a_program_that_is_not_on_this_machine_is_found_first() -> None:
    process = ProcessSpec("store", command=("no-such-store",), port=1, needs={})
    missing = replace(resolve("b"), topology=Topology("shop", "a shop", (process,), ("store",)))
    with pytest.raises(TestbedError, match="`no-such-store`, which is not on PATH"):
        require_startable([resolve("a"), missing])


def test_a_server_that_does_not_answer_is_found_first() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(SideError, match=f"side '{address}': {address} does not answer"):
        require_startable([resolve("a"), resolve(address)])


def test_ports_of_all_stacks_are_kept_from_connections_while_their_turns_last() -> None:
    numbers = free_ports(2)
    deployments = [
        replace(resolve("b"), topology=Topology("shop", "a shop", (process,), ("store",)))
        for number in numbers
        for process in [ProcessSpec("store", command=("store",), port=number, needs={})]
    ]
    with ports_kept(deployments):
        for number in numbers:
            with socket.socket() as outgoing, pytest.raises(OSError, match="in use"):
                outgoing.bind(("127.0.0.1", number))
            with socket.socket() as server:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind(("127.0.0.1", number))
                server.listen(1)
    for number in numbers:
        with socket.socket() as outgoing:
            outgoing.bind(("127.0.0.1", number))
