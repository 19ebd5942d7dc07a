"""A node: every owner, a worker and the public servicer in one process."""

from __future__ import annotations

from common.cache import cached
from common.flows.coordinator import WorkCoordinator
from common.flows.leftovers import Leftovers
from common.flows.public import OwnedTaskQueue
from common.gen.taskqueue.v1 import task_queue_service_pb2, task_queue_service_pb2_grpc
from common.handlers import registry
from common.metrics import watch_liveness
from common.owners.jobs import JobOwner
from common.owners.liveness import LivenessOwner
from common.ports import TaskQueue
from common.rpc.embedded_worker import start_worker
from common.rpc.process import Process
from common.rpc.public import PublicServicer
from common.rpc.stored import open_store
from design_b import cluster


def assemble(process: Process) -> None:
    """Serve the public contract over this node's owners and the other nodes, or a shared store."""
    settings = process.settings
    number = cluster.number_of(settings.name)
    kinds = registry.load()

    store = open_store(process)
    jobs, queue, results = store.jobs(process.mint(number)), store.queue(), store.results()
    process.before_stop(queue.stop_waiting)
    liveness = LivenessOwner(process.clock, settings.heartbeat_timeout)
    watch_liveness(liveness, process.registry)
    shared = store.shared()
    coordinator = WorkCoordinator(
        liveness, jobs, queue, results, settings.lease, process.background, shared
    )
    process.run_beside(coordinator.watch)
    start_worker(process, coordinator, kinds)

    background = process.background
    task_queue: TaskQueue = OwnedTaskQueue(jobs, queue, results, background, shared)
    if shared is None:
        process.run_beside(Leftovers(jobs, queue).watch)
    if isinstance(jobs, JobOwner):
        task_queue = cluster.join(process, task_queue, jobs, kinds)
    process.serve(
        task_queue_service_pb2.DESCRIPTOR.services_by_name["TaskQueueService"],
        task_queue_service_pb2_grpc.add_TaskQueueServiceServicer_to_server,
        PublicServicer(cached(process, task_queue, store.clock), kinds),
    )
