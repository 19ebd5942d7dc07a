"""Be the links of a stack: ``python -m common.links``."""

from __future__ import annotations

import asyncio

from common.config import ConfigError, Settings
from common.gen.testbed.links.v1 import link_service_pb2, link_service_pb2_grpc
from common.links import metrics
from common.links.link import Link
from common.links.servicer import LinkServicer
from common.rpc.callers import CLIENT
from common.rpc.process import Process, run

_SERVICE = link_service_pb2.DESCRIPTOR.services_by_name["LinkService"]


def assemble(process: Process) -> None:
    """Relay the calls of all links of the settings, and let clients set faults on them."""
    links = made(process.settings)
    metrics.expose(list(links), process.registry)
    for link, listen in links.items():
        link.bind(listen)

    async def relay() -> None:
        await asyncio.gather(*(link.start() for link in links))
        await asyncio.Event().wait()

    async def stop() -> None:
        await asyncio.gather(*(link.stop() for link in links))

    process.run_beside(relay)
    process.before_stop(stop)
    process.admit(
        CLIENT, frozenset(f"/{_SERVICE.full_name}/{method.name}" for method in _SERVICE.methods)
    )
    process.serve(
        _SERVICE,
        link_service_pb2_grpc.add_LinkServiceServicer_to_server,
        LinkServicer(list(links)),
    )


def made(settings: Settings) -> dict[Link, str]:
    """Make the links of the settings; gives where each listens. Raises ``ConfigError``."""
    links = {}
    for name, listen in settings.links.items():
        caller, separator, callee = name.partition(">")
        if not separator or callee not in settings.peers:
            raise ConfigError(f"TASKQUEUE_LINKS: {name!r} is not CALLER>PEER")
        links[Link(caller, callee, settings.peers[callee])] = listen
    return links


if __name__ == "__main__":
    run(assemble)
