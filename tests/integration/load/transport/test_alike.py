"""The same call at the same server through grpcio and through our transport: the same comes of it.

What a server says is compared word for word; what a client says of it, by its code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from tests.integration.load.transport.situations import ALIKE, AS_IN_LATER_VERSIONS, OTHERWISE
from tests.support.client import grpcio_channel
from tests.support.gevent_client import own_channel
from tests.support.http2_server import Peer, Server, calls

Connect = Callable[[str], Any]
CLIENTS: tuple[Connect, Connect] = (grpcio_channel, own_channel)
# Long enough for any answer on any machine; and what is waited for in vain, in both clients.
SECONDS, IN_VAIN = 20.0, 0.2
PATH = "/some.Service/Method"


def outcome(call: Callable[[], Any]) -> tuple[Any, ...]:
    """What a caller sees: code, answer, metadata before and after; or what was raised instead."""
    try:
        answer, ended = call()
        code = grpc.StatusCode.OK
    except grpc.RpcError as error:
        answer, ended = None, error
        code = error.code()
    except (TypeError, ValueError) as error:
        return (type(error).__name__,)
    assert isinstance(ended, grpc.Call)
    metadata = [[tuple(each) for each in part or ()] for part in (
        ended.initial_metadata(), ended.trailing_metadata()
    )]  # fmt: skip
    return code.name, answer, *metadata


def seen(connect: Connect, on_call: Callable[[Peer, int], None], timeout: float) -> tuple[Any, ...]:
    """What a client sees of a server of its own."""
    with Server(calls(on_call)) as server:
        channel = connect(server.address)
        try:
            method = channel.unary_unary(PATH)
            return outcome(lambda: method.with_call(b"", timeout=timeout))
        finally:
            channel.close()


@pytest.mark.parametrize("name", ALIKE)
def test_what_a_server_does_to_a_call_has_the_same_outcome(name: str) -> None:
    timeout = IN_VAIN if name.startswith("silence") else SECONDS
    theirs, ours = (seen(connect, ALIKE[name], timeout) for connect in CLIENTS)

    if name in AS_IN_LATER_VERSIONS and ours != theirs:
        assert ours[0] == AS_IN_LATER_VERSIONS[name]
    else:
        assert ours == theirs


@pytest.mark.parametrize("name", OTHERWISE)
def test_where_the_clients_differ_they_do_so_by_decision(name: str) -> None:
    act, *codes = OTHERWISE[name]

    timeout = IN_VAIN if "DEADLINE_EXCEEDED" in codes else SECONDS
    assert [seen(connect, act, timeout)[0] for connect in CLIENTS] == codes


@pytest.fixture(scope="module")
def echoing() -> Iterator[str]:
    """A server that answers with the header fields of a call."""

    def answer(peer: Peer, stream: int) -> None:
        known = {":authority", "user-agent", "grpc-timeout", "grpc-accept-encoding"}
        told = sorted(field for field in peer.requests[stream] if field[0] not in known)
        peer.answer(stream, repr(told).encode())

    with Server(calls(answer)) as server:
        yield server.address


@pytest.fixture(scope="module")
def methods(echoing: str) -> Iterator[list[Callable[..., Any]]]:
    """The method that is called, of each client."""
    channels = [connect(echoing) for connect in CLIENTS]
    yield [channel.unary_unary(PATH).with_call for channel in channels]
    for channel in channels:
        channel.close()


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("a", "b"),),
        (("a", "1"), ("a", "2")),
        (("a_b.c-1", "v"), ("a", b"bytes"), ("b", ""), ("c", " sp ")),
        (("a-bin", b"\0\1"), ("b-bin", b"")),
        [("l", "i")],
        (("grpc-x", "y"), ("host", "h")),
        (("te", "x"), ("content-type", "x"), ("grpc-timeout", "1n")),
        (("A", "b"),),
        (("A-bin", b"b"),),
        (("a b", "x"),),
        ((":path", "x"),),
        (("", "x"),),
        (("a", "é"),),
        (("a", "x\ny"),),
        (("a", "\x7f"),),
        (("a-bin", "text"),),
        (("a", 5),),
        ((5, "a"),),
    ],
    ids=repr,
)
def test_metadata_goes_out_in_the_same_way(
    methods: list[Callable[..., Any]], metadata: Any
) -> None:
    theirs, ours = (
        outcome(lambda call=call: call(b"", timeout=5, metadata=metadata)) for call in methods
    )

    # What cannot be sent is an error of the call in later versions of grpcio.
    assert ours == theirs or (ours[0], theirs) == ("INTERNAL", ("ValueError",))


@pytest.mark.parametrize(
    ("message", "options"),
    [
        (b"", {"timeout": -1}),
        (b"", {"timeout": None}),
        (b"x" * ((16 << 20) + 1), {"timeout": 5}),
        (bytearray(b"x"), {"timeout": 5}),
        ("text", {"timeout": 5}),
    ],
    ids=["no time", "no deadline", "too large", "bytearray", "text"],
)
def test_odd_calls_have_the_same_outcome(
    methods: list[Callable[..., Any]], message: Any, options: dict[str, Any]
) -> None:
    theirs, ours = (outcome(lambda call=call: call(message, **options)) for call in methods)

    assert ours[0] == theirs[0]


@pytest.mark.parametrize("which", ["request_serializer", "response_deserializer"])
def test_what_cannot_be_written_or_read_has_the_same_outcome(echoing: str, which: str) -> None:
    def fail(_: Any) -> Any:
        raise RuntimeError

    codes = []
    for connect in CLIENTS:
        channel = connect(echoing)
        method = channel.unary_unary(PATH, **{which: fail})
        codes.append(outcome(lambda method=method: method.with_call(b"", timeout=5))[0])
        channel.close()

    assert codes == ["INTERNAL", "INTERNAL"]


def test_a_closed_channel_takes_no_call(echoing: str) -> None:
    for connect in CLIENTS:
        channel = connect(echoing)
        method = channel.unary_unary(PATH)
        channel.close()
        with pytest.raises(ValueError, match="closed"):
            method(b"", timeout=5)
