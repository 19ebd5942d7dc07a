"""Errors of the domain as rich gRPC statuses, and back.

The status carries one ``google.rpc.ErrorInfo`` (AIP-193); its metadata also says whether the
outcome is definite.
"""

from __future__ import annotations

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from common.domain import errors
from common.domain.errors import TaskQueueError

DOMAIN = "taskqueue"
OUTCOME = "outcome"
# Characters of a text in a status: it may quote what a client sent, and trailers are limited.
MAX_TEXT = 1024


def to_grpc(error: TaskQueueError) -> grpc.Status:
    """Return the status to abort a call with."""
    outcome = "definite" if error.definite else "indefinite"
    metadata = {key: value[:MAX_TEXT] for key, value in error.metadata.items()}
    info = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=DOMAIN, metadata={**metadata, OUTCOME: outcome}
    )
    detail = any_pb2.Any()
    detail.Pack(info)
    code = code_pb2.Code.Value(error.code)
    status = status_pb2.Status(code=code, message=error.message[:MAX_TEXT], details=[detail])
    return rpc_status.to_status(status)  # type: ignore[no-any-return]


def from_grpc(error: grpc.aio.AioRpcError, peer: str) -> TaskQueueError:
    """Return the domain's error for a failed call to ``peer``."""
    info = error_info(error)
    if info is not None:
        metadata = {key: value for key, value in info.metadata.items() if key != OUTCOME}
        return errors.from_wire(info.reason, error.details() or info.reason, metadata)
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.DeadlineExceeded(peer)
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return errors.OwnerUnreachable(peer, error.details() or error.code().name)
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return errors.Overloaded(peer, error.details() or "")
    return errors.InternalError(f"{peer} answered {error.code().name}: {error.details()}")


def error_info(error: grpc.Call | grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo | None:
    """Return the ``ErrorInfo`` of a failed call, or ``None`` if it carries none of ours."""
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        return None
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            return info
    return None
