"""The worker: a client of the coordinator only; its server answers for its health."""

from __future__ import annotations

from common.handlers import registry
from common.rpc.embedded_worker import start_worker
from common.rpc.process import Process, run
from design_a.clients.coordinator import CoordinatorClient


def assemble(process: Process) -> None:
    """Run jobs for the coordinator."""
    coordinator = CoordinatorClient(process.connect("coordinator", "worker"))
    start_worker(process, coordinator, registry.load())


if __name__ == "__main__":
    run(assemble)
