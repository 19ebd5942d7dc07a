"""A node joins a stack that is up and leaves again, while clients submit the same request ids."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.domain.ids import parse
from common.stack_spec import StackSpec
from testbed.cli.main import make_app
from testbed.errors import TestbedError
from testbed.stack import designs
from testbed.stack import records as stacks
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.local import LocalRuntime, growth, processes
from testbed.stack.sides.resolve import resolve
from tests.support import jobs
from tests.support.client import Client, rejection_of
from tests.support.paths import ROOT
from tests.support.waiting import eventually


@pytest.fixture
def up(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(home))
    runtime = LocalRuntime()
    runtime.up(designs.load("b"), StackSpec(), silent)
    yield
    runtime.down("b", silent)


class Callers:
    """Threads that submit each request id at two nodes at once, until they are stopped."""

    def __init__(self, endpoints: tuple[str, ...]) -> None:
        self.made: dict[str, set[str]] = defaultdict(set)
        self.errors: list[BaseException] = []
        self._stop = threading.Event()
        self._clients = [Client(endpoints) for _ in range(2)]
        self._meet = threading.Barrier(2)
        self._threads = [
            threading.Thread(target=self._call, args=(number, client))
            for number, client in enumerate(self._clients)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop, and submit everything once more."""
        self._stop.set()
        self._meet.abort()
        for thread in self._threads:
            thread.join()
        for request_id in list(self.made):
            self._submit(self._clients[0], request_id, 0)
        for client in self._clients:
            client.close()

    def _call(self, number: int, client: Client) -> None:
        for turn in itertools.count():
            try:
                self._meet.wait(30)
            except threading.BrokenBarrierError:
                return
            # Those of a while ago too, which may have another home by now.
            for request_id in (f"request-{turn}", f"request-{turn // 2}"):
                self._submit(client, request_id, turn + 3 * number)

    def _submit(self, client: Client, request_id: str, place: int) -> None:
        try:
            calls = client.at[place % len(client.at)]
            self.made[request_id].add(calls.submit(jobs.noop(), request_id))
        except BaseException as error:
            self.errors.append(error)


@pytest.mark.slow
def test_a_node_joins_and_leaves_while_every_request_id_makes_one_job(up: None) -> None:
    record = stacks.load("b")
    assert record is not None
    callers = Callers(record.endpoints)
    try:
        grown = growth.grow("b", silent)
        new = Client(grown.endpoints[-1:])
        own = new.run(jobs.noop()).job_id
        new.close()
        with pytest.raises(TestbedError, match="kept for ever"):
            growth.shrink("b", discard=False, progress=silent)
        shrunk = growth.shrink("b", discard=True, progress=silent)
    finally:
        callers.stop()

    assert not callers.errors
    # The jobs of the node that left are gone with it, and what was submitted again made new ones.
    kept = [{each for each in made if parse(each).home != 6} for made in callers.made.values()]
    assert parse(own).home == 6
    assert max(map(len, kept)) == 1
    assert len(callers.made) > 20

    assert (len(grown.endpoints), grown.slots, grown.side) == (7, 14, "b+nodes=7+slots=14")
    assert (len(shrunk.endpoints), shrunk.slots, shrunk.side) == (6, 12, "b+nodes=6+slots=12")
    assert [each.name for each in shrunk.alive()] == [f"node-{number}" for number in range(6)]
    everyone = Client(shrunk.endpoints)
    for calls in everyone.at:
        assert rejection_of(lambda calls=calls: calls.status(own)).code == "NOT_FOUND"
        assert own not in {each.job_id for each in calls.list().jobs}
    everyone.close()


DYING = """
import os, sys
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.local import growth, membership, nodes

(where, name), number, doing = sys.argv[1].split("."), int(sys.argv[2]), sys.argv[3]
module = {"growth": growth, "membership": membership, "nodes": nodes}[where]
real, met = getattr(module, name), 0

def dies(*given):
    global met
    met += 1
    if met == number:
        os._exit(9)
    return real(*given)

setattr(module, name, dies)
growth.grow("b", silent) if doing == "grow" else growth.shrink("b", True, silent)
"""
# Before which call of a function, and the how many-th, the command dies.
WHILE_ONE_JOINS = [
    ("nodes._wait_until_serving", 1),
    ("membership.spread", 1),
    ("membership._exchange", 10),
    ("membership.spread", 2),
    ("growth._announced", 1),
]
WHILE_ONE_LEAVES = [
    ("membership.spread", 1),
    ("membership._exchange", 10),
    ("membership.wait_until_empty", 1),
    ("membership.spread", 2),
    ("nodes.end", 1),
    ("growth._announced", 1),
]


def die(where: str, number: int, doing: str) -> None:
    """Run a command that ends in its midst as by kill -9."""
    command = (sys.executable, "-c", DYING, where, str(number), doing)
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 9, done.stderr


@pytest.mark.slow
def test_a_change_that_was_cut_short_is_completed_by_the_same_command(up: None) -> None:
    runner = CliRunner()
    for where, number in WHILE_ONE_JOINS:
        die(where, number, "grow")
        assert scaled(runner, 7) == 7, f"died before {where} {number}"
        assert scaled(runner, 6) == 6
    for where, number in WHILE_ONE_LEAVES:
        assert scaled(runner, 7) == 7
        die(where, number, "shrink")
        assert scaled(runner, 6) == 6, f"died before {where} {number}"


def scaled(runner: CliRunner, nodes: int) -> int:
    """Scale by the command; return how many nodes there are then, by record, process and word."""
    done = runner.invoke(
        make_app(), ["scale", "b", str(nodes), "--discard"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    record = stacks.load("b")
    assert record is not None
    names = sorted(each.name for each in record.alive())
    assert names == [f"node-{number}" for number in range(len(record.endpoints))]
    assert record.side == f"b+nodes={len(names)}+slots={2 * len(names)}"
    client = Client(record.endpoints)
    for calls in client.at:
        calls.submit(jobs.noop())
    client.close()
    running = {each.environ().get("TASKQUEUE_NAME") for each in processes.strays("b")}
    assert sorted(filter(None, running)) == names
    return len(names)


@pytest.mark.slow
@pytest.mark.needs("redis")
def test_a_node_that_joins_reads_from_the_cache_of_the_others_also_when_it_is_started_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(home))
    runtime, found = LocalRuntime(), resolve("b+cache=2")
    runtime.up(found.scaled, found.spec, silent)
    try:
        grown = growth.grow("b", silent)
        eventually(lambda: caches_of(grown, "node-6") == 2, what="the cache of the new node")
        controls = runtime.controls(grown)
        for name in ("node-6", "node-0"):
            controls.kill(name)
            controls.start(name)
            eventually(lambda name=name: caches_of(grown, name) == 2, what=f"the cache of {name}")
    finally:
        runtime.down("b", silent)


def caches_of(record: StackRecord, name: str) -> int:
    """How many nodes of a cache answer a node; none while that does not serve its metrics."""
    try:
        with urllib.request.urlopen(f"http://{record.metrics[name]}/metrics", timeout=10) as page:
            text = page.read().decode()
    except OSError:
        return 0
    found = [line for line in text.splitlines() if line.startswith("taskqueue_cache_nodes ")]
    return int(float(found[0].split()[1])) if found else 0
