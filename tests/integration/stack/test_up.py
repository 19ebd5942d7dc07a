"""Starting a stack: readiness, and a clear answer to each thing that can stand in its way."""

from __future__ import annotations

import signal
import socket
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.errors import TestbedError
from testbed.stack import lock, ports, runtimes
from testbed.stack import records as stacks
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.local import LocalRuntime, processes
from tests.integration.stack.fake_process import CRASH, UNWELL
from tests.support.stacks import DEFAULT_PORTS
from tests.support.waiting import eventually

Behave = Callable[..., None]


def nothing_is_left() -> bool:
    return not processes.strays("fake") and stacks.load("fake") is None


def test_stack_that_came_up_is_found_with_its_endpoints(
    runtime: LocalRuntime, topology: Topology
) -> None:
    lines: list[str] = []

    record = runtime.up(topology, StackSpec(4, settings={"lease": "9"}), lines.append)

    assert stacks.find() == stacks.find("fake") == [record]
    assert record.endpoints == (f"127.0.0.1:{topology.processes[1].port}",)
    assert record.metrics["first"] == f"127.0.0.1:{topology.processes[0].metrics_port}"
    assert (record.slots, dict(record.settings)) == (4, {"lease": "9"})
    assert [each.name for each in record.alive()] == ["first", "second"]
    assert {"first serves (1 of 2)", "second serves (1 of 2)"} & set(lines)


def test_every_process_of_a_stack_that_came_up_serves(
    runtime: LocalRuntime, topology: Topology
) -> None:
    record = runtime.up(topology, StackSpec(2), silent)

    statuses = runtime.status(record)

    assert [each.health for each in statuses] == ["SERVING", "SERVING"]
    assert all(each.cpu_seconds > 0 and each.memory_bytes > 0 for each in statuses)


def test_process_gets_the_settings_of_its_stack_and_no_others(
    runtime: LocalRuntime, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKQUEUE_BOGUS", "1")

    record = runtime.up(topology, StackSpec(4, settings={"lease": "9"}), silent)

    environment = psutil.Process(record.processes[0].pid).environ()
    assert environment["TASKQUEUE_LEASE"] == "9"
    assert environment["TASKQUEUE_SLOTS"] == "4"
    assert "TASKQUEUE_BOGUS" not in environment


def test_each_stack_has_a_secret_of_its_own_that_only_its_processes_can_read(
    runtime: LocalRuntime, topology: Topology
) -> None:
    secrets = []
    for _ in range(2):
        record = runtime.up(topology, StackSpec(2), silent)
        process = psutil.Process(record.processes[0].pid)
        file = Path(process.environ()["TASKQUEUE_SECRET_FILE"])
        secrets.append(file.read_text().strip())
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        lines = [
            stacks.state_file("fake").read_text(),
            str(runtime.status(record)),
            *(Path(each.log).read_text() for each in record.processes),
            str(process.cmdline()),
            str(process.environ()),
        ]
        assert not [each for each in lines if secrets[-1] in each]
        runtime.down("fake", silent)
        assert not file.exists()
    assert len(secrets[0]) >= 32
    assert secrets[0] != secrets[1]


def test_second_up_is_refused_and_leaves_the_stack_alone(
    runtime: LocalRuntime, topology: Topology
) -> None:
    record = runtime.up(topology, StackSpec(2), silent)

    with pytest.raises(TestbedError, match=r"already up at 127\.0\.0\.1") as caught:
        runtime.up(topology, StackSpec(2), silent)

    assert "testbed down fake" in caught.value.hint
    assert len(record.alive()) == 2
    assert stacks.find("fake") == [record]


def test_second_up_names_the_process_that_died(runtime: LocalRuntime, topology: Topology) -> None:
    record = runtime.up(topology, StackSpec(2), silent)
    kill(record.processes[0])

    with pytest.raises(TestbedError, match="but without first, which died"):
        runtime.up(topology, StackSpec(2), silent)


def test_up_beside_another_command_says_which(runtime: LocalRuntime, topology: Topology) -> None:
    with (
        lock.held("fake", "down"),
        pytest.raises(TestbedError, match="at work on design fake: `testbed down fake`, process"),
    ):
        runtime.up(topology, StackSpec(2), silent)


def test_taken_ports_are_all_named_with_their_holder(
    runtime: LocalRuntime, topology: Topology
) -> None:
    first, second = topology.processes
    with socket.create_server(("127.0.0.1", first.port)), socket.socket() as other:
        other.bind(("127.0.0.1", second.metrics_port))
        other.listen()
        with pytest.raises(TestbedError) as caught:
            runtime.up(topology, StackSpec(2), silent)

    me = psutil.Process()
    assert f"port {first.port} (first, gRPC) is taken by process {me.pid}" in str(caught.value)
    assert f"port {second.metrics_port} (second, metrics) is taken" in str(caught.value)
    assert nothing_is_left()


def test_port_that_an_ended_process_is_about_to_give_back_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as lingering:
        port = lingering.getsockname()[1]

        def nobody_visible(kind: str) -> list[object]:
            lingering.close()
            return []

        monkeypatch.setattr(psutil, "net_connections", nobody_visible)

        ports.require_free({port: "first, gRPC"}, wait=30)


def test_port_with_an_invisible_holder_is_named_with_a_way_to_find_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(psutil, "net_connections", lambda kind: [])
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(TestbedError, match="a process that cannot be seen") as caught:
            ports.require_free({port: "first, gRPC"}, wait=0)

    assert f"sport = :{port}" in caught.value.hint


def test_port_of_a_connection_that_has_ended_is_waited_for_until_the_system_gives_it_back() -> None:
    client, server = connection()
    port = client.getsockname()[1]
    client.close()
    reported: list[str] = []

    def on_progress(text: str) -> None:
        reported.append(text)
        reset(server)

    ports.require_free({port: "first, gRPC"}, on_progress=on_progress)

    assert reported == [f"up to a minute until the system gives back port {port}"]


def test_port_of_a_connection_that_has_ended_is_named_so() -> None:
    client, server = connection()
    port = client.getsockname()[1]
    client.close()
    with (
        server,
        pytest.raises(TestbedError, match="taken by a connection that has ended") as caught,
    ):
        ports.require_free({port: "first, gRPC"}, ended_wait=0)

    assert "within a minute" in caught.value.hint


def test_port_that_a_client_has_is_named_with_its_process() -> None:
    client, server = connection()
    port = client.getsockname()[1]
    with client, server, pytest.raises(TestbedError) as caught:
        ports.require_free({port: "first, gRPC"}, wait=0)

    assert f"is taken by a connection of process {psutil.Process().pid}" in str(caught.value)


def test_port_that_a_client_has_is_waited_for_as_its_connection_may_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, server = connection()
    port = client.getsockname()[1]

    def end_meanwhile(_seconds: float) -> None:
        if client.fileno() != -1:
            reset(client)

    monkeypatch.setattr("testbed.stack.ports.time.sleep", end_meanwhile)
    with server:
        ports.require_free({port: "first, gRPC"}, wait=30)


def test_no_outgoing_connection_takes_a_port_that_is_reserved_but_a_server_may() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ports.reserved({port: "first, gRPC"}, silent):
        with socket.socket() as client, pytest.raises(OSError, match="in use"):
            client.bind(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_no_outgoing_connection_of_a_test_takes_a_port_of_a_design() -> None:
    for port in DEFAULT_PORTS:
        with socket.socket() as client, pytest.raises(OSError, match="in use"):
            client.bind(("127.0.0.1", port))


def connection() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a connection on loopback, as clients have it that reuse no address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
        return client, server


def reset(end: socket.socket) -> None:
    """Close an end of a connection so that the other end is forgotten at once."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def test_port_held_by_a_stack_of_another_root_says_where_to_stop_it(
    runtime: LocalRuntime, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_home = stacks.project_root()
    runtime.up(topology, StackSpec(2), silent)
    with monkeypatch.context() as patch:
        patch.setenv(stacks.HOME_VARIABLE, str(first_home / "other"))
        with pytest.raises(TestbedError) as caught:
            runtime.up(topology, StackSpec(2), silent)

    assert f"belongs to design fake of {first_home}" in caught.value.hint


def test_crash_during_start_shows_name_exit_code_and_log_and_leaves_nothing(
    runtime: LocalRuntime, topology: Topology, behave: Behave
) -> None:
    behave(second=CRASH)

    with pytest.raises(TestbedError) as caught:
        runtime.up(topology, StackSpec(2), silent)

    assert "second ended during start (exit code 3)" in str(caught.value)
    assert "cannot open the ledger" in str(caught.value)
    assert nothing_is_left()
    assert stacks.log_file("fake", "second").exists()


def test_process_that_never_serves_is_named_and_nothing_is_left(
    topology: Topology, behave: Behave
) -> None:
    behave(second=UNWELL)

    with pytest.raises(TestbedError, match="second did not serve within"):
        LocalRuntime(start_timeout=1.0).up(topology, StackSpec(2), silent)

    assert nothing_is_left()


def test_stale_state_is_cleaned_by_the_next_up_which_says_so(
    runtime: LocalRuntime, topology: Topology
) -> None:
    for each in runtime.up(topology, StackSpec(2), silent).processes:
        kill(each)
    assert stacks.find() == []
    lines: list[str] = []

    runtime.up(topology, StackSpec(2), lines.append)

    assert "cleaned up after an earlier run: already dead: first, second" in lines
    assert len(stacks.find("fake")) == 1


def test_damaged_state_is_cleaned_by_the_next_up_with_the_processes_it_hid(
    runtime: LocalRuntime, topology: Topology
) -> None:
    before = runtime.up(topology, StackSpec(2), silent)
    stacks.state_file("fake").write_text('{"format": 1, "design"')
    lines: list[str] = []

    after = runtime.up(topology, StackSpec(2), lines.append)

    assert any("is damaged" in line for line in lines)
    assert before.alive() == ()
    assert len(after.alive()) == 2


@pytest.mark.parametrize(
    ("slots", "settings", "problem"),
    [
        (3, {}, "3 slots cannot be shared out evenly over design fake: give a multiple of 2"),
        (0, {}, "0 slots cannot be shared"),
        (2, {"leese": "3"}, "unknown settings: leese"),
        (2, {"lease": "soon"}, "TASKQUEUE_LEASE='soon'"),
        (2, {"lease": "-1"}, "lease must be more than 0"),
        (2, {"listen": "0.0.0.0:1"}, "the stack decides on listen"),
        (2, {"slots": "3"}, "slots is not a setting of one process"),
    ],
)
def test_impossible_slots_and_settings_are_refused_before_anything_starts(
    runtime: LocalRuntime,
    topology: Topology,
    slots: int,
    settings: dict[str, str],
    problem: str,
) -> None:
    with pytest.raises(TestbedError) as caught:
        runtime.up(topology, StackSpec(slots, settings=settings), silent)

    assert problem in str(caught.value)
    assert not stacks.folder_of("fake").exists()


def test_unknown_runtime_is_named_with_the_known_ones() -> None:
    with pytest.raises(TestbedError, match="no runtime 'moon'") as caught:
        runtimes.get("moon")
    assert "local" in caught.value.hint


def kill(record: stacks.ProcessRecord) -> None:
    process = psutil.Process(record.pid)
    process.send_signal(signal.SIGKILL)
    eventually(lambda: not record.is_alive(), what=f"the end of {record.name}")
