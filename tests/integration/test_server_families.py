"""Servers with many processes as processes of a stack: broken, healed and measured as one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import asyncpg
import psutil
import pytest

from common.services import postgres
from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.runs.faults.heal import heal_all
from testbed.stack import records as stacks
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Meter, silent
from testbed.stack.runtimes.controls import Controls
from testbed.stack.runtimes.local import LocalRuntime, processes
from testbed.stack.runtimes.logs import log_tail
from tests.support.ports import free_ports
from tests.support.services import open_folder
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres")]

DESIGN, SERVER = "fake", "postgres"
Connection = asyncpg.Connection
Connect = Callable[[], Awaitable[Connection]]


@pytest.fixture(scope="module")
def running() -> Iterator[StackRecord]:
    """A stack of one PostgreSQL."""
    runtime = LocalRuntime()
    server = postgres.server(SERVER, free_ports(1)[0], ("store",))
    with open_folder() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv(stacks.HOME_VARIABLE, str(home))
        yield runtime.up(
            Topology(DESIGN, "a PostgreSQL", (server,), (SERVER,)), StackSpec(), silent
        )
        runtime.down(DESIGN, silent)


@pytest.fixture
def controls(running: StackRecord) -> Iterator[Controls]:
    """Its controls; it is whole again after each test."""
    controls = LocalRuntime().controls(running)
    yield controls
    if stacks.load(DESIGN) is not None:
        list(heal_all(controls))


@pytest.fixture
def record(controls: Controls) -> StackRecord:
    """Return the stack as it is now."""
    return controls.record


@pytest.fixture
async def connect(record: StackRecord) -> AsyncIterator[Connect]:
    (server,) = record.processes
    opened: list[Connection] = []

    async def connected() -> Connection:
        opened.append(
            await asyncpg.connect(host="127.0.0.1", port=server.port, user="postgres", ssl=False)
        )
        return opened[-1]

    yield connected
    for each in opened:
        each.terminate()


def backend_of(connection: Connection) -> psutil.Process:
    return psutil.Process(connection.get_server_pid())


def family(controls: Controls) -> list[psutil.Process]:
    process = controls.record.processes[0].process()
    assert process is not None
    return [process, *process.children(recursive=True)]


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def cpu_seconds(meter: Meter) -> float:
    use = meter.read()[SERVER]
    assert use is not None
    return use.cpu_seconds


def states(found: list[psutil.Process]) -> set[str]:
    return {each.status() for each in found}


async def test_paused_database_runs_no_statement_on(controls: Controls, connect: Connect) -> None:
    busy = await connect()

    controls.pause(SERVER)

    assert states(family(controls)) == {psutil.STATUS_STOPPED}
    assert backend_of(busy) in family(controls)
    assert controls.resume(SERVER)
    assert psutil.STATUS_STOPPED not in states(family(controls))
    assert await busy.fetchval("SELECT 1") == 1


async def test_killed_database_leaves_no_backend_and_keeps_what_it_had(
    controls: Controls, connect: Connect
) -> None:
    await (await connect()).execute("CREATE TABLE kept AS SELECT 1 AS n")
    backends = [backend_of(await connect()) for _ in range(3)]
    before = family(controls)
    assert set(backends) <= set(before)

    controls.kill(SERVER)

    assert not [each for each in before if runs(each)]
    assert controls.start(SERVER)
    assert await (await connect()).fetchval("SELECT n FROM kept") == 1


async def test_stopped_database_does_not_wait_for_its_clients(
    controls: Controls, connect: Connect
) -> None:
    client = await connect()

    controls.stop(SERVER)

    said = log_tail(controls.record.processes[0].log)
    assert "received fast shutdown request" in said
    assert "database system is shut down" in said
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await client.fetchval("SELECT 1")


async def test_what_a_connection_used_still_counts_when_it_has_ended(
    record: StackRecord, connect: Connect
) -> None:
    runtime = LocalRuntime()
    meter = runtime.meter(record)
    connection = await connect()
    backend, before = backend_of(connection), cpu_seconds(meter)
    while (spent := sum(backend.cpu_times()[:2])) < 0.5:
        await connection.fetchval("SELECT sum(n) FROM generate_series(1, 200000) n")
    await connection.close()
    eventually(lambda: not runs(backend), what="the end of the backend")

    assert cpu_seconds(meter) - before >= spent - 0.05
    assert runtime.status(record)[0].cpu_seconds >= spent


async def test_memory_that_backends_share_is_counted_once(
    record: StackRecord, controls: Controls, connect: Connect
) -> None:
    rows = "SELECT n, repeat('x', 500) FROM generate_series(1, 40000) n"
    readers = [await connect() for _ in range(4)]
    await readers[0].execute(f"CREATE TABLE big AS {rows}")
    for each in readers:
        await each.fetchval("SELECT count(*) FROM big")
    used = [each.memory_info() for each in family(controls)]
    shared = max(each.shared for each in used)

    use = LocalRuntime().meter(record).read()[SERVER]

    assert use is not None
    assert shared > 20 << 20
    assert shared < use.memory_bytes < sum(each.rss for each in used) - 3 * (20 << 20)


async def test_down_ends_a_backend_that_has_outlived_its_server_and_leaves_no_file(
    controls: Controls, connect: Connect
) -> None:
    backend = backend_of(await connect())
    backend.suspend()
    family(controls)[0].kill()
    eventually(lambda: not controls.record.alive(), what="the end of the server")
    assert backend in processes.strays(DESIGN)
    folder = stacks.data_folder(DESIGN, SERVER)
    assert (folder / "made").exists()

    LocalRuntime().down(DESIGN, silent)

    eventually(lambda: not runs(backend), what="the end of the backend")
    assert not folder.exists()
