"""What is asked of a peer while calls to it are under way goes together in one.

The internal messages carry repeated entries for this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from google.protobuf.message import Message

from common.flows import coalesce
from common.flows.waiters import Answer
from common.rpc.channel import Peer
from common.rpc.outbound import Waits

Item = TypeVar("Item", bound="Message | str")
Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Method(Generic[Item, Answer]):
    """A method of a peer, as a ``Carrier``.

    ``method`` is of a stub on the peer's channel, ``wrap`` puts entries into its request, and
    ``unwrap`` takes one answer for each of them, in their order, out of its response.
    """

    def __init__(
        self,
        peer: Peer,
        method: Callable[..., Awaitable[Response]],
        wrap: Callable[[list[Item]], Request],
        unwrap: Callable[[Response], Iterable[Answer]],
    ) -> None:
        self.name = peer.name
        self.time_left = peer.time_left
        self._peer = peer
        self._method = method
        self._wrap = wrap
        self._unwrap = unwrap
        self._request: type[Message] | None = None
        self._waits: dict[str, Waits] = {}

    def size(self, entry: Item) -> int:
        """Return the bytes of an entry, or about that."""
        return len(entry) if isinstance(entry, str) else entry.ByteSize()

    async def carry(self, entries: Sequence[Item]) -> Iterable[Answer]:
        """Call the method, as :meth:`Peer.call` does."""
        request = self._wrap(list(entries))
        self._request = type(request)
        self._peer.count_entries(self._request, len(entries))
        return self._unwrap(await self._peer.call(self._method, request))

    def waited(self, within: str, seconds: float) -> None:
        """Count one who waited; nothing is known of a method that was never called."""
        if self._request is None:
            return
        waits = self._waits.get(within)
        if waits is None:
            waits = self._waits[within] = self._peer.waits(self._request, within)
        waits.ended(seconds)


class Coalescer(coalesce.Coalescer[Item, Answer]):
    """Calls one method of a peer for many who wait; see :class:`Method` for what it takes."""

    def __init__(
        self,
        peer: Peer,
        method: Callable[..., Awaitable[Response]],
        wrap: Callable[[list[Item]], Request],
        unwrap: Callable[[Response], Iterable[Answer]],
        under_way: int = coalesce.UNDER_WAY,
    ) -> None:
        super().__init__(Method(peer, method, wrap, unwrap), under_way)
