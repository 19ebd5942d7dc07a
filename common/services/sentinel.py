"""Sentinels of Redis: processes that make another copy the primary when that is away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from common.config import SENTINEL
from common.process_spec import SENTINEL as SERVICE
from common.process_spec import Image, ProcessSpec
from common.services.redis import HOSTS, IMAGE, NEEDS, READY
from common.services.scripts import shell

DOWN_AFTER = 2000
"""Milliseconds of silence after which a sentinel takes a server for down.

With less, failovers come of a machine that is busy, each of which may lose what no replica has.
"""
FAILOVER_TIMEOUT = 6000
"""Milliseconds that a failover may take; half the time until another one is tried."""


def names(count: int) -> tuple[str, ...]:
    """Return what so many sentinels are called."""
    return tuple(f"{SENTINEL}-{number}" for number in range(1, count + 1))


def sentinels(ports: Sequence[int], clusters: Mapping[str, Sequence[str]]) -> list[ProcessSpec]:
    """Return as many sentinels as there are ports, which watch ``clusters``: names of their copies.

    The first of them is the primary at first. Two have to agree that one is down, and a majority
    elects who makes another one the primary. Each keeps what it knows in its data folder.
    """
    all_of_them = names(len(ports))
    watched = [
        f"{cluster}={','.join(f'{{{copy}}}' for copy in copies)}"
        for cluster, copies in clusters.items()
    ]
    return [
        ProcessSpec(
            name,
            port=port,
            command=(
                *shell(HOSTS, "sentinel.sh"),
                *("sentinel", "{data}", "{host}", "{address}"),
                *(str(DOWN_AFTER), str(FAILOVER_TIMEOUT)),
                ",".join("{address}" if each == name else f"{{{each}}}" for each in all_of_them),
                *watched,
            ),
            needs=NEEDS,
            ready=READY,
            image=Image(IMAGE),
            peers=(
                *(copy for copies in clusters.values() for copy in copies),
                *(each for each in all_of_them if each != name),
            ),
            service=SERVICE,
        )
        for name, port in zip(all_of_them, ports, strict=True)
    ]
