"""Connections that are made, lost and made again, and what becomes of the calls on them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import grpc
import pytest
from hyperframe.frame import GoAwayFrame, HeadersFrame, PingFrame, SettingsFrame

from tests.integration.load.transport.conftest import PATH, Open
from tests.support.client import grpcio_channel
from tests.support.gevent_client import own_channel, room
from tests.support.http2_server import Peer, Server, calls
from tests.support.ports import free_port
from tests.support.waiting import eventually

SECONDS = 10.0
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def has_ipv6() -> bool:
    """Whether a server can have the address of loopback: most containers have none."""
    try:
        with socket.socket(socket.AF_INET6) as bound:
            bound.bind(("::1", 0))
    except OSError:
        return False
    return True


def answer(peer: Peer, stream: int) -> None:
    """Answer with nothing."""
    peer.answer(stream)


def failure_of(call: Callable[[], Any]) -> Any:
    """Make a call that has to fail and return its error."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value


def begun(call: Any, peers: list[Peer], number: int = 1) -> gevent.Greenlet[..., Any]:
    """Begin a call and wait until so many have arrived at the first peer."""
    made = gevent.spawn(call, b"", timeout=SECONDS)

    def arrived() -> bool:
        gevent.sleep(0.005)
        return bool(peers) and len(peers[0].bodies) == number

    eventually(arrived)
    return made


def _http1(peer: Peer) -> None:
    peer.socket.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    list(peer.frames())


@pytest.mark.parametrize(
    ("on_connection", "greets"),
    [
        (lambda peer: peer.close(), False),
        (lambda peer: peer.abort(), False),
        (_http1, False),
        (lambda peer: peer.send(PingFrame(0)), False),
        (lambda peer: peer.goaway(0), True),
    ],
    ids=["closes", "aborts", "speaks HTTP/1", "does not greet first", "ends at once"],
)
def test_a_server_that_does_not_speak_http2_is_unavailable_to_both_clients(
    on_connection: Callable[[Peer], None], greets: bool
) -> None:
    for connect in (grpcio_channel, own_channel):
        with Server(on_connection, greets=greets) as server:
            channel = connect(server.address)
            call = channel.unary_unary(PATH)
            assert failure_of(lambda call=call: call(b"", timeout=SECONDS)).code() is UNAVAILABLE
            channel.close()


def test_a_call_ends_with_its_connection_when_that_is_reset(method: Open) -> None:
    with Server(calls(lambda peer, _: peer.abort())) as server:
        error = failure_of(lambda: method(server.address)(b"", timeout=SECONDS))

    assert (error.code(), error.untouched) == (UNAVAILABLE, False)


def test_a_call_that_reached_nobody_says_so(method: Open) -> None:
    error = failure_of(lambda: method(f"127.0.0.1:{free_port()}")(b"", timeout=SECONDS))

    assert (error.code(), error.untouched) == (UNAVAILABLE, True)


def test_a_call_waits_for_a_silent_server_no_longer_than_its_deadline(method: Open) -> None:
    with Server(lambda peer: list(peer.frames()), greets=False) as server:
        error = failure_of(lambda: method(server.address)(b"", timeout=0.05))

    assert (error.code(), error.untouched) == (grpc.StatusCode.DEADLINE_EXCEEDED, True)


def test_a_server_that_does_not_greet_in_time_fails_the_calls_that_wait(method: Open) -> None:
    with Server(lambda peer: list(peer.frames()), greets=False) as server:
        call = method(server.address, pace=room.Pace(attempt=0.05))

        assert failure_of(lambda: call(b"", timeout=SECONDS)).code() is UNAVAILABLE


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_server_is_found_by_address_and_by_name(method: Open, name: str) -> None:
    with Server(calls(answer)) as server:
        port = server.address.rpartition(":")[2]

        assert method(f"{name}:{port}")(b"", timeout=SECONDS) == b""
        fields = dict(server.peers[0].requests[1])
        assert fields[":authority"] == f"{name}:{port}"


@pytest.mark.skipif(not has_ipv6(), reason="loopback has no IPv6 address here")
def test_a_server_is_found_by_an_address_of_ipv6(method: Open) -> None:
    with Server(calls(answer), host="::1") as server:
        assert method(server.address)(b"", timeout=SECONDS) == b""


@pytest.mark.parametrize("target", ["localhost", "localhost:", ":1", "localhost:http", ""])
def test_what_is_no_address_is_refused(channel: Open, target: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        channel(target)


def test_an_unknown_name_is_unavailable(method: Open) -> None:
    error = failure_of(lambda: method("no-such-host.invalid:1")(b"", timeout=SECONDS))

    assert error.code() is UNAVAILABLE


def test_calls_fail_at_once_while_there_is_no_server_unless_they_are_patient(
    method: Open,
) -> None:
    port = free_port()
    call = method(f"127.0.0.1:{port}")
    for _ in range(20):
        assert failure_of(lambda: call(b"", timeout=SECONDS)).code() is UNAVAILABLE
    patient = gevent.spawn(call, b"", timeout=SECONDS, wait_for_ready=True)
    gevent.sleep(0.05)
    assert not patient.ready()

    with Server(calls(answer), port=port):
        assert patient.get() == b""


def test_a_server_that_is_restarted_is_found_again(method: Open) -> None:
    port = free_port()
    call = method(f"127.0.0.1:{port}")
    for _ in range(3):
        with Server(calls(answer), port=port):
            # A busy machine may take its time, but no pause is longer than a second.
            eventually(lambda: _answer_of(call), lambda answered: answered == b"")
        assert failure_of(lambda: call(b"", timeout=SECONDS)).code() is UNAVAILABLE


def test_one_connection_has_all_the_calls_of_a_channel(channel: Open) -> None:
    with Server(calls(answer)) as server:
        opened = channel(server.address)
        made = [
            gevent.spawn(opened.unary_unary(f"/some.Service/{number}"), b"", timeout=SECONDS)
            for number in range(50)
        ]
        gevent.joinall(made, raise_error=True)

        assert len(server.peers) == 1
        streams = [frame.stream_id for frame in server.peers[0].of_type(HeadersFrame)]
        assert streams == [*range(1, 101, 2)]


def test_goaway_ends_the_calls_after_its_last_and_lets_the_others_finish(method: Open) -> None:
    with Server(calls(lambda peer, stream: None)) as server:
        call = method(server.address)
        covered, left_out = (begun(call, server.peers, number) for number in (1, 2))
        (old,) = server.peers
        old.goaway(1)
        error = failure_of(left_out.get)
        assert (error.code(), error.untouched) == (UNAVAILABLE, True)

        anew = gevent.spawn(call, b"", timeout=SECONDS)
        eventually(lambda: gevent.sleep(0.005) or len(server.peers) == 2)
        eventually(lambda: gevent.sleep(0.005) or server.peers[1].bodies)
        for peer in server.peers:
            peer.answer(1, b"answer")
        assert (covered.get(), anew.get()) == (b"answer", b"answer")
        # Nothing is left to wait for on the old one.
        eventually(lambda: gevent.sleep(0.005) or old.ended.is_set())


def test_a_lost_connection_ends_its_calls_and_those_in_its_queue(method: Open) -> None:
    held = calls(lambda peer, stream: None)
    with Server(held, {SettingsFrame.MAX_CONCURRENT_STREAMS: 1}) as server:
        call = method(server.address)
        under_way = begun(call, server.peers)
        queued = gevent.spawn(call, b"", timeout=SECONDS)
        gevent.sleep(0.01)
        server.peers[0].close()

        errors = [failure_of(each.get) for each in (under_way, queued)]
        assert [error.code() for error in errors] == [UNAVAILABLE, UNAVAILABLE]
        assert [error.untouched for error in errors] == [False, True]


def test_what_was_answered_before_the_connection_broke_is_answered(method: Open) -> None:
    def answer_and_break(peer: Peer, stream: int) -> None:
        peer.answer(stream, b"good")
        peer.goaway(stream)
        peer.close()

    with Server(calls(answer_and_break)) as server:
        call = method(server.address)
        for _ in range(20):
            eventually(lambda: _answer_of(call), lambda answered: answered == b"good")
        assert len(server.peers) == 20


def _answer_of(call: Any) -> bytes:
    """A connection that ends just now may cost a call; no call is sent twice for that."""
    try:
        answered: bytes = call(b"", timeout=SECONDS)
    except grpc.RpcError as error:
        return error.code().name.encode()
    return answered


def test_closing_a_channel_cancels_its_calls(channel: Open) -> None:
    with Server(calls(lambda peer, stream: None)) as server:
        opened = channel(server.address)
        call = opened.unary_unary(PATH)
        under_way = begun(call, server.peers)
        waiting = channel(f"127.0.0.1:{free_port()}")
        patient = gevent.spawn(waiting.unary_unary(PATH), b"", timeout=SECONDS, wait_for_ready=True)
        gevent.sleep(0.01)
        opened.close()
        waiting.close()

        for each in (under_way, patient):
            assert failure_of(each.get).code() is grpc.StatusCode.CANCELLED
        eventually(lambda: gevent.sleep(0.005) or server.peers[0].ended.is_set())
        assert isinstance(server.peers[0].seen[-1], GoAwayFrame)


def test_pings_are_answered(method: Open) -> None:
    with Server(calls(answer)) as server:
        method(server.address)(b"", timeout=SECONDS)
        (peer,) = server.peers
        peer.send(PingFrame(0, b"sign of "))

        def pongs() -> list[bytes]:
            gevent.sleep(0.005)
            return [frame.opaque_data for frame in peer.of_type(PingFrame)]

        assert eventually(pongs) == [b"sign of "]


def test_a_server_that_answers_pings_is_kept_and_one_that_does_not_is_given_up(
    method: Open,
) -> None:
    keepalive = room.Keepalive(every=0.02, patience=0.2)
    with (
        Server(calls(lambda peer, stream: None)) as lively,
        Server(calls(lambda peer, stream: peer.deafen())) as silent,
    ):
        kept, given_up = (
            begun(method(each.address, keepalive=keepalive), each.peers)
            for each in (lively, silent)
        )
        error = failure_of(given_up.get)

        assert (error.code(), error.untouched) == (UNAVAILABLE, False)
        (peer,) = lively.peers
        eventually(lambda: gevent.sleep(0.005) or len(peer.of_type(PingFrame)) > 2)
        assert not kept.ready()
        lively.peers[0].answer(1, b"late")
        assert kept.get() == b"late"


def test_a_deadline_is_passed_on_as_what_is_left_of_it(method: Open) -> None:
    def timeout_of(peer: Peer, stream: int) -> None:
        peer.answer(stream, dict(peer.requests[stream]).get("grpc-timeout", "none").encode())

    with Server(calls(timeout_of)) as server:
        call = method(server.address)
        answers = [call(b"", timeout=seconds) for seconds in (5, 5.0, 0.25, 90, 1e4, 1e6, 1e8)]
        assert call(b"") == b"none"

    # The first had to wait for the connection.
    assert answers[0].endswith(b"u")
    assert int(answers[0][:-1]) < 5_000_000
    assert answers[1:] == [
        b"5000000u", b"250000u", b"90000000u", b"10000000m", b"1000000S", b"1666667M"
    ]  # fmt: skip


def test_calls_on_a_busy_loop_are_not_ended_before_their_time(method: Open) -> None:
    with Server(calls(answer)) as server:
        call = method(server.address)
        call(b"", timeout=SECONDS)

        def answered() -> bool:
            # The loop's own clock stands still meanwhile.
            time.sleep(0.2)
            try:
                return bool(call(b"", timeout=0.15) == b"")
            except grpc.RpcError:
                return False

        # A busy machine may need more than that time for an answer, but not every time.
        eventually(answered)


def test_streams_are_refused_once_they_are_called(channel: Open) -> None:
    opened = channel("127.0.0.1:1")
    for kind in ("unary_stream", "stream_unary", "stream_stream"):
        call = getattr(opened, kind)(PATH, request_serializer=None, response_deserializer=None)
        with pytest.raises(NotImplementedError, match="is a stream"):
            call(iter([b""]))
    with pytest.raises(NotImplementedError, match="spawn a greenlet"):
        opened.unary_unary(PATH).future(b"")


@contextmanager
def _blackhole() -> Iterator[str]:
    """An address whose connections are neither accepted nor refused."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        taken = []
        for _ in range(3):
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex(address)
            taken.append(each)
        yield f"127.0.0.1:{address[1]}"
        for each in taken:
            each.close()


def test_connecting_takes_no_longer_than_an_attempt_may(method: Open) -> None:
    with _blackhole() as address:
        call = method(address, pace=room.Pace(attempt=0.1))

        assert failure_of(lambda: call(b"", timeout=SECONDS)).code() is UNAVAILABLE
