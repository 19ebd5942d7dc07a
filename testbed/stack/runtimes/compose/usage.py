"""What containers use, by the accounting of their cgroups, as the engine reads it.

The engine hides whether the machine has cgroups of version 1 or 2, and where they are, so this also
works where containers run in a virtual machine or on another host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker.models.containers import Container

from testbed.stack.runtimes import Usage
from testbed.stack.runtimes.compose import containers, engine

_NANOSECONDS = 1e-9


def read(found: Mapping[str, Container]) -> dict[str, Usage]:
    """Return what each container has used, by the name of its process; ended ones are left out."""
    reported = containers.in_parallel(_ask, list(found.values()))
    return {
        name: parse(stats)
        for name, stats in zip(found, reported, strict=True)
        # The engine answers for a container that does not run with empty accounts.
        if stats and stats.get("cpu_stats", {}).get("system_cpu_usage")
    }


def _ask(container: Container) -> dict[str, Any]:
    # One reading, without the second that the engine otherwise waits to work out a rate.
    api = engine.connect().api
    stats: dict[str, Any] = api.stats(str(container.id), stream=False, one_shot=True)
    return stats


def parse(stats: Mapping[str, Any]) -> Usage:
    """Read the engine's statistics of a container."""
    cpu, memory = stats["cpu_stats"], stats.get("memory_stats", {})
    throttling = cpu.get("throttling_data", {})
    return Usage(
        cpu_seconds=cpu["cpu_usage"]["total_usage"] * _NANOSECONDS,
        memory_bytes=_resident(memory),
        throttled_seconds=throttling.get("throttled_time", 0) * _NANOSECONDS,
        periods=throttling.get("periods", 0),
        throttled_periods=throttling.get("throttled_periods", 0),
    )


def together(before: Usage, now: Usage) -> Usage:
    """Return what a container has used in two lives; of the memory, what it holds now."""
    return Usage(
        before.cpu_seconds + now.cpu_seconds,
        now.memory_bytes,
        (before.throttled_seconds or 0) + (now.throttled_seconds or 0),
        (before.periods or 0) + (now.periods or 0),
        (before.throttled_periods or 0) + (now.throttled_periods or 0),
    )


def _resident(memory: Mapping[str, Any]) -> int:
    """Return the memory in use without the pages of files that could be dropped at once.

    So does ``docker stats``; the field is ``total_inactive_file`` in version 1 of cgroups.
    """
    detail = memory.get("stats", {})
    droppable = detail.get("total_inactive_file", detail.get("inactive_file", 0))
    return max(0, int(memory.get("usage", 0)) - int(droppable))
