"""The container engine: its API for what is there, its command line for Compose."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import docker
from docker.context import ContextAPI
from docker.errors import DockerException
from docker.utils import parse_host

from testbed.errors import TestbedError
from testbed.stack import environment
from testbed.stack.runtimes import Progress

_HINT = "start the engine, or run local processes instead: --runtime local (RUNTIME=local for make)"
_TIMEOUT = 60
_PROBE_TIMEOUT = 5
_TAIL_LINES = 20


class EngineError(TestbedError):
    """The engine or Compose does not do what it was asked; the message has its output."""


@cache
def connect() -> docker.DockerClient:
    """Return the engine that the ``docker`` command uses too. Raises :class:`EngineError`."""
    try:
        return _client()
    except (DockerException, OSError) as error:
        raise EngineError(f"no container engine answers: {error}", _HINT) from error


def _client() -> docker.DockerClient:
    """Return a client of DOCKER_HOST, else of the context that is in use.

    It has asked the engine for its version, so there is one. Raises ``DockerException`` or
    ``OSError`` if there is none.
    """
    if host := os.environ.get("DOCKER_HOST"):
        _require_listener(host)
        return docker.from_env(timeout=_TIMEOUT)
    context = ContextAPI.get_current_context()
    host = context.Host if context is not None else None
    _require_listener(host)
    return docker.DockerClient(base_url=host, timeout=_TIMEOUT)


def _require_listener(host: str | None) -> None:
    """Raise ``OSError`` if the engine's socket is a file on which nobody listens.

    The library would find that too, and leave the sockets open with which it tried.
    """
    kind, _, path = str(parse_host(host)).partition("://")
    if kind == "http+unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_PROBE_TIMEOUT)
            probe.connect(path)


def cores() -> int:
    """Return how many cores the engine has, which is the most that one container may use."""
    return int(connect().info()["NCPU"])


def answers() -> bool:
    """Say whether an engine with Compose answers."""
    try:
        connect()
    except EngineError:
        return False
    return _has_compose()


@cache
def _has_compose() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(
        ["docker", "compose", "version"],  # noqa: S607
        check=False,
        capture_output=True,
        timeout=_PROBE_TIMEOUT,
    )
    return asked.returncode == 0


def compose(
    file: Path,
    directory: Path,
    variables: Mapping[str, str],
    arguments: Sequence[str],
    progress: Progress,
) -> None:
    """Run ``docker compose`` on a file whose relative paths start from ``directory``.

    What it says goes to ``progress`` line by line. Raises :class:`EngineError` with the end of it
    if it fails. Whatever ends the wait ends the command too.
    """
    connect()
    if not _has_compose():
        raise EngineError("the engine answers, but there is no `docker compose`", _HINT)
    # A file .env in the working directory or in that of the project is for Compose called by hand.
    command = ["docker", "compose", "--env-file", os.devnull]
    command += ["--project-directory", str(directory), "--file", str(file)]
    lines: deque[str] = deque(maxlen=_TAIL_LINES)
    with subprocess.Popen(
        [*command, "--ansi", "never", "--progress", "plain", *arguments],
        env={**environment.of_engine(os.environ), **variables, "COMPOSE_IGNORE_ORPHANS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # A Ctrl-C is for this process, which then stops the command and cleans up.
        start_new_session=True,
    ) as running:
        try:
            assert running.stdout is not None
            for line in filter(None, map(str.strip, running.stdout)):
                lines.append(line)
                progress(line)
        except BaseException:
            running.terminate()
            raise
    if running.returncode:
        raise EngineError(
            f"docker compose {arguments[0]} failed with {running.returncode}:\n" + "\n".join(lines),
            "what was started has been stopped; fix the cause and try again, or run local "
            "processes: --runtime local (RUNTIME=local for make)",
        )
