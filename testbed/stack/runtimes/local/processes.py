"""Starts, finds and ends the processes of a stack on this machine."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from common.stack_spec import Source
from common.topology import ProcessSpec
from testbed import CHECKOUT
from testbed.stack import environment
from testbed.stack import records as stacks
from testbed.stack.records import ProcessRecord
from testbed.stack.runtimes.local.family import family

_POLL = 0.02
_KILL_WAIT = 5.0
_SIGNAL_WAIT = 5.0
_ASKS = signal.SIGTERM.name
_ASKS_ALL: Mapping[int, str] = {}

# A child has to be reaped by its parent, whichever object stops it.
_children: dict[int, subprocess.Popen[bytes]] = {}


def spawn(
    design: str, process: ProcessSpec, calls: tuple[str, ...], source: Source | None = None
) -> ProcessRecord:
    """Start a process of a stack, whose texts have been filled; ``calls`` names its peers.

    It runs the code of ``source``, that of this testbed without one.
    """
    new = ProcessRecord(
        name=process.name,
        pid=0,
        create_time=0.0,
        port=process.port,
        log=str(stacks.log_file(design, process.name)),
        calls=calls,
        module=process.module,
        environment=process.environment,
        command=process.command,
        ports=process.ports,
        ready=process.ready,
        stop_signal=process.stop_signal,
        service=process.service,
        tree=source.tree if source else "",
        python=source.python if source else "",
    )
    return respawn(design, new)


def respawn(design: str, record: ProcessRecord) -> ProcessRecord:
    """Start a process as its record says, and return the record of the new one.

    The log goes on where it ended.
    """
    surroundings = environment.of_process(os.environ, record.tree or str(CHECKOUT))
    if record.is_ours:
        command: Sequence[str] = [record.python or sys.executable, "-m", record.module]
    else:
        command, surroundings = record.command, environment.with_programs(surroundings)
    variables = {**surroundings, **record.environment}
    folder = Path(record.tree) if record.tree else None
    log, is_server = Path(record.log), bool(record.service)
    pid = launch(design, command, variables, log, True, folder, ignores=is_server)
    created = psutil.Process(pid).create_time()
    return dataclasses.replace(record, pid=pid, create_time=created)


def launch(
    owner: str,
    command: Sequence[str],
    variables: Mapping[str, str],
    log: Path,
    append: bool = False,
    folder: Path | None = None,
    ignores: bool = False,
) -> int:
    """Start a command in a session of its own, marked as ``owner``'s; return its pid.

    Its log is a new one, or with ``append`` goes on. It runs in ``folder``, from which ``python
    -m`` imports before all others, by default in that of the project. One that ``ignores`` what
    Python does is not ended by SIGXFSZ when it may write no more.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab" if append else "wb") as output:
        child = subprocess.Popen(
            command,
            cwd=folder or stacks.project_root(),
            env={**variables, stacks.MARKER: stacks.marker(owner)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            restore_signals=not ignores,
        )
    _children[child.pid] = child
    return child.pid


def exit_text(pid: int) -> str | None:
    """Say how a child of this process ended: "exit code 2", "signal SIGKILL"; ``None``: not yet."""
    code = _children[pid].poll()
    if code is None:
        return None
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def lingering(found: list[psutil.Process], moment: float = 1.0) -> list[psutil.Process]:
    """Return those that do not end by themselves, as children of what has just ended do."""
    _, alive = psutil.wait_procs(found, timeout=moment)
    return list(alive)


def strays(design: str) -> list[psutil.Process]:
    """Return every process on the machine that bears the design's marker, this one excepted.

    PostgreSQL writes over its environment, to show there what each process is for: who has none
    left is found by where it works, in the data folder of the design.
    """
    wanted, files, found = stacks.marker(design), stacks.data_folder(design), []
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        if process.pid in spared:
            continue
        try:
            environ = process.environ()
            marked = environ.get(stacks.MARKER) == wanted
            ours = marked or (not environ and files in Path(process.cwd()).parents)
            if ours and _is_alive(process):
                found.append(process)
        except (psutil.Error, OSError):
            # Ended meanwhile, or of another user: neither was started from here.
            continue
    return found


def end(
    processes: Iterable[psutil.Process], grace: float, asks: Mapping[int, str] = _ASKS_ALL
) -> set[int]:
    """Ask processes to stop, kill those that have not after ``grace`` seconds; return their pids.

    ``asks`` has the signal that asks one, by its pid, where that is not SIGTERM. Raises
    ``RuntimeError`` if one outlives even that.
    """
    asked = list(processes)
    for each in asked:
        _signal([each], signal.Signals[asks.get(each.pid, _ASKS)])
    # One that is paused receives it only when it goes on.
    _signal(asked, signal.SIGCONT)
    late = _wait(asked, grace)
    _signal(late, signal.SIGKILL)
    if immortal := _wait(late, _KILL_WAIT):
        raise RuntimeError(f"not even SIGKILL ended {[process.pid for process in immortal]}")
    return {process.pid for process in late}


def kill(process: psutil.Process) -> None:
    """End a process and its family at once, without asking; return when all have exited."""
    # What stands still starts nothing more, and none of them sees the end of another.
    found = _frozen(process)
    _signal(found, signal.SIGKILL)
    if immortal := _wait(found, _KILL_WAIT):
        raise RuntimeError(f"not even SIGKILL ended {[each.pid for each in immortal]}")


def pause(process: psutil.Process) -> None:
    """Stop a process and its family from running on; return when none of them does.

    Raises ``RuntimeError`` if one runs on all the same.
    """
    if running := _wait_while(_runs, _frozen(process)):
        raise RuntimeError(f"SIGSTOP did not stop {[each.pid for each in running]}")


def resume(process: psutil.Process) -> bool:
    """Let a process and its family go on; say whether one of them was paused."""
    found = family(process)
    paused = [each for each in found if _is_paused(each)]
    # The first of them last: what it finds then is all there.
    _signal(reversed(found), signal.SIGCONT)
    _wait_while(_is_paused, paused)
    return bool(paused)


def _frozen(process: psutil.Process) -> list[psutil.Process]:
    """Send SIGSTOP to a process and its family, and to whom they start meanwhile; return all."""
    found = {process.pid: process}
    _signal([process], signal.SIGSTOP)
    while new := [each for each in family(process) if each.pid not in found]:
        _signal(new, signal.SIGSTOP)
        found |= {each.pid: each for each in new}
    return list(found.values())


def _is_paused(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def _wait(processes: list[psutil.Process], timeout: float) -> list[psutil.Process]:
    """Wait until the processes have ended; return those that have not after ``timeout`` seconds."""
    alive = _wait_while(_is_alive, processes, timeout)
    _reap()
    return alive


def _wait_while(
    holds: Callable[[psutil.Process], bool],
    processes: Iterable[psutil.Process],
    timeout: float = _SIGNAL_WAIT,
) -> list[psutil.Process]:
    """Wait while something holds of processes: what a signal does, it does after it was sent.

    Returns those of which it still does after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while (late := [each for each in processes if holds(each)]) and time.monotonic() < deadline:
        time.sleep(_POLL)
    return late


def _runs(process: psutil.Process) -> bool:
    return _is_alive(process) and not _is_paused(process)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _reap() -> None:
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            del _children[pid]
