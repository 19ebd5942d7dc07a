"""What the container of this process may use and has used, as its control group keeps account.

A runtime gives a container a control group of its own and mounts that at ``/sys/fs/cgroup``, in one
tree (version 2) or in one for each resource (version 1, also beside an empty version 2: "hybrid").
The limits on it are the budget of the process. Needs the standard library alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
PROC = Path("/proc")

# Programs that do nothing in a container but start another one and reap what it leaves behind.
INITS = frozenset({"docker-init", "tini", "dumb-init", "catatonit"})
# Version 1 writes "no limit" as the largest number of pages.
_NO_LIMIT = 1 << 62
_NANO, _MICRO = 1e-9, 1e-6


@dataclass(frozen=True)
class Accounting:
    """Limits of a control group, and its use of them so far; ``None`` where there is none.

    Times are in seconds. ``cpu_limit_cores`` is what each second of the clock may be used for; once
    a period (of 0.1 s usually) has used its part, the group is throttled until the next begins.
    ``throttled_seconds`` adds up over the cores on which the group waits. ``periods`` are those in
    which the group ran, ``throttled_periods`` those of them that were cut short.

    ``memory_bytes`` leaves out file pages that nobody has used lately, which the kernel takes back
    when it needs room; ``memory_peak_bytes`` is the kernel's own maximum, and has them.
    """

    cpu_seconds: float | None = None
    throttled_seconds: float | None = None
    periods: int | None = None
    throttled_periods: int | None = None
    cpu_limit_cores: float | None = None
    memory_bytes: int | None = None
    memory_peak_bytes: int | None = None
    memory_limit_bytes: int | None = None

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return self.cpu_limit_cores is not None or self.memory_limit_bytes is not None


def read(mount: Path = MOUNT) -> Accounting | None:
    """Read the account of the control group that is mounted here, ``None`` if there is none.

    What a kernel does not offer is ``None``, and so is what cannot be read.
    """
    if (mount / "cgroup.controllers").is_file():
        return _unified(mount)
    cpu, memory = _controller(mount, "cpu"), _controller(mount, "memory")
    if cpu is None and memory is None:
        return None
    return _separate(cpu, _controller(mount, "cpuacct"), memory)


def own(mount: Path = MOUNT, proc: Path = PROC) -> Accounting | None:
    """Read the account of the container that is there for this process alone.

    ``None`` for any other process. A plain process has no limit at the mount, which there is the
    root of all groups. A process that another one started within a container, as the local runtime
    does where it runs in one, shares limit and account with its siblings: neither is its own.
    """
    if not leads(os.getpid(), os.getppid(), proc):
        return None
    found = read(mount)
    return found if found is not None and found.limited else None


def leads(pid: int, parent: int, proc: Path = PROC) -> bool:
    """Whether a process is what its container was made for: its first, or that of its init."""
    if pid == 1:
        return True
    return parent == 1 and (_text(proc / "1" / "comm") or "") in INITS


def _unified(group: Path) -> Accounting:
    cpu = _fields(group / "cpu.stat")
    inactive = _fields(group / "memory.stat").get("inactive_file", 0)
    return Accounting(
        cpu_seconds=_scaled(cpu.get("usage_usec"), _MICRO),
        throttled_seconds=_scaled(cpu.get("throttled_usec"), _MICRO),
        periods=cpu.get("nr_periods"),
        throttled_periods=cpu.get("nr_throttled"),
        cpu_limit_cores=_cores(*(_text(group / "cpu.max") or "").split()),
        memory_bytes=_less(_number(group / "memory.current"), inactive),
        memory_peak_bytes=_number(group / "memory.peak"),
        memory_limit_bytes=_limit(group / "memory.max"),
    )


def _separate(cpu: Path | None, cpuacct: Path | None, memory: Path | None) -> Accounting:
    stat = _fields(_in(cpu, "cpu.stat"))
    inactive = _fields(_in(memory, "memory.stat")).get("total_inactive_file", 0)
    quota, period = (_text(_in(cpu, f"cpu.cfs_{name}_us")) or "" for name in ("quota", "period"))
    return Accounting(
        cpu_seconds=_scaled(_number(_in(cpuacct, "cpuacct.usage")), _NANO),
        throttled_seconds=_scaled(stat.get("throttled_time"), _NANO),
        periods=stat.get("nr_periods"),
        throttled_periods=stat.get("nr_throttled"),
        cpu_limit_cores=_cores(quota, period),
        memory_bytes=_less(_number(_in(memory, "memory.usage_in_bytes")), inactive),
        memory_peak_bytes=_number(_in(memory, "memory.max_usage_in_bytes")),
        memory_limit_bytes=_limit(_in(memory, "memory.limit_in_bytes")),
    )


def _controller(mount: Path, name: str) -> Path | None:
    """Return where a controller of version 1 is mounted; cpu and cpuacct often are together."""
    for folder in (name, "cpu,cpuacct", "cpuacct,cpu"):
        if name in folder.split(",") and (mount / folder).is_dir():
            return mount / folder
    return None


def _in(folder: Path | None, name: str) -> Path | None:
    return folder / name if folder is not None else None


def _text(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None


def _integer(text: str) -> int | None:
    return int(text) if text.lstrip("-").isdecimal() else None


def _number(path: Path | None) -> int | None:
    return _integer(_text(path) or "")


def _fields(path: Path | None) -> Mapping[str, int]:
    """Read lines of a name and a number."""
    pairs = (line.split() for line in (_text(path) or "").splitlines())
    numbers = {pair[0]: _integer(pair[1]) for pair in pairs if len(pair) == 2}
    return {name: value for name, value in numbers.items() if value is not None}


def _cores(quota: str = "", period: str = "", *_rest: str) -> float | None:
    """Return the limit in cores; without one the quota is "max" (version 2) or -1 (version 1)."""
    allowed, every = _integer(quota), _integer(period)
    return allowed / every if allowed is not None and allowed > 0 and every else None


def _limit(path: Path | None) -> int | None:
    value = _number(path)
    return value if value is not None and value < _NO_LIMIT else None


def _scaled(value: int | None, unit: float) -> float | None:
    return None if value is None else value * unit


def _less(value: int | None, part: int) -> int | None:
    return None if value is None else max(0, value - part)
