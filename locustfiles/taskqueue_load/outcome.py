"""How a call to the task queue ended, as the load side counts it."""

from __future__ import annotations

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

ERROR_DOMAIN = "taskqueue"
JOB_NOT_FINISHED = "JOB_NOT_FINISHED"

# Without a word from the server these may have happened; the other codes are refusals.
_INDEFINITE_CODES = frozenset(
    {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL"}
)


class CallError(Exception):
    """A call that got no reply. Equal errors have equal texts, so that they are counted together.

    ``definite`` means that the operation did not happen; otherwise it may have.
    """

    def __init__(self, code: str, reason: str, definite: bool) -> None:
        self.code = code
        self.reason = reason
        self.definite = definite
        super().__init__(f"{self.kind} ({'definite' if definite else 'indefinite'})")

    @property
    def kind(self) -> str:
        """``CODE REASON``, or the code alone if the server gave no reason."""
        return f"{self.code} {self.reason}".rstrip()

    @property
    def not_finished(self) -> bool:
        """Whether this means no more than that a job has no result yet."""
        return self.reason == JOB_NOT_FINISHED


def classify(failure: grpc.RpcError) -> CallError:
    """Read a failed call: the server's own word if there is one, else the canonical code's."""
    if not isinstance(failure, grpc.Call):
        return CallError("UNKNOWN", type(failure).__name__, definite=False)
    code = failure.code().name
    info = _error_info(failure)
    if info is None:
        # Of a call that reached nobody our own transport knows it, grpcio does not say.
        untouched = getattr(failure, "untouched", False)
        return CallError(code, "", untouched or code not in _INDEFINITE_CODES)
    outcome = info.metadata.get("outcome")
    definite = code not in _INDEFINITE_CODES if outcome is None else outcome == "definite"
    return CallError(code, info.reason, definite)


def _error_info(failure: grpc.Call) -> error_details_pb2.ErrorInfo | None:
    """Return the ``ErrorInfo`` of the task queue, or ``None`` if the call carries none."""
    try:
        status = rpc_status.from_call(failure)
    except ValueError:  # the details contradict the code: not one of ours
        return None
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == ERROR_DOMAIN:
            return info
    return None
