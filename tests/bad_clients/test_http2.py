"""Frames that no HTTP/2 library would send, and more of the others than anybody needs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    ExtensionFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.support import jobs
from tests.support.abuse import (
    MIB,
    address_of_entry,
    assert_no_defects,
    assert_serves,
    entry_of,
    memory_of,
    wait_until_idle,
)
from tests.support.client import DONE
from tests.support.http2 import LIST, PREFACE, SUBMIT, Connection, message_frame
from tests.support.stacks import Stack, running

pytestmark = pytest.mark.slow

# What a flood may leave behind in a process: buffers and arenas that are used again.
LEFT_BEHIND = 48 * MIB


def _repeat(make: Callable[[int], Frame], times: int) -> Callable[[Connection], None]:
    def send(connection: Connection) -> None:
        connection.send(*(make(number) for number in range(times)))

    return send


def _raw(what: bytes) -> Callable[[Connection], None]:
    return lambda connection: connection.send_bytes(what)


def _frames(*frames: Frame) -> Callable[[Connection], None]:
    return lambda connection: connection.send(*frames)


def _resets(connection: Connection) -> None:
    """Open calls and reset each at once: rapid reset, CVE-2023-44487."""
    for number in range(5_000):
        stream = 2 * number + 1
        connection.send(connection.headers(stream), RstStreamFrame(stream, error_code=8))


def _headers(connection: Connection) -> None:
    for number in range(5_000):
        connection.send(connection.headers(2 * number + 1))


def _continuations(connection: Connection) -> None:
    """One call whose headers never end: CVE-2024-27316."""
    connection.send(HeadersFrame(1, connection.block(SUBMIT)))
    for _ in range(2_000):
        connection.send(ContinuationFrame(1, connection.block(SUBMIT, {"x-more": "y" * 4_000})))


def _empty_data(connection: Connection) -> None:
    connection.send(connection.headers(1))
    connection.send(*(DataFrame(1, b"") for _ in range(5_000)))


def _large_headers(connection: Connection) -> None:
    block = connection.block(SUBMIT, {"x-large": "y" * 100_000})
    connection.send(HeadersFrame(1, block[:16_000]))
    parts = [block[at : at + 16_000] for at in range(16_000, len(block), 16_000)]
    for part in parts[:-1]:
        connection.send(ContinuationFrame(1, part))
    connection.send(ContinuationFrame(1, parts[-1], flags=["END_HEADERS"]))


def _half_message(connection: Connection) -> None:
    connection.send(connection.headers(1), DataFrame(1, message_frame(bytes(1000))[:500]))


def _window_overflow(connection: Connection) -> None:
    connection.send(connection.headers(1))
    connection.send(*(WindowUpdateFrame(1, window_increment=2**31 - 1) for _ in range(3)))


@dataclass(frozen=True)
class Abuse:
    """What to send; ``closes`` says that the server has to close the connection for it."""

    name: str
    send: Callable[[Connection], None]
    closes: bool = False


def _frame(kind: int, flags: int, stream: int, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return size.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


ABUSES = [
    Abuse("garbage after the preface", _raw(b"\xff" * 5_000), closes=True),
    Abuse("a second preface", _raw(PREFACE * 3), closes=True),
    Abuse("a frame larger than agreed", _raw(_frame(0, 0, 1, bytes(60_000), 1 << 23)), closes=True),
    Abuse("headers that HPACK cannot read", _raw(_frame(1, 4, 1, b"\xff" * 40)), closes=True),
    Abuse("a setting out of range", _raw(_frame(4, 0, 0, b"\0\4\xff\xff\xff\xff")), closes=True),
    Abuse("settings of a wrong length", _raw(_frame(4, 0, 0, b"\0" * 5)), closes=True),
    Abuse("a ping of a wrong length", _raw(_frame(6, 0, 0, b"\0" * 3)), closes=True),
    Abuse("a window update of zero", _raw(_frame(8, 0, 0, b"\0" * 4)), closes=True),
    Abuse("a continuation of nothing", _raw(_frame(9, 4, 1, b"")), closes=True),
    Abuse("a frame of no known kind", _frames(ExtensionFrame(0xBE, 0, body=b"x" * 100))),
    Abuse("a pushed call", _frames(PushPromiseFrame(1, 2, b"\x82", flags=["END_HEADERS"]))),
    Abuse("data without a call", _frames(DataFrame(7, b"x" * 100))),
    Abuse("a reset of nothing", _frames(RstStreamFrame(9, error_code=0))),
    Abuse("a stream that depends on itself", _frames(PriorityFrame(5, depends_on=5))),
    Abuse("window updates past the limit", _window_overflow),
    Abuse("half a message", _half_message),
    Abuse("headers past the limit", _large_headers),
    Abuse("a flood of resets", _resets),
    Abuse("a flood of headers", _headers),
    Abuse("a flood of continuations", _continuations),
    Abuse("a flood of empty data", _empty_data),
    Abuse("a flood of pings", _repeat(lambda n: PingFrame(0, n.to_bytes(8, "big")), 20_000)),
    Abuse(
        "a flood of settings",
        _repeat(lambda n: SettingsFrame(0, settings={SettingsFrame.HEADER_TABLE_SIZE: n}), 10_000),
    ),
    Abuse("a flood of priorities", _repeat(lambda n: PriorityFrame(2 * n + 1), 10_000)),
    Abuse(
        "a flood of window updates",
        _repeat(lambda n: WindowUpdateFrame(0, window_increment=1), 20_000),
    ),
]


def _commit(stack: Stack, abuse: Abuse) -> None:
    with Connection(address_of_entry(stack)) as connection:
        # A server may close the connection long before a flood is over.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            abuse.send(connection)
        if abuse.closes:
            connection.wait_until_closed()


def _memory_after(stack: Stack, abuse: Abuse) -> int:
    _commit(stack, abuse)
    # The good calls come after whatever of a flood still waits to be handled.
    assert_serves(stack)
    wait_until_idle(stack)
    return memory_of(stack, entry_of(stack))


@pytest.mark.parametrize("abuse", ABUSES, ids=lambda abuse: abuse.name)
def test_a_server_goes_on_after(stack: Stack, abuse: Abuse) -> None:
    memory = [_memory_after(stack, abuse) for _ in range(2)]

    assert memory[1] - memory[0] < LEFT_BEHIND
    assert_no_defects(stack)


@pytest.mark.parametrize(
    "first",
    [b"\0" * 100, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9, b"GET / HTTP/1.1\r\n\r\n"],
    ids=["zeros", "TLS", "HTTP/1.1"],
)
def test_what_is_no_http2_is_closed(stack: Stack, first: bytes) -> None:
    with Connection(address_of_entry(stack), preface=False) as connection:
        connection.send_bytes(first)
        assert not any(isinstance(frame, HeadersFrame) for frame in connection.frames())
    assert_serves(stack)


def test_a_client_may_ping_once_a_second_while_it_calls_nobody(stack: Stack) -> None:
    """The shortest keepalive that gRPC's clients in Go and Java allow is ten times as long."""
    with Connection(address_of_entry(stack)) as connection:
        # gRPC's own limit ends a connection at the fourth ping that comes too soon.
        answers = (each for each in connection.frames() if isinstance(each, PingFrame))
        for number in range(5):
            connection.send(PingFrame(0, number.to_bytes(8, "big")))
            while "ACK" not in next(answers).flags:
                pass
            # What is tried is that it takes so long.
            time.sleep(1.05)
        connection.call(1, LIST, b"")
        assert connection.status_of(1) == "0"


def test_the_connection_of_a_good_client_outlives_that_of_a_bad_one(stack: Stack) -> None:
    client = stack.client(entry_of(stack))
    before = client.run(jobs.noop())
    with Connection(address_of_entry(stack)) as connection:
        connection.send_bytes(b"\xff" * 5_000)
        connection.wait_until_closed()
    # Not one call of the good client has to be repeated.
    assert client.status(before.job_id).state == DONE


@pytest.mark.parametrize("design", ["a", "b"])
def test_a_path_that_is_no_utf8_loses_no_job_and_calls_are_taken_as_before(
    design: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # It ended the server of grpcio 1.85.1. Whatever a release makes of it, nothing else may suffer.
    with running(design, tmp_path_factory.mktemp("path")) as stack:
        client = stack.client(entry_of(stack))
        accepted = [client.submit(jobs.sleep(50)) for _ in range(20)]
        process = stack.process(entry_of(stack))

        for _ in range(3):
            with Connection(address_of_entry(stack)) as connection:
                connection.send(connection.headers(1, b"/\xff\xfe"))
                assert connection.status_of(1) != "0"
            assert_serves(stack)

        assert process.is_running()
        assert {client.wait(job_id).state for job_id in accepted} == {DONE}
        assert_no_defects(stack)
