"""The audit of a fault run: every call of it is an operation in the history.

What the checker concludes about lost jobs rests on these calls. They are recorded under the client
name ``audit``: the whole listing, then status and result of every job that was accepted or listed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import grpc

from common.rpc import status
from testbed.drive.audit import Audit, Found, OnProgress
from testbed.drive.audit_calls import CALL_SECONDS, Call, Servers, send
from testbed.record.history import messages
from testbed.record.history.writer import HistoryWriter

CLIENT = "audit"
ATTEMPTS = 4
PAUSE = 0.5
# Without a word from the server a call that ended so may have had its effect.
_INDEFINITE = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL"})


class RecordedCalls:
    """Makes the calls of an audit, each again at the next server while its outcome is indefinite.

    A call may take its full time however little is left to the audit: a job of which nothing is
    found out counts as not looked up.
    """

    def __init__(self, writer: HistoryWriter) -> None:
        self._writer = writer

    async def __call__(self, servers: Servers, call: Call) -> Any:
        """Return the reply. Raises ``grpc.aio.AioRpcError`` if the last attempt failed."""
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._attempt(servers, call)
            except grpc.aio.AioRpcError as error:
                if _outcome(error)[1]:
                    raise
            await asyncio.sleep(PAUSE)
        return await self._attempt(servers, call)

    async def _attempt(self, servers: Servers, call: Call) -> Any:
        endpoint, stub = next(servers)
        scan = f"{CLIENT}/{call.scan}" if call.scan else ""
        asked = messages.asked_of(call.request, scan, call.number)
        entry = self._writer.invoke(CLIENT, endpoint, call.method, asked)
        try:
            reply = await send(stub, call, CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            self._writer.failed(entry, error.code().name, *_outcome(error))
            raise
        self._writer.ok(entry, messages.answer_of(reply))
        return reply


def recorded_audit(
    endpoints: Sequence[str],
    accepted: Iterable[str],
    seconds: float,
    writer: HistoryWriter,
    on_progress: OnProgress = lambda _done, _total: None,
    retention: float = 0.0,
) -> Found:
    """Audit a stack within ``seconds``, every call written to a history."""
    audit = Audit(
        endpoints,
        accepted,
        seconds,
        on_progress,
        caller=RecordedCalls(writer),
        results=True,
        retention=retention,
    )
    return asyncio.run(audit.run())


def _outcome(error: grpc.aio.AioRpcError) -> tuple[str, bool]:
    """Return the reason that the server gave, if any, and whether the outcome is definite."""
    info = status.error_info(error)
    if info is None:
        return "", error.code().name not in _INDEFINITE
    return info.reason, info.metadata.get(status.OUTCOME) == "definite"
