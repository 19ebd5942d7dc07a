"""How calls end: codes from those of HTTP and HTTP/2, and the error that a caller gets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import grpc

from . import frames
from .metadata import Metadata

Code = grpc.StatusCode
CODES = {code.value[0]: code for code in grpc.StatusCode}

_OF_RESET = {
    frames.REFUSED_STREAM: Code.UNAVAILABLE,
    frames.CANCEL: Code.CANCELLED,
    frames.ENHANCE_YOUR_CALM: Code.RESOURCE_EXHAUSTED,
    frames.INADEQUATE_SECURITY: Code.PERMISSION_DENIED,
}


# Of answers that are not gRPC's, but of proxies and other servers.
_OF_HTTP = {
    400: Code.INTERNAL,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    429: Code.UNAVAILABLE,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
}


class Outcome(NamedTuple):
    """How a call ended. ``untouched`` means that no server has begun to work on it."""

    code: Code
    details: str = ""
    initial: Metadata = ()
    trailing: Metadata = ()
    untouched: bool = False


CLOSED = Outcome(Code.CANCELLED, "the channel was closed")


def of_reset(error_code: int, ends_at: float | None) -> Outcome:
    """Return how a call ends whose stream the server reset, with this deadline."""
    if error_code == frames.CANCEL and ends_at is not None and time.monotonic() >= ends_at:
        return Outcome(Code.DEADLINE_EXCEEDED, "the server saw the deadline pass")
    code = _OF_RESET.get(error_code, Code.INTERNAL)
    refused = error_code == frames.REFUSED_STREAM
    return Outcome(code, f"RST_STREAM with error code {error_code}", untouched=refused)


def of_http(status: int | None) -> tuple[Code, str]:
    """Return how a call ends whose answer has no ``grpc-status`` but this status of HTTP."""
    code = _OF_HTTP.get(status or 0, Code.UNKNOWN)
    return code, f"an answer without grpc-status, and with HTTP status {status}"


class Ended(grpc.Call):
    """A call that has ended, as grpcio has it."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def code(self) -> Code:
        """Return the status code."""
        return self._outcome.code

    def details(self) -> str:
        """Return what was said to the code."""
        return self._outcome.details

    def initial_metadata(self) -> Metadata:
        """Return what the server sent before its answer."""
        return self._outcome.initial

    def trailing_metadata(self) -> Metadata:
        """Return what the server sent after it."""
        return self._outcome.trailing

    @property
    def untouched(self) -> bool:
        """Whether no server has begun to work on the call, so that it certainly had no effect."""
        return self._outcome.untouched

    def is_active(self) -> bool:
        """Return ``False``."""
        return False

    def time_remaining(self) -> float:
        """Return 0, for nothing is left to wait for."""
        return 0.0

    def cancel(self) -> bool:
        """Return ``False``: it is too late."""
        return False

    def add_callback(self, callback: Callable[[], None]) -> bool:  # noqa: ARG002
        """Return ``False``: it is too late, and the callback is not called."""
        return False


class RpcError(Ended, grpc.RpcError):  # type: ignore[misc]  # its values may be bytes too
    """A call that did not end with OK."""

    def __init__(self, outcome: Outcome) -> None:
        Ended.__init__(self, outcome)
        Exception.__init__(self, outcome.code, outcome.details)

    def __str__(self) -> str:
        return f"{self._outcome.code.name}: {self._outcome.details}"
