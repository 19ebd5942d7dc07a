"""Copies of a PostgreSQL under Patroni in a test, as a stack of their own that faults hit."""

from __future__ import annotations

import base64
import contextlib
import json
import urllib.request
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import pytest

from common.config import PATRONI, POSTGRES
from common.options.postgres_ha import COPIES, DECIDING
from common.services import etcd, patroni
from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.stack import records as stacks
from testbed.stack.ports import HOST
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.controls import Controls, process_of
from testbed.stack.runtimes.local import LocalRuntime, processes
from tests.support.ports import free_ports
from tests.support.services import open_folder
from tests.support.waiting import eventually

DESIGN, CLUSTER, DATABASE = "fake", POSTGRES, "store"
NAMES = tuple(f"{CLUSTER}-{number}" for number in range(1, COPIES + 1))
# A primary is missed for twenty seconds before another one takes over.
WITHIN = 90.0
_PORTS = (COPIES, COPIES, DECIDING, DECIDING)


class Cluster:
    """Copies of one PostgreSQL, of which Patroni makes another one the primary."""

    def __init__(self, controls: Controls, topology: Topology) -> None:
        self.controls = controls
        self.topology = topology
        self.peers = {each.name: f"{HOST}:{each.port}" for each in controls.record.processes}

    def views(self) -> list[dict[str, dict[str, Any]]]:
        """Return what Patroni says of each copy, by every one that answers.

        One that was cut off says for a moment what was true before.
        """
        views = []
        for name in NAMES:
            with contextlib.suppress(OSError):
                found = self._ask(name, "cluster")["members"]
                views.append({each["name"]: each for each in found})
        return views

    def primary(self, *but: str) -> str:
        """Return the primary, once most copies name one that is none of these."""

        def found() -> list[str]:
            named = [_leaders(view) for view in self.views()]
            return [each for each in NAMES if each not in but and named.count([each]) > COPIES // 2]

        (name,) = eventually(found, within=WITHIN, what="another primary")
        return name

    def set(self, **settings: object) -> None:
        """Change settings of the whole cluster, and wait until its primary has them."""
        name = self.primary()
        self._ask(name, "config", json.dumps(settings).encode())
        wanted = "sync_standby" if settings["synchronous_mode"] else "replica"
        eventually(
            lambda: any(each["role"] == wanted for view in self.views() for each in view.values()),
            within=WITHIN,
            what=f"a {wanted}",
        )

    def change_etcd(self, times: int) -> None:
        """Change a hundred keys beside Patroni's own, so often: who watches has them to read."""
        port = process_of(self.controls.record, etcd.names(DECIDING)[0]).port
        keys = [f"/service/taskqueue/other/{number}".encode() for number in range(100)]
        puts = [{"requestPut": {"key": base64.b64encode(key).decode()}} for key in keys]
        change = json.dumps({"success": puts}).encode()
        for _ in range(times):
            with urllib.request.urlopen(f"http://{HOST}:{port}/v3/kv/txn", change, timeout=30):
                pass

    def make_whole(self) -> None:
        """Heal what a test has left, until every replica follows the primary."""
        for each in self.controls.record.processes:
            self.controls.resume(each.name)
            self.controls.start(each.name)
        eventually(self._is_whole, within=WITHIN, what="replicas that follow")

    def _is_whole(self) -> bool:
        views = self.views()
        leaders = {tuple(_leaders(view)) for view in views}
        each_one = [each for view in views for each in view.values()]
        follow = [each for each in each_one if each["state"] in {"running", "streaming"}]
        lines = {each.get("timeline") for each in each_one}
        agree = len(leaders) == 1 and len(lines) == 1 and all(len(each) == 1 for each in leaders)
        return agree and len(follow) == COPIES * COPIES and self._is_followed(*leaders.pop())

    def _is_followed(self, primary: str) -> bool:
        """Whether all replicas receive what a primary writes: one may run and not do that yet."""
        try:
            receivers = self._ask(primary, "patroni").get("replication", [])
        except OSError:
            return False
        return len([each for each in receivers if each["state"] == "streaming"]) == COPIES - 1

    def _ask(self, name: str, path: str, change: bytes | None = None) -> Any:
        port = process_of(self.controls.record, name).ports["rest"]
        method = "PATCH" if change else "GET"
        request = urllib.request.Request(f"http://{HOST}:{port}/{path}", change, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)


def topology_on(ports: Sequence[int]) -> Topology:
    """Return the copies of one PostgreSQL, and the etcd that they need, on these ports."""
    left = iter(ports)
    sql, rest, clients, own = (list(islice(left, count)) for count in _PORTS)
    servers = (
        *etcd.servers(clients, own),
        *patroni.copies(CLUSTER, sql, rest, etcd.names(DECIDING), (DATABASE,)),
    )
    return Topology(DESIGN, "copies of a PostgreSQL", servers, (NAMES[0],))


def _leaders(view: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, each in view.items() if each["role"] == "leader"]


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """Run the copies of one PostgreSQL until the end of the block."""
    topology = topology_on(free_ports(sum(_PORTS)))
    runtime = LocalRuntime(start_timeout=WITHIN)
    with open_folder() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv(stacks.HOME_VARIABLE, str(home))
        record = runtime.up(topology, StackSpec(), silent)
        cluster = Cluster(runtime.controls(record), topology)
        try:
            yield cluster
        finally:
            runtime.down(DESIGN, silent)
            assert processes.strays(DESIGN) == []


def settings_of_client(cluster: Cluster) -> dict[str, object]:
    """Return the settings of a process that has its state there."""
    return {"store": POSTGRES, "postgres_ha": PATRONI, "peers": cluster.peers}
