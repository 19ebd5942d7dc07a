"""Formats of ``experiment.json``: the newest is written, earlier ones are read as if they were it.

======  ==================================================================================
3       ``plan.sides`` are what is compared, as texts
2       ``plan.designs`` are two designs; ``plan.pairs`` several of these, as cells of a plan
======  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FORMAT = 3


def with_sides(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contents of an ``experiment.json`` of any format with the plan's sides.

    What is not as its format has it stays as it is. Raises ``ValueError`` for an unknown format.
    """
    written, plan = record.get("format", 2), record.get("plan")
    if written == 2 and isinstance(plan, dict):
        return {**record, "plan": _of_sides(plan)}
    if written not in {2, FORMAT}:
        raise ValueError(f"its format is {written!r}, and this version reads 2 and {FORMAT}")
    return dict(record)


def _of_sides(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Rename what spoke of designs; both sides of a threshold's ratio were the only two."""
    renamed = {"sides" if key == "designs" else key: value for key, value in plan.items()}
    thresholds = plan.get("thresholds")
    if isinstance(thresholds, list):
        renamed["thresholds"] = [_of_side(each) for each in thresholds]
    return renamed


def _of_side(threshold: Any) -> Any:
    if not isinstance(threshold, dict):
        return threshold
    return {"side" if key == "design" else key: value for key, value in threshold.items()}
