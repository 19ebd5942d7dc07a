"""Machines without a container engine, or with something else in its place."""

from __future__ import annotations

import gc
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from testbed.stack.runtimes.compose import engine
from testbed.stack.runtimes.compose.engine import EngineError

NONSENSE = b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the engine is looked for."""
    path = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    engine.connect.cache_clear()
    yield path
    engine.connect.cache_clear()


def assert_no_engine() -> None:
    """Ask for the engine twice; whatever was opened for that is closed without anybody's help."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(2):
            assert not engine.answers()
        with pytest.raises(EngineError, match="no container engine answers") as caught:
            engine.connect()
        assert "--runtime local" in caught.value.hint
        del caught
        gc.collect()
    assert [str(each.message) for each in seen] == []


def test_missing_socket_is_no_engine_and_nothing_is_left_open(address: Path) -> None:
    assert_no_engine()


def test_socket_that_nobody_listens_on_is_no_engine_and_nothing_is_left_open(address: Path) -> None:
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(address))
        assert_no_engine()


def test_something_else_in_its_place_is_no_engine_and_nothing_is_left_open(address: Path) -> None:
    with talking_nonsense(address):
        assert_no_engine()


def test_host_that_is_no_address_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    engine.connect.cache_clear()
    for host in ("tcp://127.0.0.1:1", "nonsense://"):
        monkeypatch.setenv("DOCKER_HOST", host)
        assert_no_engine()


@pytest.mark.needs("engine")
def test_file_of_variables_beside_a_project_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text("services: {one: {image: '${TESTBED_IMAGE:-usual}'}}\n", encoding="utf-8")
    (tmp_path / ".env").write_text("TESTBED_IMAGE=another\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TESTBED_IMAGE", raising=False)
    reported: list[str] = []
    engine.compose(file, tmp_path, {}, ["config"], reported.append)
    assert "image: usual" in reported


@contextmanager
def talking_nonsense(address: Path) -> Iterator[None]:
    """Answer every request with an error that no engine gives."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        server.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        # Who only wants to know whether somebody listens asks for nothing.
                        if connection.recv(65536):
                            connection.sendall(NONSENSE)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
