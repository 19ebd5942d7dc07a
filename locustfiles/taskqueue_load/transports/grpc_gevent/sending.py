"""The flow control of what is sent: messages that do not fit into the windows wait for room."""

from __future__ import annotations

from collections import deque

from hyperframe.frame import SettingsFrame

from . import frames
from .call import Call
from .frames import ConnectionFault
from .wire import Wire

LARGEST_WINDOW = 2**31 - 1
_DEFAULT_WINDOW = 65_535
# More than this in a frame gains nothing. grpcio's servers allow megabytes, change their mind, and
# end the connection if what is on the way is then too large.
LARGEST_FRAME = 65_536
# What may wait in this process for a peer that does not read; the rest waits in its calls.
_BUFFERED = 262_144


class Sending:
    """What one connection may send: in total, by call, and in one frame."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.window = _DEFAULT_WINDOW
        self.initial = _DEFAULT_WINDOW
        self.largest = frames.LARGEST_FRAME
        self._turns: deque[Call] = deque()

    def limit_frames(self, largest: int) -> None:
        """Keep to the largest frame that the peer takes."""
        self.largest = min(largest, LARGEST_FRAME)

    def fits(self, block: bytes, message: bytes) -> bool:
        """Whether a call can be sent in one write."""
        size = len(message) + frames.PREFIX_BYTES
        return (
            size <= self.window
            and size <= self.initial
            and size <= self.largest
            and len(block) <= self.largest
            and not self._wire.unsent_bytes
        )

    def add(self, call: Call) -> None:
        """Send the message of a call whose header block has been sent, as there is room."""
        call.window = self.initial
        call.unsent = call.to_send()
        self._turns.append(call)
        self.send()

    def send(self) -> None:
        """Send what there is room for, a frame of each call in turn."""
        turns, wire = self._turns, self._wire
        while turns and self.window > 0 and wire.unsent_bytes < _BUFFERED:
            call = turns.popleft()
            left = len(call.unsent)
            size = min(self.window, call.window, self.largest, left)
            if not left:  # it has ended
                continue
            if size <= 0:
                call.stalled = True
                continue
            part, call.unsent = call.unsent[:size], call.unsent[size:]
            self.window -= size
            call.window -= size
            if size < left:
                turns.append(call)
            flags = 0 if size < left else frames.END_STREAM
            wire.write(frames.head(frames.DATA, flags, call.stream, size) + part)

    def grant_all(self, more: int) -> None:
        """Add to the window of all together. Raises :class:`ConnectionFault` if it gets too large.

        None of the calls can have been waiting for room if there was some.
        """
        waited = self.window <= 0
        self.window += more
        if self.window > LARGEST_WINDOW:
            raise ConnectionFault(frames.FLOW_CONTROL_ERROR, "a window that is too large")
        if waited:
            self.send()

    def grant(self, call: Call, more: int) -> None:
        """Add to the window of one call; raises as that of all does."""
        if call.unsent:
            self._widen(call, more)
            self.send()

    def set_initial(self, size: int, calls: list[Call]) -> None:
        """Change the window that calls begin with, and that of those that are under way."""
        difference, self.initial = size - self.initial, size
        for call in calls:
            if call.unsent:
                self._widen(call, difference)
        self.send()

    def _widen(self, call: Call, more: int) -> None:
        call.window += more
        if call.window > LARGEST_WINDOW:
            raise ConnectionFault(frames.FLOW_CONTROL_ERROR, "a window that is too large")
        if call.stalled and call.window > 0:
            call.stalled = False
            self._turns.append(call)


def check(settings: dict[int, int]) -> None:
    """Raise :class:`ConnectionFault` for a setting that RFC 9113 does not allow."""
    if settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, 0) > LARGEST_WINDOW:
        raise ConnectionFault(frames.FLOW_CONTROL_ERROR, "an initial window that is too large")
    largest = settings.get(SettingsFrame.MAX_FRAME_SIZE, frames.LARGEST_FRAME)
    if not frames.LARGEST_FRAME <= largest < 2**24:
        raise ConnectionFault(frames.PROTOCOL_ERROR, f"a largest frame of {largest} bytes")
    if settings.get(SettingsFrame.ENABLE_PUSH, 0):
        raise ConnectionFault(frames.PROTOCOL_ERROR, "a server that asks for pushes")
