"""A socket that never makes anybody wait: what cannot be sent now is sent by the event loop.

Nobody is in the middle of writing when it is killed, so no half frame can be on the wire, and what
arrives is read by the loop itself, without a greenlet that would have to be switched to for it.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import Protocol

from gevent.hub import Hub

_READ, _WRITE = 1, 2
_AT_ONCE = 65_536


class Receiver(Protocol):
    """Notified of what happens on a wire. All of it is called in the hub, and must not wait."""

    def on_bytes(self, data: bytes) -> None:
        """Take what has arrived."""

    def on_closed(self, words: str) -> None:
        """Learn that nothing more will arrive."""

    def on_sent(self) -> None:
        """Learn that what had to wait has been sent."""


class Wire:
    """A connected socket, which it closes in the end; to be used in the thread of ``hub``."""

    def __init__(self, hub: Hub, connected: socket.socket, receiver: Receiver) -> None:
        self._socket = connected
        self._receiver = receiver
        self._unsent: deque[memoryview] = deque()
        self.unsent_bytes = 0
        self.closed = False
        self._reading = hub.loop.io(connected.fileno(), _READ)
        self._writing = hub.loop.io(connected.fileno(), _WRITE)
        self._reading.start(self._readable)

    def write(self, data: bytes) -> None:
        """Send, now or as soon as possible, in order. After the end it is ignored."""
        if self.closed:
            return
        sent = 0
        if not self._unsent:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                pass
            except OSError:
                # Reading meets the same, after what the peer still said.
                return
            if sent == len(data):
                return
            self._writing.start(self._writable)
        self._unsent.append(memoryview(data)[sent:])
        self.unsent_bytes += len(data) - sent

    def close(self) -> None:
        """Close the socket; nothing is called afterwards."""
        if self.closed:
            return
        self.closed = True
        for watcher in (self._reading, self._writing):
            watcher.stop()
            watcher.close()
        self._unsent.clear()
        self.unsent_bytes = 0
        self._socket.close()

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_AT_ONCE)
        except BlockingIOError:
            return
        except OSError as error:
            self._receiver.on_closed(error.strerror or str(error))
            return
        if data:
            self._receiver.on_bytes(data)
        else:
            self._receiver.on_closed("the server closed the connection")

    def _writable(self) -> None:
        unsent = self._unsent
        try:
            while unsent:
                part = unsent[0]
                sent = self._socket.send(part)
                self.unsent_bytes -= sent
                if sent < len(part):
                    unsent[0] = part[sent:]
                    return
                unsent.popleft()
        except BlockingIOError:
            return
        except OSError:
            unsent.clear()
            self.unsent_bytes = 0
        self._writing.stop()
        self._receiver.on_sent()
