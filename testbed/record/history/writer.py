"""Writes a history while it happens.

Threads and greenlets may share a writer: what it does under its lock never waits for another of
them. A line is one write, so it is with the operating system before the method returns: a process
that is killed loses nothing of what it announced.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from testbed.record.history import lines
from testbed.record.history.lines import Answer, Asked
from testbed.record.history.model import ALL_JOBS, LostJobs

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_encode = msgspec.json.Encoder().encode


class HistoryWriter:
    """Appends to one new file; several processes write one each, into one folder.

    ``design`` is empty for a system that is none of ours; ``ids`` is
    :data:`~testbed.record.history.model.IDS_BY_HOME` for one whose ids say more than the contract
    promises; ``retention`` is after how many seconds the system forgets a job that has ended, 0 if
    it never does. Raises ``FileExistsError`` rather than overwrite. Every method raises ``OSError``
    if its line did not get into the file, and after a line that got there in part, for what follows
    could not be read. Text with half of a surrogate pair is no Unicode, and raises
    ``UnicodeEncodeError``.
    """

    def __init__(
        self, path: Path | str, design: str = "", ids: str = "", retention: float = 0
    ) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
        self._lock = Lock()
        self._last = 0
        self._lines = 0
        self._broken = False
        head: dict[str, Any] = {"format": lines.FORMAT, "design": design, "ids": ids}
        if retention:
            head["retention_us"] = int(retention * 1_000_000)
        times = {"unix_us": time.time_ns() // 1000, "clock_us": now_us()}
        self._put({**head, **times, "boot": _boot()})

    def invoke(self, client: str, endpoint: str, call: str, asked: Asked) -> int:
        """Announce a call that is about to be made, and return the id for its end."""
        fields = {"client": client, "at": endpoint, "call": call, **lines.write_asked(asked)}
        return self._announce(b"invoke", fields)

    def ok(self, operation: int, answer: Answer) -> None:
        """Note that a call was answered."""
        self._note({"ok": operation, **lines.write_answer(answer)})

    def failed(self, operation: int, code: str, reason: str, definite: bool) -> None:
        """Note that a call got no answer. ``definite``: it certainly had no effect."""
        self._note({"fail" if definite else "info": operation, "code": code, "reason": reason})

    def fault(
        self,
        kind: str,
        targets: Iterable[str],
        lost_state: Iterable[str] = (),
        details: Mapping[str, str] | None = None,
        lost_jobs: LostJobs | None = None,
    ) -> int:
        """Announce a fault that is about to begin, and return the id for its end.

        ``lost_state`` names the processes whose memory is lost with it, ``lost_jobs`` says which
        jobs they held; if that is not known, any job may have been in any of them.
        """
        lost = [*lost_state]
        if lost_jobs is None:
            lost_jobs = ALL_JOBS if lost else ()
        what = {"kind": kind, "targets": [*targets], "lost_state": lost, "lost_jobs": lost_jobs}
        return self._announce(b"fault", {**what, "details": dict(details or {})})

    def healed(self, fault: int) -> None:
        """Note that a fault is over, with all that it did."""
        self._note({"healed": fault})

    def close(self) -> None:
        """Write how many lines there are, so that a loss of the last shows, and close the file.

        Closing twice changes nothing. Raises ``OSError`` if that line did not get into the file.
        """
        with self._lock:
            if self._file < 0:
                return
            try:
                if not self._broken:
                    self._write(b'{"t":%d,"end":%d}\n' % (now_us(), self._lines))
            finally:
                os.close(self._file)
                self._file = -1

    def _announce(self, what: bytes, fields: Mapping[str, Any]) -> int:
        # The rest of the line is made before the lock is taken and the clock is read.
        rest = _encode(fields)[1:]
        with self._lock:
            self._last += 1
            self._write(b'{"t":%d,"%b":%d,%b\n' % (now_us(), what, self._last, rest))
            return self._last

    def _note(self, fields: Mapping[str, Any]) -> None:
        rest = _encode(fields)[1:]
        with self._lock:
            self._write(b'{"t":%d,%b\n' % (now_us(), rest))

    def _put(self, fields: Mapping[str, Any]) -> None:
        with self._lock:
            self._write(_encode(fields) + b"\n")

    def _write(self, line: bytes) -> None:
        if self._broken:
            raise OSError("an earlier line of this history was written in part")
        if self._file < 0:
            raise OSError("this history is closed")
        written = os.write(self._file, line)
        if written < len(line):
            self._broken = True
            raise OSError(
                f"{written} of {len(line)} bytes of a line were written: is the disk full?"
            )
        self._lines += 1


def now_us() -> int:
    """Return the time of the clock of histories, in microseconds."""
    return time.monotonic_ns() // 1000


def _boot() -> str:
    """Return what identifies this machine's clock, or nothing where it is not known."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
