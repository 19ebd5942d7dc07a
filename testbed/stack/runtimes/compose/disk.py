"""Lets what runs in a container write nothing more to files, and lets it write again.

See :mod:`testbed.stack.runtimes.local.disk`: here the limit is set in the container, by the user
whom its first process runs as.
"""

from __future__ import annotations

from http import HTTPStatus

from docker.errors import APIError
from docker.models.containers import Container

from testbed.errors import TestbedError
from testbed.stack.runtimes.compose import containers
from testbed.stack.runtimes.file_limit import NOTHING, PROGRAM, FileLimit

# The first process first: who is started later has its limit. One that has just ended is no matter.
_EACH = """
for each in /proc/[0-9]*; do {program} --pid "${{each#/proc/}}" --fsize={soft}: 2>/dev/null; done
{program} --pid 1 --fsize={soft}:
"""


def fill(container: Container) -> None:
    """Let it write nothing more. Raises :class:`TestbedError` where that cannot be done."""
    _limit(container, NOTHING)


def empty(container: Container) -> bool:
    """Let it write again, as far as it ever could; say whether it could not."""
    was_full = is_full(container)
    if was_full:
        _limit(container, _limit_of(container).hard)
    return was_full


def is_full(container: Container) -> bool:
    """Say whether it can write nothing. One that does not run can."""
    return container.status == containers.RUNNING and _limit_of(container).soft == NOTHING


def _limit_of(container: Container) -> FileLimit:
    return FileLimit.read(_said(container, ["cat", "/proc/1/limits"]))


def _limit(container: Container, soft: str) -> None:
    owner = _said(container, ["stat", "--format=%u:%g", "/proc/1"]).strip()
    _said(container, ["sh", "-c", _EACH.format(program=PROGRAM, soft=soft)], owner)


def _said(container: Container, command: list[str], user: str = "") -> str:
    try:
        code, output = container.exec_run(command, user=user)
    except APIError as error:
        # It has ended meanwhile.
        if error.status_code == HTTPStatus.CONFLICT:
            return ""
        raise
    text = output.decode(errors="replace") if isinstance(output, bytes) else ""
    if code:
        raise TestbedError(f"{container.name}: {command[0]} ended with {code}: {text.strip()}")
    return text
