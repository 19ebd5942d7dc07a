"""One HTTP/2 connection with the calls that are under way on it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from gevent.event import Event
from gevent.hub import Hub
from hyperframe.frame import Frame, GoAwayFrame, PingFrame, RstStreamFrame

from . import frames
from .call import Call
from .frames import ConnectionFault
from .headers import BlockEncoder, timeout_field
from .keepalive import Keepalive, Watch
from .receiving import Receiving, greeting
from .sending import Sending
from .status import Code, Outcome
from .wire import Wire

_LAST_STREAM = 2**31 - 1
_UNLIMITED = 2**32
# Bytes that wait for a server which goes on asking.
_MOST_UNREAD = 8 << 20


class Connection:
    """A connection that is made, with calls on it until it is lost or the server ends it.

    ``settled`` is set once the server has greeted, or was lost before; ``on_retired`` is called
    once, when no further call may be started. All is to be used in the thread of ``hub``.
    """

    def __init__(
        self, hub: Hub, connected: socket.socket, on_retired: Callable[[Connection], None]
    ) -> None:
        self.usable = True
        self.settled = Event()
        self.lost = ""
        self.calls: dict[int, Call] = {}
        # What the server allows: calls at a time, and the size of a call's header fields.
        self.most = _UNLIMITED
        self.largest_list = _UNLIMITED
        self.last_id = -1
        self.encoder = BlockEncoder()
        self._hub = hub
        self._watch: Watch | None = None
        self._on_retired = on_retired
        self._wire = Wire(hub, connected, self)
        self.sending = Sending(self._wire)
        self._receiving = Receiving(self)
        self._queue: dict[Call, None] = {}
        self._ended: list[Call] = []
        self._replies: list[bytes] = []
        self._wire.write(greeting())

    @property
    def closed(self) -> bool:
        """Whether nothing is sent or received any more."""
        return self._wire.closed

    @property
    def unsent_bytes(self) -> int:
        """What waits for a server that does not read, besides the messages of calls."""
        return self._wire.unsent_bytes

    # What callers do.

    def start(self, call: Call, seconds: float | None) -> None:
        """Send a call that may take so many seconds, once the server takes another one."""
        if not self.usable:
            self._end(call, Outcome(Code.UNAVAILABLE, "the connection ends", untouched=True))
            self._wake()
        elif call.size > self.largest_list:
            words = f"headers of {call.size} bytes, where the server takes {self.largest_list}"
            self._end(call, Outcome(Code.RESOURCE_EXHAUSTED, words, untouched=True))
            self._wake()
        elif len(self.calls) < self.most:
            self._send(call, seconds)
        else:
            self._queue[call] = None

    def abandon(self, call: Call, outcome: Outcome) -> None:
        """End a call from this side, unless it has ended."""
        if call.outcome is None:
            self._queue.pop(call, None)
            self.end(call, outcome, frames.CANCEL)
            self.flush()
            self._wake()

    def keep_alive(self, keepalive: Keepalive) -> None:
        """Lose the connection if its server does not answer pings."""

        def ping() -> None:
            self._wire.write(PingFrame(0).serialize())

        def give_up() -> None:
            self.on_closed("the server does not answer pings")

        self._watch = Watch(self._hub, keepalive, ping, give_up)

    def close(self, outcome: Outcome) -> None:
        """End all calls and the connection."""
        self._wire.write(GoAwayFrame(0).serialize())
        self._close(outcome, outcome)

    # What the wire reports.

    def on_bytes(self, data: bytes) -> None:
        """Take what the server sent."""
        if self._watch is not None:
            self._watch.received()
        try:
            self._receiving.take(data)
        except ConnectionFault as fault:
            words = f"the server broke the protocol: {fault}"
            self.reply(GoAwayFrame(0, error_code=fault.code, additional_data=words.encode()))
            self.flush()
            unreadable = fault.code == frames.COMPRESSION_ERROR
            self._lose(Code.INTERNAL if unreadable else Code.UNKNOWN, words)
            return
        except Exception:
            # A defect here: no call may wait for an answer that nobody reads any more.
            self._lose(Code.INTERNAL, "the answer could not be processed")
            raise
        self.flush()
        self._wake()

    def on_closed(self, words: str) -> None:
        """End all calls, for the server is lost."""
        self._lose(Code.UNAVAILABLE, words)

    def on_sent(self) -> None:
        """Send on."""
        self.sending.send()

    # What the receiving side does.

    def reply(self, frame: Frame) -> None:
        """Send a frame once all that has arrived is taken."""
        self._replies.append(frame.serialize())

    def flush(self) -> None:
        """Send the replies that wait."""
        if self._replies:
            replies, self._replies = self._replies, []
            self._wire.write(b"".join(replies))
            if self._wire.unsent_bytes > _MOST_UNREAD:
                self.on_closed("the server does not read the answers to what it asks for")

    def end(self, call: Call, outcome: Outcome, reset: int | None = None) -> None:
        """End a call under way; ``reset`` says to the server why, if it does not know."""
        if call.stream in self.calls:
            if reset is None and call.unsent:
                reset = frames.NO_ERROR
            if reset is not None:
                self.reply(RstStreamFrame(call.stream, error_code=reset))
        self._end(call, outcome)

    def retire(self, last: int, words: str) -> None:
        """Start no further call; those after stream ``last``, and those in the queue, end."""
        self._retire()
        outcome = Outcome(Code.UNAVAILABLE, words, untouched=True)
        for call in [each for each in self.calls.values() if each.stream > last]:
            self._end(call, outcome)
        self._end_queued(outcome)
        self._close_if_done()

    def start_queued(self) -> None:
        """Start what the server has room for."""
        while self._queue and len(self.calls) < self.most:
            call = next(iter(self._queue))
            del self._queue[call]
            self._send(call, None if call.ends_at is None else call.ends_at - time.monotonic())

    # Inside.

    def _send(self, call: Call, seconds: float | None) -> None:
        more = call.more
        if seconds is not None:
            more += timeout_field(seconds)
        block = self.encoder.encode(call.fields) + more
        stream = call.stream = self.last_id + 2
        self.last_id = stream
        self.calls[stream] = call
        if self.sending.fits(block, call.message):
            self.sending.window -= len(call.message) + frames.PREFIX_BYTES
            self._wire.write(frames.whole_call(stream, block, call.message))
        else:
            self._wire.write(frames.header_frames(stream, block, self.sending.largest))
            self.sending.add(call)
        if stream == _LAST_STREAM:
            self._retire()

    def _end(self, call: Call, outcome: Outcome) -> None:
        self.calls.pop(call.stream, None)
        call.end(outcome)
        self._ended.append(call)

    def _end_queued(self, outcome: Outcome) -> None:
        queued, self._queue = self._queue, {}
        for call in queued:
            self._end(call, outcome)

    def _wake(self) -> None:
        """Continue those whose calls have ended. They may make further ones at once."""
        while self._ended:
            ended, self._ended = self._ended, []
            if self._queue:
                self.start_queued()
            self._close_if_done()
            for call in ended:
                call.wake()

    def _retire(self) -> None:
        if self.usable:
            self.usable = False
            self._on_retired(self)

    def _close_if_done(self) -> None:
        if not self.usable and not self.calls and not self._queue:
            self._close_wire()

    def _close_wire(self) -> None:
        self._wire.close()
        if self._watch is not None:
            self._watch.stop()

    def _lose(self, code: Code, words: str) -> None:
        self.lost = words
        outcome = Outcome(code, words)
        self._close(outcome, outcome._replace(untouched=True))

    def _close(self, outcome: Outcome, of_queued: Outcome) -> None:
        self._retire()
        self._close_wire()
        self.settled.set()
        for call in list(self.calls.values()):
            self._end(call, outcome)
        self._end_queued(of_queued)
        self._wake()
