"""Who may call what: the whole matrix as data, enforced on every call.

A caller names itself in metadata. One that does not is a client of the public service. Any other
proves itself by the secret of the stack. The nodes of Design B, which forward public calls to each
other, are admitted by each node and nowhere else, and so is who operates the stack.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from common.domain.errors import CallerNotAllowed, CallerNotProven

CLIENT = "client"
NODE = "node"
OPERATOR = "operator"

PUBLIC_SERVICE = "taskqueue.v1.TaskQueueService"
MEMBERSHIP_SERVICE = "taskqueue.membership.v1.MembershipService"
_INTERNAL = "taskqueue.internal.v1"
# Health and reflection are for everybody.
_OPEN = "/grpc."


def _methods(service: str, *names: str) -> frozenset[str]:
    return frozenset(f"/{service}/{name}" for name in names)


PUBLIC = _methods(
    PUBLIC_SERVICE, "SubmitJob", "GetJobStatus", "GetJobResult", "CancelJob", "ListJobs"
)

# Of nodes that share no store, beside the public methods.
EXCHANGE = _methods(MEMBERSHIP_SERVICE, "ExchangeMembership")
MEMBERSHIP = EXCHANGE | _methods(MEMBERSHIP_SERVICE, "RepeatSubmit")

ALLOWED: Mapping[str, frozenset[str]] = {
    CLIENT: PUBLIC,
    "gateway": _methods(
        f"{_INTERNAL}.JobService",
        "CreateJob",
        "GetJobRecord",
        "ListJobRecords",
        "SetCancelRequested",
    )
    | _methods(f"{_INTERNAL}.QueueService", "EnqueueJob", "RemoveJobIfPresent")
    | _methods(f"{_INTERNAL}.ResultService", "GetResult"),
    "coordinator": _methods(f"{_INTERNAL}.QueueService", "DequeueJob", "RemoveJobIfPresent")
    | _methods(f"{_INTERNAL}.JobService", "TransitionJobStatus", "GetJobRecord")
    | _methods(f"{_INTERNAL}.ResultService", "StoreResult"),
    "worker": _methods(
        f"{_INTERNAL}.CoordinatorService", "WorkerHeartbeat", "FetchWork", "ReportWorkOutcome"
    ),
}


# What only processes of the stack may call, which have proven to be.
INTERNAL = frozenset().union(*ALLOWED.values()) - PUBLIC

# What a process that stops refuses: the rest only reads, or ends what was begun.
BEGIN_WORK = _methods(PUBLIC_SERVICE, "SubmitJob") | _methods(
    f"{_INTERNAL}.CoordinatorService", "FetchWork"
)


def check(caller: str, method: str, allowed: Mapping[str, frozenset[str]] = ALLOWED) -> None:
    """Raise :class:`CallerNotAllowed` unless the caller may call the method (full gRPC path)."""
    if method in allowed.get(caller, frozenset()) or method.startswith(_OPEN):
        return
    raise CallerNotAllowed(caller[:64], method)


def prove(caller: str, given: str, secret: str) -> None:
    """Raise :class:`CallerNotProven` unless the caller is a client or gives the stack's secret.

    In a process without a secret nobody but a client is believed.
    """
    if caller == CLIENT:
        return
    if not secret or not hmac.compare_digest(given.encode(), secret.encode()):
        raise CallerNotProven(caller)
