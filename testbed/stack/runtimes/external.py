"""The runtime of servers that are there already: it starts nothing, stops nothing, breaks nothing.

Of such a server only what the contract shows is known. It has no processes and no metrics, and
nothing of it is written to disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from common.links.fault import LinkFault
from common.rpc import connect
from testbed.errors import TestbedError
from testbed.record.model import EXTERNAL
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import ProcessStatus, Progress, Stopped, Usage
from testbed.stack.sides.declaration import Declaration
from testbed.stack.sides.side import Side

# Methods without which no job can be looked up after a drive.
NEEDED = ("SubmitJob", "GetJobStatus", "ListJobs")
_INTERVAL = 1.0
_HINT = "start the server first, and name the host and port of each of its endpoints"


@dataclass(frozen=True)
class ExternalRuntime:
    """What a :class:`testbed.stack.runtimes.Runtime` is for servers that nobody started here.

    Each address has ``timeout`` seconds to answer.
    """

    timeout: float = 5.0

    def up(self, side: Side, declaration: Declaration | None, progress: Progress) -> StackRecord:
        """Return the record of a server once each of its addresses serves the contract.

        Raises :class:`TestbedError` naming the address that does not, and the methods without
        which it could not be looked up what became of its jobs.
        """
        lacking = [each for each in NEEDED if declaration and declaration.lacks(each)]
        if declaration and lacking:
            raise TestbedError(
                f"{declaration.file}: without {', '.join(lacking)} it cannot be looked up what "
                "became of the jobs",
                f"a server that is compared has {', '.join(NEEDED)}",
            )
        for address in side.addresses:
            _require_serving(address, self.timeout)
            progress(f"{address} serves")
        return StackRecord(
            design=",".join(side.addresses),
            runtime=EXTERNAL,
            endpoints=side.addresses,
            metrics={},
            processes=(),
            slots=(declaration.slots or 0) if declaration else 0,
            settings={},
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
            ready=True,
            side=str(side),
            facts=declaration.facts if declaration else {},
        )

    def down(self, design: str, _progress: Progress) -> Stopped:
        """Do nothing: who started the server stops it."""
        return Stopped(design)

    def status(self, _record: StackRecord) -> list[ProcessStatus]:
        """Return nothing: its processes are not known."""
        return []

    def save_logs(self, _design: str) -> None:
        """Do nothing: its logs are not known."""

    def meter(self, _record: StackRecord) -> NoMeter:
        """Return a meter that reads nothing."""
        return NoMeter()

    def controls(self, record: StackRecord) -> NoControls:
        """Return controls that refuse every fault."""
        return NoControls(record)


class NoMeter:
    """The meter of a server whose use of the machine is not known."""

    interval = _INTERVAL

    def read(self) -> Mapping[str, Usage | None]:
        return {}


@dataclass(frozen=True)
class NoControls:
    """The :class:`testbed.stack.runtimes.Controls` of a server that was not started from here."""

    record: StackRecord

    def kill(self, name: str) -> None:
        self._refuse(f"kill {name}")

    def stop(self, name: str) -> None:
        self._refuse(f"stop {name}")

    def start(self, name: str) -> bool:
        self._refuse(f"start {name}")

    def pause(self, name: str) -> None:
        self._refuse(f"pause {name}")

    def resume(self, name: str) -> bool:
        self._refuse(f"resume {name}")

    def isolate(self, name: str) -> None:
        self._refuse(f"isolate {name}")

    def rejoin(self, name: str) -> bool:
        self._refuse(f"rejoin {name}")

    def fill_disk(self, name: str) -> None:
        self._refuse(f"disk of {name}")

    def empty_disk(self, name: str) -> bool:
        self._refuse(f"disk of {name}")

    def is_disk_full(self, _name: str) -> bool:
        """Return false: nothing has been done to it."""
        return False

    def set_link(self, caller: str, callee: str, _fault: LinkFault) -> None:
        self._refuse(f"link {caller}>{callee}")

    def clear_link(self, caller: str, callee: str) -> bool:
        self._refuse(f"clear link {caller}>{callee}")

    def clear_links(self) -> int:
        """Return 0: there is no link, and so nothing to heal."""
        return 0

    def set_clock(self, name: str, _seconds: float) -> None:
        self._refuse(f"clock of {name}")

    def _refuse(self, what: str) -> NoReturn:
        raise TestbedError(
            f"{what}: {self.record.design} was not started from here, so it cannot be broken from "
            "here",
            "inject faults into a design: testbed up a, then testbed fault",
        )


def _require_serving(address: str, timeout: float) -> None:
    """Raise :class:`TestbedError` unless the contract is served, and health where there is any."""
    with connect.channel(address) as channel:
        try:
            asked = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=timeout
            )
        except grpc.RpcError as error:
            # A server may have no health service; whether it is there at all shows the next call.
            _require_code(error, address, grpc.StatusCode.UNIMPLEMENTED)
        else:
            status = health_pb2.HealthCheckResponse.ServingStatus.Name(asked.status)
            if status != "SERVING":
                raise TestbedError(f"{address} is there and reports {status}", _HINT)
        try:
            TaskQueueServiceStub(channel).ListJobs(pb.ListJobsRequest(page_size=1), timeout=timeout)
        except grpc.RpcError as error:
            _require_code(error, address)


def _require_code(error: grpc.RpcError, address: str, *codes: grpc.StatusCode) -> None:
    code = error.code()
    if code in codes:
        return
    if code is grpc.StatusCode.UNIMPLEMENTED:
        what = "does not serve taskqueue.v1.TaskQueueService"
    else:
        what = f"does not answer: {code.name}: {error.details()}"
    raise TestbedError(f"{address} {what}", _HINT)
