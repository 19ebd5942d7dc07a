"""Real servers of gRPC: what they answer arrives through our transport as through grpcio."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from common.rpc.connect import MAX_MESSAGE_BYTES
from tests.integration.load.transport.test_alike import CLIENTS, outcome

SECONDS = 20.0
CODES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


def _echo(request: bytes, context: Any) -> bytes:
    """Return the message, with its metadata before it and after it."""
    sent = tuple(each for each in context.invocation_metadata() if each[0].startswith("x-"))
    context.send_initial_metadata(sent)
    context.set_trailing_metadata(sent)
    return request


def _refuse(request: bytes, context: Any) -> bytes:
    """End with the code that the message names, with details as rich as it says."""
    number, _, words = request.decode().partition(" ")
    code = grpc.StatusCode[number]
    if words != "rich":
        context.set_trailing_metadata((("x-why", "because"),))
        context.abort(code, words)
    info = error_details_pb2.ErrorInfo(reason="R" * 2000, domain="é", metadata={"k": "v"})
    detail = any_pb2.Any()
    detail.Pack(info)
    status = status_pb2.Status(code=code.value[0], message="ärger\n%", details=[detail])
    context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError


def _sleep(_request: bytes, context: Any) -> bytes:
    """Answer when the caller has gone."""
    gone = threading.Event()
    context.add_callback(gone.set)
    gone.wait(SECONDS)
    return b""


def _fail(_request: bytes, _context: Any) -> bytes:
    raise RuntimeError("a defect")


def _enlarge(request: bytes, _context: Any) -> bytes:
    return b"x" * int(request)


METHODS = {"Echo": _echo, "Refuse": _refuse, "Sleep": _sleep, "Fail": _fail, "Enlarge": _enlarge}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of grpcio."""
    options = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", -1),
    ]
    server = grpc.server(ThreadPoolExecutor(8), options=options)
    handlers = {name: grpc.unary_unary_rpc_method_handler(act) for name, act in METHODS.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.B", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture(scope="module")
def channels(address: str) -> Iterator[list[Any]]:
    """A channel of each client."""
    opened = [connect(address) for connect in CLIENTS]
    yield opened
    for each in opened:
        each.close()


Both = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def both(channels: list[Any]) -> Both:
    """Make a call with each client and return what they see."""

    def call(method: str, request: bytes, **options: Any) -> list[tuple[Any, ...]]:
        made = [channel.unary_unary(f"/a.B/{method}").with_call for channel in channels]
        return [
            outcome(lambda each=each: each(request, **{"timeout": SECONDS, **options}))
            for each in made
        ]

    return call


@pytest.mark.parametrize("size", [0, 1, 16_379, 70_000, MAX_MESSAGE_BYTES])
def test_messages_and_metadata_come_back_as_they_went(both: Both, size: int) -> None:
    metadata = (("x-a", "1"), ("x-b-bin", b"\0\xff"), ("x-a", "2"))
    theirs, ours = both("Echo", b"m" * size, metadata=metadata)

    assert ours == theirs
    assert ours[:2] == ("OK", b"m" * size)
    assert ours[2] == list(metadata)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
@pytest.mark.parametrize("words", ["", "plain words", "ärger %41\n\t", "rich"])
def test_every_error_arrives_with_all_that_was_said(
    both: Both, code: grpc.StatusCode, words: str
) -> None:
    theirs, ours = both("Refuse", f"{code.name} {words}".encode())

    assert ours == theirs
    assert ours[0] == code.name


def test_rich_details_can_be_read(channels: list[Any]) -> None:
    details = []
    for channel in channels:
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary("/a.B/Refuse")(b"ABORTED rich", timeout=SECONDS)
        assert isinstance(raised.value, grpc.Call)
        details.append((rpc_status.from_call(raised.value), raised.value.details()))

    assert details[0] == details[1]
    assert details[1][0].message == "ärger\n%"


@pytest.mark.parametrize(
    ("method", "request_", "options", "code"),
    [
        ("Nobody", b"", {}, "UNIMPLEMENTED"),
        ("Fail", b"", {}, "UNKNOWN"),
        ("Sleep", b"", {"timeout": 0.1}, "DEADLINE_EXCEEDED"),
        ("Echo", b"x" * (MAX_MESSAGE_BYTES + 1), {}, "RESOURCE_EXHAUSTED"),
        ("Enlarge", str(MAX_MESSAGE_BYTES).encode(), {}, "OK"),
        ("Enlarge", str(MAX_MESSAGE_BYTES + 1).encode(), {}, "RESOURCE_EXHAUSTED"),
        ("Echo", b"", {"metadata": (("x-long", "y" * 20_000),)}, "RESOURCE_EXHAUSTED"),
        ("Echo", b"", {"wait_for_ready": True}, "OK"),
    ],
    ids=["unknown method", "defect", "deadline", "too large", "as large as may be",
         "too large an answer", "too much metadata", "patient"],
)  # fmt: skip
def test_calls_that_go_wrong_do_so_alike(
    both: Both, method: str, request_: bytes, options: dict[str, Any], code: str
) -> None:
    theirs, ours = both(method, request_, **options)

    assert (ours[0], ours[1]) == (theirs[0], theirs[1])
    assert ours[0] == code


def test_a_server_that_stops_ends_its_calls_alike() -> None:
    codes = []
    for connect in CLIENTS:
        server = grpc.server(ThreadPoolExecutor(2))
        called = threading.Event()

        def hold(_request: bytes, context: Any, called: threading.Event = called) -> bytes:
            called.set()
            return _sleep(b"", context)

        handlers = {"Hold": grpc.unary_unary_rpc_method_handler(hold)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.B", handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        stopping = threading.Thread(target=lambda s=server, c=called: (c.wait(), s.stop(0).wait()))
        stopping.start()
        channel = connect(f"127.0.0.1:{port}")
        call = channel.unary_unary("/a.B/Hold").with_call
        codes.append([outcome(lambda call=call: call(b"", timeout=SECONDS))[0] for _ in range(2)])
        stopping.join()
        channel.close()

    assert codes[0] == codes[1]
    assert codes[1][1] == "UNAVAILABLE"
