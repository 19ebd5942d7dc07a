"""The job service: sole writer of job metadata and state."""

from __future__ import annotations

from common.gen.taskqueue.internal.v1 import job_service_pb2, job_service_pb2_grpc
from common.rpc.process import Process, run
from common.rpc.stored import open_store
from design_a.servicers.jobs import JobServicer


def assemble(process: Process) -> None:
    """Serve the job owner."""
    jobs = open_store(process).jobs(process.mint())
    process.serve(
        job_service_pb2.DESCRIPTOR.services_by_name["JobService"],
        job_service_pb2_grpc.add_JobServiceServicer_to_server,
        JobServicer(jobs),
    )


if __name__ == "__main__":
    run(assemble)
