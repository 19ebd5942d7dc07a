"""The queue service: sole writer of queue membership."""

from __future__ import annotations

from common.gen.taskqueue.internal.v1 import queue_service_pb2, queue_service_pb2_grpc
from common.rpc.process import Process, run
from common.rpc.stored import open_store
from design_a.servicers.queue import QueueServicer


def assemble(process: Process) -> None:
    """Serve the queue owner."""
    queue = open_store(process).queue()
    process.before_stop(queue.stop_waiting)
    process.serve(
        queue_service_pb2.DESCRIPTOR.services_by_name["QueueService"],
        queue_service_pb2_grpc.add_QueueServiceServicer_to_server,
        QueueServicer(queue),
    )


if __name__ == "__main__":
    run(assemble)
