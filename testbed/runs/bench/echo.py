"""A bare grpc.aio server that answers every ``SubmitJob`` with the same id: the ceiling.

``python -m testbed.runs.bench.echo`` binds a free port of loopback, prints it and serves until
SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import grpc
import uvloop

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb

_SERVICE = "taskqueue.v1.TaskQueueService"
_ANSWER = pb.SubmitJobResponse(job_id="0" * 16)


async def submit_job(_request: pb.SubmitJobRequest, _context: object) -> pb.SubmitJobResponse:
    """Return a constant and keep nothing."""
    return _ANSWER


async def serve() -> None:
    """Serve until SIGTERM or SIGINT."""
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(
        submit_job,
        request_deserializer=pb.SubmitJobRequest.FromString,
        response_serializer=pb.SubmitJobResponse.SerializeToString,
    )
    methods = grpc.method_handlers_generic_handler(_SERVICE, {"SubmitJob": handler})
    server.add_generic_rpc_handlers((methods,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await server.stop(0.2)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
