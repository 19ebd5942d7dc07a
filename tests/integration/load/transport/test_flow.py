"""Windows, frames and the number of calls: our transport keeps to what its server allows."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from hyperframe.frame import (
    DataFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.integration.load.transport.conftest import Open
from tests.support.http2 import message_frame
from tests.support.http2_server import OK_HEADERS, Peer, Server, calls
from tests.support.waiting import eventually

SECONDS = 10.0
TABLE, STREAMS, WINDOW, FRAME = (
    SettingsFrame.HEADER_TABLE_SIZE,
    SettingsFrame.MAX_CONCURRENT_STREAMS,
    SettingsFrame.INITIAL_WINDOW_SIZE,
    SettingsFrame.MAX_FRAME_SIZE,
)


def echo(peer: Peer, stream: int) -> None:
    """Answer with what was sent."""
    peer.answer(stream, bytes(peer.bodies[stream][5:]))


def sizes(peer: Peer, stream: int = 1) -> list[int]:
    """The sizes of the DATA frames of a call."""
    return [len(each.data) for each in peer.of_type(DataFrame) if each.stream_id == stream]


def waits(call: gevent.Greenlet[..., Any]) -> bool:
    """Let others run; returns whether a call has not ended."""
    gevent.sleep(0.01)
    return not call.ready()


@pytest.mark.parametrize("size", [0, 1, 65_530, 65_531, 200_000, 16 << 20])
def test_messages_of_any_size_arrive_whole(method: Open, size: int) -> None:
    message = bytes(range(256)) * (size // 256) + b"z" * (size % 256)
    with Server(calls(echo), {WINDOW: 2**31 - 1}) as server:
        assert method(server.address)(message, timeout=SECONDS) == message

        assert all(each <= 16_384 for each in sizes(server.peers[0]))


def test_a_message_waits_for_room_of_its_own_and_of_all(method: Open) -> None:
    with Server(calls(echo), {WINDOW: 10}) as server:
        call = gevent.spawn(method(server.address), b"x" * 100, timeout=SECONDS)
        eventually(lambda: waits(call) and server.peers and sum(sizes(server.peers[0])) == 10)
        (peer,) = server.peers

        # Room for more calls, and then less than was given before.
        peer.send(SettingsFrame(0, settings={WINDOW: 40}))
        eventually(lambda: waits(call) and sum(sizes(peer)) == 40)
        peer.send(SettingsFrame(0, settings={WINDOW: 5}))
        peer.grant(1, 40)
        eventually(lambda: waits(call) and sum(sizes(peer)) == 45)
        peer.grant(1, 1000)

        assert call.get(timeout=SECONDS) == b"x" * 100


def test_calls_wait_for_the_room_that_all_of_them_share(method: Open) -> None:
    def serve(peer: Peer) -> None:
        peer.serve(echo, grants=False)

    with Server(serve, {WINDOW: 1 << 20}) as server:
        call = method(server.address)
        made = [gevent.spawn(call, b"x" * 50_000, timeout=SECONDS) for _ in range(3)]

        def total() -> int:
            return sum(sum(sizes(peer, stream)) for peer in server.peers for stream in (1, 3, 5))

        eventually(lambda: waits(made[2]) and total() == 65_535)
        gevent.sleep(0.02)
        assert total() == 65_535
        server.peers[0].grant(0, 1 << 20)

        assert [each.get() for each in made] == [b"x" * 50_000] * 3


def test_room_that_settings_give_is_used_once_they_are_acknowledged(method: Open) -> None:
    with Server(calls(echo), {WINDOW: 10}) as server:
        call = gevent.spawn(method(server.address), b"x" * 100, timeout=SECONDS)
        eventually(lambda: waits(call) and server.peers and sum(sizes(server.peers[0])) == 10)
        (peer,) = server.peers
        peer.send(SettingsFrame(0, settings={WINDOW: 1000}))
        call.get(timeout=SECONDS)

        kinds = [type(f) for f in peer.seen if isinstance(f, SettingsFrame | DataFrame)]
        assert kinds == [SettingsFrame, SettingsFrame, DataFrame, SettingsFrame, DataFrame]


def test_many_large_messages_share_the_window_of_their_connection(method: Open) -> None:
    messages = [bytes([number]) * 100_000 for number in range(8)]
    with Server(calls(echo), {WINDOW: 1 << 20}) as server:
        call = method(server.address)
        echoed = [gevent.spawn(call, each, timeout=SECONDS) for each in messages]

        assert [each.get() for each in echoed] == messages
        assert len(server.peers) == 1


@pytest.mark.parametrize(("allowed", "sent"), [(32_768, 32_768), (1 << 22, 65_535)])
def test_frames_are_as_large_as_the_server_wants_within_reason(
    method: Open, allowed: int, sent: int
) -> None:
    with Server(calls(echo), {WINDOW: 1 << 20, FRAME: allowed}) as server:
        method(server.address)(b"x" * 500_000, timeout=SECONDS)

        assert max(sizes(server.peers[0])) == sent


def test_calls_beyond_the_server_s_number_wait_for_their_turn(method: Open) -> None:
    held: list[int] = []
    with Server(calls(lambda peer, stream: held.append(stream)), {STREAMS: 2}) as server:
        call = method(server.address)
        begun = [gevent.spawn(call, b"", timeout=SECONDS) for _ in range(4)]
        eventually(lambda: waits(begun[0]) and len(held) == 2)
        (peer,) = server.peers

        begun[3].kill()
        peer.answer(held[0], b"first")
        eventually(lambda: waits(begun[2]) and len(held) == 3)
        for stream in held[1:]:
            peer.answer(stream, b"other")

        assert [each.get() for each in begun[:3]] == [b"first", b"other", b"other"]
        gevent.sleep(0.02)
        assert held == [1, 3, 5]


def test_a_call_whose_turn_does_not_come_ends_with_its_deadline(method: Open) -> None:
    with Server(calls(echo), {STREAMS: 0}) as server:
        with pytest.raises(Exception, match="DEADLINE_EXCEEDED"):
            method(server.address)(b"", timeout=0.05)

        eventually(lambda: gevent.sleep(0.005) or server.peers)
        assert not server.peers[0].of_type(HeadersFrame)


def test_a_call_that_is_killed_or_expires_is_reset_and_its_stream_forgotten(method: Open) -> None:
    def late(peer: Peer, stream: int) -> None:
        if peer.bodies[stream][5:] != b"late":
            peer.answer(stream, b"good")

    with Server(calls(late)) as server:
        call = method(server.address)
        killed = gevent.spawn(call, b"late", timeout=SECONDS)
        eventually(lambda: waits(killed) and server.peers and server.peers[0].bodies)
        (peer,) = server.peers
        killed.kill()
        with pytest.raises(Exception, match="DEADLINE_EXCEEDED"):
            call(b"late", timeout=0.02)
        peer.answer(1, b"too late")
        peer.answer(3, b"too late")

        assert call(b"", timeout=SECONDS) == b"good"
        resets = peer.of_type(RstStreamFrame)
        assert [(frame.stream_id, frame.error_code) for frame in resets] == [(1, 8), (3, 8)]


def test_an_answer_before_the_message_is_whole_ends_both(method: Open) -> None:
    def refuse(peer: Peer) -> None:
        for frame in peer.frames():
            if isinstance(frame, DataFrame):
                peer.send(
                    peer.headers(frame.stream_id, (*OK_HEADERS, ("grpc-status", "8")), "END_STREAM")
                )

    with Server(refuse, {WINDOW: 10}) as server:
        with pytest.raises(Exception, match="RESOURCE_EXHAUSTED"):
            method(server.address)(b"x" * 1000, timeout=SECONDS)

        eventually(lambda: isinstance(server.peers[0].seen[-1], RstStreamFrame))
        assert server.peers[0].seen[-1].error_code == 0


@pytest.mark.parametrize("size", [3 << 20, 16 << 20])
def test_a_server_that_keeps_to_its_windows_can_send_any_answer(method: Open, size: int) -> None:
    widest = {0: 0, 1: 0}

    def send(peer: Peer) -> None:
        """Send as much as there is room for, and wait for more."""
        left, rooms, begun = memoryview(message_frame(b"x" * size)), {0: 65_535, 1: 0}, False
        for frame in peer.frames():
            if isinstance(frame, SettingsFrame):
                rooms[1] += frame.settings.get(WINDOW, 0)
            elif isinstance(frame, WindowUpdateFrame):
                rooms[frame.stream_id] += frame.window_increment
                widest[frame.stream_id] = max(widest[frame.stream_id], rooms[frame.stream_id])
            elif isinstance(frame, DataFrame):
                begun = True
                peer.send(peer.headers(1, OK_HEADERS))
            while begun and left and (room := min(16_384, *rooms.values())):
                part, left = bytes(left[:room]), left[room:]
                rooms = {stream: each - len(part) for stream, each in rooms.items()}
                peer.send(DataFrame(1, part), *([] if left else [peer.trailers(1)]))

    with Server(send) as server:
        assert len(method(server.address)(b"", timeout=SECONDS)) == size
    # Room is given back for what has arrived, and no more.
    assert widest[0] == 8 << 20
    assert widest[1] <= 1 << 20


@pytest.mark.parametrize("table", [0, 100, 4096, 1 << 20])
def test_header_tables_of_any_size_are_kept_in_step(channel: Open, table: int) -> None:
    def answer(peer: Peer, stream: int) -> None:
        if len(peer.requests) == 40:
            peer.send(SettingsFrame(0, settings={TABLE: 50}))
            peer.decoder.max_allowed_table_size = 50
        fields = dict(peer.requests[stream])
        peer.answer(stream, f"{fields[':path']} {fields['x']}".encode())

    def serve(peer: Peer) -> None:
        # This decoder refuses a client that does not shrink its table.
        peer.decoder.max_allowed_table_size = table
        peer.serve(answer)

    with Server(serve, {TABLE: table}) as server:
        opened = channel(server.address)
        for number in range(80):
            path, value = f"/some.Service/{'Method' * 10}{number % 7}", f"v{number}"
            answered = opened.unary_unary(path)(b"", timeout=SECONDS, metadata=(("x", value),))

            assert answered == f"{path} {value}".encode()
