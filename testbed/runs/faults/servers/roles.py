"""Who is the primary of a cluster at this moment, by the word of its servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import asyncpg
from redis.asyncio import Redis

from common.process_spec import POSTGRES, REDIS, ProcessSpec
from common.topology import Topology
from testbed.errors import TestbedError
from testbed.runs.faults.kind import IN_CLUSTER, PRIMARY, REPLICA, Target
from testbed.stack.ports import HOST
from testbed.stack.runtimes.controls import Controls

# How long a cluster may take to have such a server, in seconds; it may be electing one.
WITHIN = 30.0
_TICK = 0.25
_ANSWER = 1.0


def resolved(controls: Controls, topology: Topology, target: Target) -> Target:
    """Return the process that a role in a cluster is at this moment; any other target as it is.

    Raises :class:`TestbedError` if no server has that role in time.
    """
    cluster, separator, role = target.name.rpartition(IN_CLUSTER)
    if not separator:
        return target
    members = [each for each in topology.processes if each.cluster == cluster]
    until = time.monotonic() + WITHIN
    while True:
        found = asyncio.run(_roles(controls, members))
        for name, is_primary in found.items():
            if is_primary == (role == PRIMARY):
                return Target(name, (name,), target.stateful)
        if time.monotonic() > until:
            known = ", ".join(f"{n} is a {PRIMARY if p else REPLICA}" for n, p in found.items())
            raise TestbedError(
                f"{cluster} has had no {role} for {WITHIN:g} s", known or "no server of it answers"
            )
        time.sleep(_TICK)


async def _roles(controls: Controls, members: list[ProcessSpec]) -> Mapping[str, bool]:
    """Return of each server that answers whether it is the primary."""
    ports = {each.name: each.port for each in controls.record.processes}
    asked = [_ASKS[each.service](ports[each.name]) for each in members]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    # One that does not answer has no role that a fault could take from it.
    return {
        each.name: answer
        for each, answer in zip(members, answers, strict=True)
        if isinstance(answer, bool)
    }


async def _redis(port: int) -> bool:
    redis = Redis(host=HOST, port=port, single_connection_client=True)
    try:
        async with asyncio.timeout(_ANSWER):
            info = await redis.info("replication")
            return bool(info["role"] == "master")
    finally:
        await redis.aclose()


async def _postgres(port: int) -> bool:
    connection = await asyncpg.connect(f"postgresql://postgres@{HOST}:{port}", timeout=_ANSWER)
    try:
        return not await connection.fetchval("SELECT pg_is_in_recovery()", timeout=_ANSWER)
    finally:
        connection.terminate()


_ASKS: Mapping[str, Callable[[int], Coroutine[Any, Any, bool]]] = {
    REDIS: _redis,
    POSTGRES: _postgres,
}
