"""Payloads are cut to a kibibyte on their way between processes."""

from __future__ import annotations

from dataclasses import replace

from common.domain.job import JobSpec
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.rpc import convert
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    spec_to = convert.spec_to

    def cut(spec: JobSpec) -> pb.JobSpec:
        return spec_to(replace(spec, payload=spec.payload[:1024]))

    patches.set(convert, "spec_to", cut)


MUTANT = Mutant("large payloads are cut", ("a", "b"), {"runs"}, _apply)
