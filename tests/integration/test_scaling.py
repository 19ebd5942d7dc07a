"""A node joins a stack that is up and leaves again, while clients submit the same request ids."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.domain.ids import parse
from common.stack_spec import StackSpec
from testbed.errors import TestbedError
from testbed.stack import designs
from testbed.stack import records as stacks
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.local import LocalRuntime, growth
from tests.support import jobs
from tests.support.client import Client, rejection_of


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
