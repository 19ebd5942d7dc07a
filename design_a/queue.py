"""The queue service: sole writer of queue membership."""

from __future__ import annotations

from common.gen.taskqueue.internal.v1 import queue_service_pb2, queue_service_pb2_grpc
from common.metrics import QueueMetrics
from common.owners.queue import QueueOwner
from common.rpc.process import Process, run
from design_a.servicers.queue import QueueServicer


def assemble(process: Process) -> None:
    """Serve the queue owner."""
    settings = process.settings
    metrics = QueueMetrics(process.registry)
    owner = QueueOwner(
        process.clock,
        metrics,
        settings.lease,
        settings.max_queued_jobs,
        settings.max_queued_bytes,
    )
    metrics.watch(owner)
    process.before_stop(owner.stop_waiting)
    process.serve(
        queue_service_pb2.DESCRIPTOR.services_by_name["QueueService"],
        queue_service_pb2_grpc.add_QueueServiceServicer_to_server,
        QueueServicer(owner),
    )


if __name__ == "__main__":
    run(assemble)
