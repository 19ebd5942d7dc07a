"""A process as data: one of ours, or any other program, whose texts are filled where it runs."""

from __future__ import annotations

import pytest

from common.process_spec import COMMAND, DISK, HTTP, MEMORY, Image, ProcessSpec, Ready
from common.topology import Topology

REDIS = ProcessSpec(
    "redis",
    port=6379,
    ports={"bus": 16379},
    holds=DISK,
    command=("redis-server", "--port", "{port}", "--bind", "{host}", "--dir", "{data}"),
    ready=Ready(COMMAND, command=("redis-cli", "-p", "{port}", "ping")),
    image=Image("redis:8"),
)
WORKER = ProcessSpec(
    "worker",
    command=("celery", "worker", "--broker", "redis://{redis}/0", "--concurrency", "{slots}"),
    ready=Ready(COMMAND, command=("celery", "status")),
    environment={"BUS": "{redis}", "BRACES": "{{}}"},
    peers=("redis",),
    slot_share=1,
    scalable=True,
)
STACK = Topology("peer", "a queue of others", (REDIS, WORKER), ("redis",))


@pytest.mark.parametrize("given", [{}, {"module": "x", "command": ("x",)}])
def test_process_is_started_by_a_module_or_by_a_command(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="redis is started by a module of ours or by a command"):
        ProcessSpec("redis", port=1, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: ProcessSpec("p", "x", 1, holds="paper"), "p holds 'paper'"),
        (lambda: ProcessSpec("p", command=("x",)), "p has no port: only a command"),
        (lambda: Ready("smoke"), "there is no way 'smoke'"),
        (lambda: Ready(COMMAND), "a command is for 'command' alone, which needs one"),
        (lambda: Ready(HTTP, command=("x",)), "a command is for 'command' alone"),
    ],
)
def test_impossible_process_is_refused_with_the_reason(make: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        make()  # type: ignore[operator]


def test_texts_are_filled_with_where_it_runs() -> None:
    values = {**STACK.values("redis", 12), "data": "/files"}

    filled = REDIS.filled(values)

    assert filled.command == (
        *("redis-server", "--port", "6379", "--bind", "127.0.0.1", "--dir", "/files"),
    )
    assert filled.ready.command == ("redis-cli", "-p", "6379", "ping")
    assert values["bus_port"] == "16379"


def test_a_process_finds_its_peers_by_their_names_wherever_they_are() -> None:
    filled = WORKER.filled(STACK.values("worker", 12, host_of=lambda name: f"{name}.example"))
    assert filled.command[2:] == ("--broker", "redis://redis.example:6379/0", "--concurrency", "12")
    assert filled.environment == {"BUS": "redis.example:6379", "BRACES": "{}"}


def test_unknown_placeholder_is_named_with_those_that_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"worker: 'redis://\{redis\}/0' cannot.*there is \{port\}"
    ):
        WORKER.filled({"port": "1"})


def test_copies_have_ports_of_their_own_and_none_where_there_was_none() -> None:
    scaled = Topology("t", "", (REDIS, WORKER), ()).scaled(2)
    assert [each.port for each in scaled.processes] == [6379, 0, 0]
    moved = REDIS.moved(20)
    assert (moved.port, moved.metrics_port, moved.ports) == (6399, 0, {"bus": 16399})
    assert REDIS.every_port() == {"port": 6379, "bus": 16379}
    assert ProcessSpec("p", "x", 1, 2).every_port() == {"gRPC": 1, "metrics": 2}


def test_only_what_keeps_files_has_a_data_folder() -> None:
    assert REDIS.keeps_files
    assert not WORKER.keeps_files
    assert ProcessSpec("p", command=("x", "{data}"), port=1, holds=MEMORY).keeps_files


def test_another_command_may_start_it_in_a_container() -> None:
    assert REDIS.in_container() == REDIS
    image = Image("postgres:17", command=("postgres",))
    process = ProcessSpec("db", command=("sh", "-c", "initdb && postgres"), port=1, image=image)
    assert process.in_container().command == ("postgres",)


def test_links_are_put_on_calls_between_processes_of_ours_alone() -> None:
    ours = ProcessSpec("gateway", "gateway", 1, 2, peers=("job", "redis"))
    job = ProcessSpec("job", "job", 3, 4, peers=("redis",))
    mixed = Topology("m", "", (REDIS, job, ours), ("gateway",), links_port=100)

    linked = mixed.linked()

    assert [str(link) for link in linked.links] == ["gateway>job"]
    peers = linked.environment("gateway", 12, {})["TASKQUEUE_PEERS"].split(",")
    assert peers == ["job=127.0.0.1:101", "redis=127.0.0.1:6379"]
    with pytest.raises(ValueError, match="design peer has no links: no process of ours calls"):
        STACK.linked()


def test_slots_are_not_shared_out_in_a_design_whose_processes_do_not_say_how() -> None:
    bare = Topology("bare", "", (REDIS,), ("redis",))
    assert not bare.shares_slots
    assert bare.slots_of("redis", 7) == 0
    assert STACK.scaled(3).slots_of("worker-2", 12) == 4
