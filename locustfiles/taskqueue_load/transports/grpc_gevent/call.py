"""One call: what it sends, what it has got so far, and whoever waits for it."""

from __future__ import annotations

import struct

from gevent import getcurrent
from gevent.hub import Hub
from gevent.hub import Waiter as _Waiter

from .frames import PREFIX_BYTES, message_prefix
from .headers import LARGEST_LIST
from .metadata import Block, Fields
from .status import CODES, Code, Outcome, of_http

_PREFIX = struct.Struct(">BL")
# What may be named. None but the first is asked for.
_ENCODINGS = frozenset({"identity", "deflate", "gzip"})
_NOTHING = memoryview(b"")


class Call:
    """A unary call. It ends once: when it has an ``outcome``, by :meth:`end`.

    ``fields`` are its header fields that other calls have too, ``more`` is encoded and has the
    rest; ``size`` is that of all of them. ``ends_at`` is its deadline on the clock of
    ``time.monotonic``, ``None`` without one. ``answer`` is the message that came back, ``b""`` too.
    """

    __slots__ = (
        "_hub",
        "_largest",
        "_partial",
        "_waiter",
        "answer",
        "ends_at",
        "fields",
        "initial",
        "message",
        "more",
        "outcome",
        "received",
        "size",
        "stalled",
        "stream",
        "unsent",
        "window",
    )

    def __init__(
        self,
        hub: Hub,
        fields: Fields,
        more: bytes,
        size: int,
        message: bytes,
        ends_at: float | None,
        largest_answer: int,
    ) -> None:
        self.fields = fields
        self.more = more
        self.size = size
        self.message = message
        self.ends_at = ends_at
        self.stream = 0
        # What its peer lets it send, and what it has not sent; see sending.py.
        self.window = 0
        self.unsent = _NOTHING
        self.stalled = False
        # Bytes since its peer was last given room for more.
        self.received = 0
        self.initial: Block | None = None
        self.answer: bytes | None = None
        self.outcome: Outcome | None = None
        self._partial: bytearray | None = None
        self._largest = largest_answer
        self._hub = hub
        self._waiter: _Waiter[None] = _Waiter(hub)

    def wait(self) -> None:
        """Let others run until the call has ended."""
        self._waiter.get()

    def end(self, outcome: Outcome) -> None:
        """Set how it ended; who waits is woken by :meth:`wake`."""
        self.outcome = outcome
        self.unsent = _NOTHING
        self._partial = None

    def wake(self) -> None:
        """Continue who waits: at once; from a greenlet, once the loop gets to it."""
        if getcurrent() is self._hub:
            self._waiter.switch(None)
        else:
            self._hub.loop.run_callback(self._waiter.switch, None)

    def to_send(self) -> memoryview:
        """Return the message with what gRPC puts before it."""
        return memoryview(message_prefix(len(self.message)) + self.message)

    def begin(self, block: Block) -> Outcome | None:
        """Take the headers of the answer; returns how the call ends if nothing can follow them."""
        self.initial = block
        if block.size > LARGEST_LIST:
            return Outcome(Code.RESOURCE_EXHAUSTED, "the headers of the answer are too large")
        if block.wrong:
            return Outcome(Code.INTERNAL, f"headers that make no sense: {block.wrong}")
        if block.encoding not in _ENCODINGS:
            return Outcome(Code.INTERNAL, f"an encoding that nobody knows: {block.encoding}")
        if block.http not in (None, 200) and block.grpc is None:
            return Outcome(*of_http(block.http), (), block.metadata)
        return None

    def take_data(self, body: bytes) -> Outcome | None:
        """Take a part of the answer; returns how the call ends if that cannot be an answer."""
        size = len(body) - PREFIX_BYTES
        if self._partial is None and self.answer is None and size >= 0:
            packed, length = _PREFIX.unpack_from(body)
            if length == size and not packed and length <= self._largest:
                self.answer = body[PREFIX_BYTES:]
                return None
        return self._take_part(body)

    def _take_part(self, body: bytes) -> Outcome | None:
        partial = self._partial
        if partial is None:
            partial = self._partial = bytearray()
        partial += body
        if len(partial) < PREFIX_BYTES:
            return None
        packed, length = _PREFIX.unpack_from(partial)
        if (wrong := self._prefix_problem(packed, length)) is not None:
            return wrong
        whole = PREFIX_BYTES + length
        if len(partial) < whole:
            return None
        self.answer = bytes(memoryview(partial)[PREFIX_BYTES:whole])
        self._partial, more = None, bytes(memoryview(partial)[whole:])
        return self._take_part(more) if more else None

    def _prefix_problem(self, packed: int, length: int) -> Outcome | None:
        """Return why a message that begins like this is none to take."""
        if length > self._largest:
            words = f"the answer has {length} bytes, more than the {self._largest} allowed"
            return self.failed(Code.RESOURCE_EXHAUSTED, words)
        if self.answer is not None:
            return self.failed(Code.INTERNAL, "a second answer to a unary call")
        if packed:
            return self.failed(Code.INTERNAL, "the answer is compressed, which was not asked for")
        return None

    def failed(self, code: Code, words: str) -> Outcome:
        """Return an outcome that the server did not name."""
        return Outcome(code, words, () if self.initial is None else self.initial.metadata)

    def concluded(self, last: Block) -> Outcome:
        """Return how the call ends, if its stream ends with this block."""
        initial = self.initial
        before = () if initial is None else initial.metadata
        if last.size > LARGEST_LIST:
            return Outcome(Code.RESOURCE_EXHAUSTED, "the trailers are too large", before)
        if last.wrong:
            words = f"trailers that make no sense: {last.wrong}"
            return Outcome(Code.INTERNAL, words, before, last.metadata)
        if last.grpc is None:
            http = last.http if initial is None else initial.http
            return Outcome(*of_http(http), before, last.metadata)
        code = CODES.get(last.grpc, Code.UNKNOWN)
        if code is Code.OK and self.answer is None:
            return Outcome(Code.INTERNAL, "OK without an answer", before, last.metadata)
        return Outcome(code, last.message, before, last.metadata)
