"""The result service: sole writer of result payloads."""

from __future__ import annotations

from common.gen.taskqueue.internal.v1 import result_service_pb2, result_service_pb2_grpc
from common.rpc.process import Process, run
from common.rpc.stored import open_store
from design_a.servicers.results import ResultServicer


def assemble(process: Process) -> None:
    """Serve the result owner."""
    process.serve(
        result_service_pb2.DESCRIPTOR.services_by_name["ResultService"],
        result_service_pb2_grpc.add_ResultServiceServicer_to_server,
        ResultServicer(open_store(process).results()),
    )


if __name__ == "__main__":
    run(assemble)
