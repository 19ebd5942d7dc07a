"""The coordinator: sole writer of worker liveness and dispatch."""

from __future__ import annotations

from common.flows.coordinator import WorkCoordinator
from common.gen.taskqueue.internal.v1 import coordinator_service_pb2, coordinator_service_pb2_grpc
from common.metrics import watch_liveness
from common.owners.liveness import LivenessOwner
from common.rpc.process import Process, run
from design_a.clients.jobs import JobsClient
from design_a.clients.queue import QueueClient
from design_a.clients.results import ResultsClient
from design_a.servicers.coordinator import CoordinatorServicer


def assemble(process: Process) -> None:
    """Serve the liveness owner and the dispatch over the three other services."""
    settings = process.settings
    liveness = LivenessOwner(process.clock, settings.heartbeat_timeout)
    watch_liveness(liveness, process.registry)
    coordinator = WorkCoordinator(
        liveness,
        JobsClient(process.connect("job", "coordinator")),
        QueueClient(process.connect("queue", "coordinator")),
        ResultsClient(process.connect("result", "coordinator")),
        settings.lease,
        process.background,
    )
    process.run_beside(coordinator.watch)
    process.before_stop(coordinator.stop_waiting)
    process.serve(
        coordinator_service_pb2.DESCRIPTOR.services_by_name["CoordinatorService"],
        coordinator_service_pb2_grpc.add_CoordinatorServiceServicer_to_server,
        CoordinatorServicer(coordinator),
    )


if __name__ == "__main__":
    run(assemble)
