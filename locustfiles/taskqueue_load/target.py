"""Finds what to drive: the endpoints that the user names, else a stack that is up."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

_ENDPOINT = re.compile(r"(?P<host>\[[0-9a-fA-F:.%]+\]|[^\[\]:/\s,]+):(?P<port>\d{1,5})\Z")
_SCHEMES = ("grpc://", "http://")
_ALL_HOSTS = ("0.0.0.0", "[::]", "::")  # noqa: S104  # only compared with

logger = logging.getLogger(__name__)


class TargetError(ValueError):
    """There is nothing to drive, or too much to choose from; the message says what to do."""


class Stack(Protocol):
    """The part of a testbed's stack record that is used here."""

    @property
    def design(self) -> str:
        """Name of the design."""

    @property
    def side(self) -> str:
        """What it was started as: the design with its options and its revision."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """``host:port`` of each process that clients call."""


def resolve(
    host: str | None, design: str, find: Callable[[], Sequence[Stack]] | None = None
) -> list[str]:
    """Return the endpoints to drive as ``host:port``.

    ``host`` wins if it is not empty; else the stack of ``design``, or the only one that is up. A
    ``design`` may be any side: a stack with just these options, or the addresses of a server.
    Raises :class:`TargetError`.
    """
    if host and host.strip():
        return parse_endpoints(host)
    if ":" in design:
        return parse_endpoints(design.partition("+")[0])
    up = (find or _find_stacks)()
    stacks = [stack for stack in up if _is(stack, design)] if design else up
    if not stacks:
        which = f"no stack of {design!r}" if design else "no stack"
        start = f"testbed up '{design}'" if design else "make up-a"
        others = f", but {' and '.join(sorted(stack.side for stack in up))}" if up else ""
        raise TargetError(
            f"{which} is up{others}: start one with `{start}`, or name a server with -H HOST:PORT"
        )
    if len(stacks) > 1:
        names = " and ".join(sorted(stack.design for stack in stacks))
        raise TargetError(f"designs {names} are both up: choose one with --design, or use -H")
    return list(stacks[0].endpoints)


def _is(stack: Stack, side: str) -> bool:
    """Whether a stack is what a side asks for; a design alone asks for nothing else of it."""
    head, *options = side.strip().split("+")
    name, at, revision = head.partition("@")
    written = "+".join([f"{name.lower()}{at}{revision}", *sorted(options)])
    return written in {stack.design, stack.side}


def design_of(endpoints: Sequence[str], find: Callable[[], Sequence[Stack]] | None = None) -> str:
    """Return the design of the stack that has all these endpoints, nothing if there is none."""
    try:
        stacks = (find or _find_stacks)()
    except TargetError:
        return ""
    return next((each.design for each in stacks if {*endpoints} <= {*each.endpoints}), "")


def parse_endpoints(host: str) -> list[str]:
    """Read ``host:port,...``, each with ``grpc://`` or ``http://`` before it or not.

    Raises :class:`TargetError` that names the part that is wrong.
    """
    endpoints = [_endpoint(part.strip()) for part in host.split(",") if part.strip()]
    if not endpoints:
        raise TargetError(
            f"host {host!r} names no endpoint: write HOST:PORT, or several with commas"
        )
    if twice := next((each for each in endpoints if endpoints.count(each) > 1), None):
        raise TargetError(f"host {host!r} names {twice} twice")
    return endpoints


def _endpoint(text: str) -> str:
    if text.startswith("https://"):
        raise TargetError(f"host {text!r}: connections are plaintext, TLS is not supported")
    bare = text
    for scheme in _SCHEMES:
        bare = bare.removeprefix(scheme)
    bare = bare.rstrip("/")
    match = _ENDPOINT.match(bare)
    if match is None or not 0 < int(match["port"]) <= 65_535:
        raise TargetError(f"host {text!r} is not HOST:PORT, for example 127.0.0.1:50051")
    return bare


def announce(host: str, port: int) -> Path | None:
    """Have a Prometheus of this machine read what is served there; return the file that says so.

    ``None`` where no such file can be written: then somebody else has to configure Prometheus.
    """
    try:
        from testbed.stack.observability import targets  # noqa: PLC0415  # as below

        return targets.write_load(f"{'127.0.0.1' if host in _ALL_HOSTS else host}:{port}")
    except (ImportError, OSError) as error:
        logger.info("no local Prometheus scrapes this load: %s", error)
        return None


def _find_stacks() -> Sequence[Stack]:
    # Imported late: with -H the testbed is not needed, nor whatever state it has left behind.
    try:
        from testbed.errors import TestbedError  # noqa: PLC0415
        from testbed.stack import records as stacks  # noqa: PLC0415
    except ImportError as error:
        raise TargetError(
            "no testbed is here that knows of stacks: name a server with -H"
        ) from error
    try:
        return stacks.find()
    except TestbedError as error:
        raise TargetError(f"{error}; {error.hint}" if error.hint else str(error)) from error
