"""An etcd of several servers, which agree on who is the primary of what others keep."""

from __future__ import annotations

from collections.abc import Sequence

from common.process_spec import HTTP, Image, ProcessSpec, Ready
from common.services.scripts import shell

IMAGE = "quay.io/coreos/etcd:v3.5.16"
NAME = "etcd"


def names(count: int) -> tuple[str, ...]:
    """Name so many servers."""
    return tuple(f"{NAME}-{number}" for number in range(1, count + 1))


def servers(ports: Sequence[int], peer_ports: Sequence[int]) -> list[ProcessSpec]:
    """Return as many servers as ports: where clients call each, and where each other one does."""
    named = names(len(ports))
    # The host of each is that at which clients call it. Its port for the others is known by how far
    # it is from theirs, which stays when all ports are moved.
    members = [
        f"{name}={{{name}}}={peer - port}"
        for name, port, peer in zip(named, ports, peer_ports, strict=True)
    ]
    return [
        ProcessSpec(
            name,
            port=port,
            ports={"peer": peer},
            peers=named,
            command=(
                *shell("etcd.sh"),
                *("etcd", "{data}", "{name}", "{host}", "{port}"),
                *("{peer_port}", *members),
            ),
            needs={"etcd": "it is in Debian's package etcd-server"},
            # It says that it is well once most of them are.
            ready=Ready(HTTP, path="/health"),
            image=Image(IMAGE),
            # What it has answered is on its disk. Asked to stop it takes leave of the others, and
            # the last one waits for those that have stopped.
            stop_signal="SIGKILL",
        )
        for name, port, peer in zip(named, ports, peer_ports, strict=True)
    ]
