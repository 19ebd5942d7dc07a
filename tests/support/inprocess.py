"""The owners, the flows and the public servicer in the test's own process, behind real gRPC."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from common.config import Settings
from common.flows.coordinator import WorkCoordinator
from common.flows.public import OwnedTaskQueue
from common.gen.taskqueue.v1 import task_queue_service_pb2, task_queue_service_pb2_grpc
from common.handlers.registry import load
from common.owners.liveness import LivenessOwner
from common.rpc.process import Process
from common.rpc.public import PublicServicer
from common.rpc.stored import open_store
from common.worker.executor import JobExecutor
from common.worker.loop import Worker

T = TypeVar("T")


@contextmanager
def serving(slots: int) -> Iterator[str]:
    """Serve the contract from owners in this process; gives ``host:port``."""
    loop = _LoopInThread()
    try:
        server = loop.run(_start(slots))
        try:
            yield f"127.0.0.1:{server.process.port}"
        finally:
            loop.run(server.stop())
    finally:
        loop.close()


class _Server:
    """The process's parts, wired by hand: no placement, no clients."""

    def __init__(self, slots: int) -> None:
        settings = Settings("inprocess", listen="127.0.0.1:0", metrics="127.0.0.1:0", slots=slots)
        self.process = Process(settings)
        store = open_store(self.process)
        jobs, queue, results = store.jobs(self.process.mint()), store.queue(), store.results()
        self.process.before_stop(queue.stop_waiting)
        liveness = LivenessOwner(self.process.clock, settings.heartbeat_timeout)
        background = self.process.background
        coordinator = WorkCoordinator(liveness, jobs, queue, results, settings.lease, background)
        self.process.run_beside(coordinator.watch)
        kinds = load()
        self._executor = JobExecutor(kinds)
        self._worker = Worker("inprocess", slots, coordinator, self._executor, stop_grace=0.1)
        self.process.serve(
            task_queue_service_pb2.DESCRIPTOR.services_by_name["TaskQueueService"],
            task_queue_service_pb2_grpc.add_TaskQueueServiceServicer_to_server,
            PublicServicer(OwnedTaskQueue(jobs, queue, results, background), kinds),
        )

    async def start(self) -> None:
        """Serve and run jobs."""
        await self.process.start()
        self._worker.start()

    async def stop(self) -> None:
        """End the jobs, then the server."""
        await self._worker.stop()
        await self._executor.close()
        await self.process.stop()


async def _start(slots: int) -> _Server:
    server = _Server(slots)
    await server.start()
    return server


class _LoopInThread:
    """An event loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="inprocess-target")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
