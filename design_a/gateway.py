"""The gateway: stateless, the only service that clients call."""

from __future__ import annotations

from common.cache import cached
from common.flows.leftovers import Leftovers
from common.flows.public import OwnedTaskQueue
from common.gen.taskqueue.v1 import task_queue_service_pb2, task_queue_service_pb2_grpc
from common.handlers import registry
from common.rpc.process import Process, run
from common.rpc.public import PublicServicer
from design_a.clients.jobs import JobsClient
from design_a.clients.queue import QueueClient
from design_a.clients.results import ResultsClient


def assemble(process: Process) -> None:
    """Serve the public contract over the three services that own the state."""
    jobs = JobsClient(process.connect("job", "gateway"))
    queue = QueueClient(process.connect("queue", "gateway"))
    results = ResultsClient(process.connect("result", "gateway"))
    task_queue = OwnedTaskQueue(jobs, queue, results, process.background)
    process.run_beside(Leftovers(jobs, queue).watch)
    process.serve(
        task_queue_service_pb2.DESCRIPTOR.services_by_name["TaskQueueService"],
        task_queue_service_pb2_grpc.add_TaskQueueServiceServicer_to_server,
        PublicServicer(cached(process, task_queue, process.clock), registry.load()),
    )


if __name__ == "__main__":
    run(assemble)
