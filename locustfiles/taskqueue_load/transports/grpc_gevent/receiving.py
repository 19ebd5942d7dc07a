"""What a server sends, and what it means for the calls under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hyperframe.frame import (
    Frame,
    GoAwayFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from . import frames, sending
from .frames import ConnectionFault, RawFrame
from .headers import LARGEST_BLOCK, LARGEST_LIST, BlockDecoder
from .status import Code, of_reset

if TYPE_CHECKING:
    from .connection import Connection

# Room for answers; whoever calls takes them at once, so it only has to cover the way.
STREAM_WINDOW = 1 << 20
CONNECTION_WINDOW = 8 << 20
_DEFAULT_WINDOW = 65_535


def greeting() -> bytes:
    """Return what a client sends first."""
    settings = {
        SettingsFrame.ENABLE_PUSH: 0,
        SettingsFrame.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
        SettingsFrame.MAX_HEADER_LIST_SIZE: LARGEST_LIST,
    }
    room = WindowUpdateFrame(0, window_increment=CONNECTION_WINDOW - _DEFAULT_WINDOW)
    return frames.PREFACE + SettingsFrame(0, settings=settings).serialize() + room.serialize()


class Receiving:
    """Takes what arrives on a connection, and passes on to it what has come of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._splitter = frames.Splitter()
        self._decoder = BlockDecoder()
        self._received = 0
        self._greeted = False
        # A header block that goes on: its stream, whether that ends with it, its bytes.
        self._unfinished: tuple[int, bool, bytearray] | None = None
        self._of_type: dict[type[Frame], Callable[[Any], None]] = {
            SettingsFrame: self._take_settings,
            PingFrame: self._take_ping,
            RstStreamFrame: self._take_reset,
            GoAwayFrame: self._take_goaway,
            PushPromiseFrame: self._refuse_push,
        }

    def take(self, data: bytes) -> None:
        """Take bytes. Raises :class:`ConnectionFault` if the connection cannot go on with them."""
        for raw in self._splitter.feed(data):
            kind = raw[0]
            if self._unfinished is not None:
                self._take_continuation(self._unfinished, raw)
            elif not self._greeted and kind != frames.SETTINGS:
                raise ConnectionFault(frames.PROTOCOL_ERROR, "no settings at first")
            elif kind == frames.HEADERS:
                self._take_headers(raw)
            elif kind == frames.DATA:
                self._take_data(raw)
            elif kind == frames.WINDOW_UPDATE:
                self._take_window(raw)
            elif kind == frames.CONTINUATION:
                raise ConnectionFault(frames.PROTOCOL_ERROR, "a continuation of nothing")
            else:
                self._take_other(raw)

    def _take_data(self, raw: RawFrame) -> None:
        _, flags, stream, body = raw
        size = len(body)
        self._received += size
        if self._received >= CONNECTION_WINDOW // 2:
            self._connection.reply(WindowUpdateFrame(0, window_increment=self._received))
            self._received = 0
        if flags & frames.PADDED:
            body = frames.unpadded(raw)
        call = self._connection.calls.get(stream)
        if call is None:
            return
        if flags & frames.END_STREAM:
            words = "the answer ended without trailers"
            self._connection.end(call, call.failed(Code.UNKNOWN, words))
        elif (wrong := call.take_data(body)) is not None:
            self._connection.end(call, wrong, frames.CANCEL)
        else:
            call.received += size
            if call.received >= STREAM_WINDOW // 2:
                self._connection.reply(WindowUpdateFrame(stream, window_increment=call.received))
                call.received = 0

    def _take_headers(self, raw: RawFrame) -> None:
        _, flags, stream, body = raw
        if flags & (frames.PADDED | frames.PRIORITY):
            body = frames.unpadded(raw)
        ended = bool(flags & frames.END_STREAM)
        if flags & frames.END_HEADERS:
            self._take_block(stream, ended, body)
        else:
            self._unfinished = stream, ended, bytearray(body)

    def _take_continuation(self, begun: tuple[int, bool, bytearray], raw: RawFrame) -> None:
        kind, flags, stream, body = raw
        of, ended, block = begun
        if kind != frames.CONTINUATION or stream != of:
            raise ConnectionFault(frames.PROTOCOL_ERROR, "a header block that is interrupted")
        block += body
        if len(block) > LARGEST_BLOCK:
            raise ConnectionFault(frames.ENHANCE_YOUR_CALM, "a header block without an end")
        if flags & frames.END_HEADERS:
            self._unfinished = None
            self._take_block(stream, ended, bytes(block))

    def _take_block(self, stream: int, ended: bool, encoded: bytes) -> None:
        # Also those of calls that have ended: the table has to follow the server's.
        block = self._decoder.decode(encoded)
        call = self._connection.calls.get(stream)
        if call is None:
            return
        if ended:
            self._connection.end(call, call.concluded(block))
        elif call.initial is not None:
            words = "headers in the middle of an answer"
            self._connection.end(call, call.failed(Code.UNKNOWN, words), frames.PROTOCOL_ERROR)
        elif (wrong := call.begin(block)) is not None:
            self._connection.end(call, wrong, frames.CANCEL)

    def _take_other(self, raw: RawFrame) -> None:
        frame = frames.parsed(raw)
        take = self._of_type.get(type(frame))
        if take is not None:
            take(frame)

    def _take_settings(self, frame: SettingsFrame) -> None:
        if "ACK" in frame.flags:
            return
        connection, settings = self._connection, frame.settings
        sending.check(settings)
        if (table := settings.get(SettingsFrame.HEADER_TABLE_SIZE)) is not None:
            connection.encoder.resize(table)
        connection.most = settings.get(SettingsFrame.MAX_CONCURRENT_STREAMS, connection.most)
        connection.largest_list = settings.get(
            SettingsFrame.MAX_HEADER_LIST_SIZE, connection.largest_list
        )
        connection.sending.limit_frames(
            settings.get(SettingsFrame.MAX_FRAME_SIZE, connection.sending.largest)
        )
        # Before anything that makes use of it: until then the server keeps to the former.
        connection.reply(SettingsFrame(0, flags=["ACK"]))
        connection.flush()
        if (window := settings.get(SettingsFrame.INITIAL_WINDOW_SIZE)) is not None:
            connection.sending.set_initial(window, list(connection.calls.values()))
        connection.start_queued()
        if not self._greeted:
            self._greeted = True
            connection.settled.set()

    def _take_window(self, raw: RawFrame) -> None:
        _, _, stream, body = raw
        more = frames.increment(body)
        if not stream:
            self._connection.sending.grant_all(more)
        elif (call := self._connection.calls.get(stream)) is not None:
            self._connection.sending.grant(call, more)

    def _take_ping(self, frame: PingFrame) -> None:
        if "ACK" not in frame.flags:
            self._connection.reply(PingFrame(0, frame.opaque_data, flags=["ACK"]))

    def _take_reset(self, frame: RstStreamFrame) -> None:
        if (call := self._connection.calls.get(frame.stream_id)) is not None:
            self._connection.end(call, of_reset(frame.error_code, call.ends_at))

    def _take_goaway(self, frame: GoAwayFrame) -> None:
        said = frame.additional_data.decode("utf-8", "replace")
        words = f"the server ends the connection: error code {frame.error_code} {said}".rstrip()
        self._connection.retire(frame.last_stream_id, words)

    def _refuse_push(self, _frame: PushPromiseFrame) -> None:
        raise ConnectionFault(frames.PROTOCOL_ERROR, "a push that nobody asked for")
