"""A worker inside a process: it runs from the start and stops before the server does."""

from __future__ import annotations

from prometheus_client import Gauge

from common.handlers.registry import HandlerRegistry
from common.ports import Coordinator
from common.rpc.process import Process
from common.worker.executor import JobExecutor
from common.worker.loop import Worker


def start_worker(process: Process, coordinator: Coordinator, kinds: HandlerRegistry) -> None:
    """Run the execution slots of the process's settings, if it has any."""
    settings = process.settings
    if not settings.slots:
        return
    executor = JobExecutor(kinds)
    worker = Worker(
        settings.name,
        settings.slots,
        coordinator,
        executor,
        heartbeat_interval=settings.heartbeat_interval,
        long_poll=settings.long_poll,
        stop_grace=settings.stop_grace,
        fetchers=settings.fetchers,
    )
    gauge = Gauge(
        "taskqueue_worker_slots_busy",
        "Execution slots of this worker in use",
        registry=process.registry,
    )
    gauge.set_function(lambda: worker.busy)

    async def stop() -> None:
        await worker.stop()
        await executor.close()

    process.run_beside(worker.run)
    process.before_stop(stop)
