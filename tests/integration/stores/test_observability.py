"""The real Prometheus over stacks with stores, copies and a cache: every panel of them has data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from redis import Redis

from testbed.stack import prometheus, runtimes
from testbed.stack import records as stacks
from testbed.stack.records import ProcessRecord, StackRecord
from testbed.stack.sides.resolve import resolve
from tests.support import dashboards
from tests.support import prometheus as programs
from tests.support.observed import Asker, driven
from tests.support.ports import free_port
from tests.support.services import open_folder
from tests.support.stacks import shifted
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.slow,
    *(pytest.mark.needs(server) for server in ("prometheus", "redis", "postgres")),
]

# Together they have everything that a panel shows.
SIDES = ("a+store=postgres+cache=2", "b+store=redis+redis_ha=sentinel")
COPIES = ("redis-1", "redis-2", "redis-3")
LIMIT = "1gb"

Observed = tuple[ProcessRecord, dict[str, StackRecord]]


@pytest.fixture(scope="module")
def observed() -> Iterator[Observed]:
    """Stacks of both sides, watched by a Prometheus, each driven by a Locust."""
    runtime = runtimes.get()
    with ExitStack() as exits:
        folder = exits.enter_context(open_folder())
        patch = exits.enter_context(pytest.MonkeyPatch.context())
        patch.setenv(stacks.HOME_VARIABLE, str(folder))
        programs.provide(folder, patch)
        exits.callback(prometheus.stop)
        record = prometheus.start(free_port())
        up = {}
        for side in map(resolve, SIDES):
            exits.callback(runtime.down, side.design, runtimes.silent)
            up[side.design] = runtime.up(shifted(side.topology), side.spec, runtimes.silent)
            exits.enter_context(driven(side.design, folder, "--users", "3"))
        for name in COPIES:
            client_of(up["b"], name).config_set("maxmemory", LIMIT)
        yield record, up


def client_of(record: StackRecord, name: str) -> Redis:
    (port,) = (each.port for each in record.processes if each.name == name)
    return Redis(port=port, socket_timeout=10)


def test_every_panel_of_stores_and_caches_has_data_under_traffic(observed: Observed) -> None:
    record, _ = observed
    wanted = {
        ("stores", use): expr for use, expr in dashboards.queries(dashboards.read()["stores"])
    }
    assert Asker(record).until_there_is_data(wanted) == set()


def test_the_primary_is_shown_and_another_one_once_that_has_taken_over(observed: Observed) -> None:
    record, up = observed
    ask = Asker(record)
    ports = {name: next(e.port for e in up["b"].processes if e.name == name) for name in COPIES}

    def primaries() -> set[str]:
        found = ask('count by (address) (taskqueue_store_primary{design="b"})')
        return {each["metric"]["address"].rpartition(":")[2] for each in found}

    eventually(primaries, until=lambda seen: len(seen) == 1, within=60, what="one primary")
    (before,) = primaries()
    (old,) = (name for name, port in ports.items() if str(port) == before)
    runtime = runtimes.get()
    controls = runtime.controls(up["b"])
    controls.pause(old)
    try:
        eventually(
            primaries,
            until=lambda seen: len(seen) == 1 and seen != {before},
            within=90,
            what="another primary alone",
        )
        changes = 'min by (design) (taskqueue_store_primary_changes_total{design="b"}) >= 1'
        eventually(lambda: ask(changes), within=60, what="a change that every node has counted")
    finally:
        controls.resume(old)
