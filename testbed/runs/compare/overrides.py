"""What the command line changes in a plan, before it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testbed.drive import values
from testbed.drive.plan_reader import PlanError
from testbed.drive.values import hint
from testbed.runs.compare.plan import FACTORS
from testbed.stats import MIN_STOPPING_BLOCKS

_TRAFFIC = tuple(values.traffic(()))
_NESTED = {"limits": tuple(values.LIMITS), "stop": ("metrics", *values.STOP)}
_TOP = (*values.TOP, "sides", "declared")


def apply(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contents of a plan with ``changes``, by key or ``table.key``.

    A list for a factor makes it one, a single value makes it none. Raises :class:`PlanError` for
    a key that no plan has.
    """
    result = {key: dict(each) if isinstance(each, dict) else each for key, each in data.items()}
    for key, value in changes.items():
        table, _, name = key.rpartition(".")
        if table in _NESTED and name in _NESTED[table]:
            result.setdefault(table, {})[name] = value
        elif table:
            raise PlanError(f"--set {key}: a plan has no such key")
        elif key in FACTORS and isinstance(value, list):
            _set_factor(result, key, value)
        elif key in _TRAFFIC or key in _TOP:
            _set_single(result, key, value)
        else:
            known = [*_TOP, *_TRAFFIC, *(f"{t}.{n}" for t in _NESTED for n in _NESTED[t])]
            raise PlanError(f"--set {key}: a plan has no such key{hint(key, known)}")
    return result


def _set_factor(data: dict[str, Any], key: str, levels: list[Any]) -> None:
    data.setdefault("factors", {})[key] = levels
    data.get("traffic", {}).pop(key, None)
    data.pop(key, None)
    _change_loop(data, key)


def _set_single(data: dict[str, Any], key: str, value: Any) -> None:
    data.get("factors", {}).pop(key, None)
    if key in _TOP:
        data[key] = value
        if key == "blocks":
            _leave_no_early_stop(data, value)
        return
    data.setdefault("traffic", {})[key] = value
    _change_loop(data, key)


def _leave_no_early_stop(data: dict[str, Any], blocks: Any) -> None:
    """With fewer blocks than the earliest stop of the file needs there is nothing to stop."""
    stop = data.get("stop")
    if isinstance(stop, dict) and isinstance(blocks, int):
        least = stop.get("min_blocks", MIN_STOPPING_BLOCKS)
        if isinstance(least, int) and least > blocks:
            del data["stop"]


def _change_loop(data: dict[str, Any], key: str) -> None:
    """A rate for a plan of users makes it an open loop, and the other way round."""
    if key == "rate":
        unused: tuple[str, ...] = ("users", "think_time")
    elif key in {"users", "think_time"}:
        unused = ("rate", "arrivals", "max_in_flight")
    else:
        return
    for table in ("traffic", "factors"):
        for name in unused:
            data.get(table, {}).pop(name, None)
