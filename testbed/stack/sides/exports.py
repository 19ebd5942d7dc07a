"""The files and the environment of a revision, made once and kept below the project's state.

``.testbed/revisions/<commit>/`` has the files of a commit, ``.testbed/environments/<lock>/`` an
environment with the packages of a lock file. Both are there whole or not at all, whatever ends
their making and however many processes make them at the same time. ``make clean`` removes them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from testbed import CHECKOUT
from testbed.errors import TestbedError
from testbed.stack import records as stacks
from testbed.stack.runtimes import Progress
from testbed.stack.sides import repository

LOCK = "requirements.lock"
# What the measured processes need alone, with the versions of the whole lock file. Younger.
_STACK_LOCK = "compose/stack.lock"
TREES, ENVIRONMENTS = "revisions", "environments"
_DIGITS = 12
_TAIL_LINES = 15
# How long killed processes may take to be gone. Where nobody collects orphans, they never are.
_KILLED_SECONDS = 10.0
# What pip and Python would read by themselves, and then install elsewhere; as in the Makefile.
# Where packages come from stays the user's.
_NOT_FOR_PIP = frozenset(
    {
        *("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_CONSTRAINT", "PIP_REQUIREMENT"),
        *("PIP_NO_DEPS", "PIP_PYTHON", "PIP_REQUIRE_VIRTUALENV"),
        *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONOPTIMIZE"),
    }
)


def tree(root: Path, commit: str, progress: Progress) -> Path:
    """Return the folder with the files of a commit of the repository at ``root``.

    Raises :class:`repository.RevisionError` if they cannot be read.
    """

    def make(folder: Path) -> None:
        progress(f"exporting revision {commit[:_DIGITS]}")
        repository.export(root, commit, folder)

    return _once(_kept(TREES, commit), make)


def python(tree: Path, progress: Progress) -> str:
    """Return the interpreter for the files in ``tree``: this one if they want the same packages.

    That is what the measured processes need; what only the testbed of that time needed is nothing
    to them. Else it is one in an environment of its own, which takes up to a minute to make. Raises
    :class:`TestbedError`, with what pip says, if it cannot be made.
    """
    lock = next((each for each in (_STACK_LOCK, LOCK) if (tree / each).is_file()), None)
    if lock is None:
        raise TestbedError(
            f"the files in {tree} have no {LOCK}, so nobody knows which packages they need"
        )
    wanted = digest_of(tree / lock)
    if wanted == digest_of(CHECKOUT / lock):
        return sys.executable

    def make(folder: Path) -> None:
        progress(f"making an environment, for {lock} is another one: once, up to a minute")
        _make_environment(folder, tree / lock)

    return str(_once(_kept(ENVIRONMENTS, wanted), make) / "bin" / "python")


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, empty if there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def _kept(kind: str, name: str) -> Path:
    return stacks.project_root() / stacks.STATE / kind / name[:_DIGITS]


def _once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder, which ``make`` fills under another name unless it is there already."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        make(partial)
        try:
            partial.rename(folder)
        except OSError:
            # Another process was first, with the same contents.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _make_environment(folder: Path, lock: Path) -> None:
    """Install what a lock file names. Only ``bin/python`` of the result may be moved."""
    _step(lock, [sys.executable, "-m", "venv", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    _step(lock, [*pip, "install", "--require-hashes", "-r", str(lock)])


def _step(lock: Path, command: list[str]) -> None:
    process = None
    try:
        with _uninterrupted():
            process = subprocess.Popen(
                command,
                env=_of_pip(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # In a group of its own: what it starts itself must not go on with a folder that is
                # given up.
                start_new_session=True,
            )
        output, _ = process.communicate()
    except BaseException:
        if process is not None:
            _end(process)
        raise
    if process.returncode:
        end = "\n".join(output.strip().splitlines()[-_TAIL_LINES:])
        raise TestbedError(
            f"the environment of {lock} cannot be made:\n{end}",
            "its packages come from where pip is set to look; nothing of it was left behind",
        )


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold back a Ctrl-C until the end of this block.

    One that came while a process is started would leave it to itself: nobody has its number yet.
    """
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread is ever interrupted.
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill a command and what it started, and wait until none of that writes any more.

    A process that is killed still ends the system call that it is in, and may make a file with it.
    """
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    end = time.monotonic() + _KILLED_SECONDS
    while time.monotonic() < end:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)


def _of_pip(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name not in _NOT_FOR_PIP}
