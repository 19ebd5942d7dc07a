"""Lists for Prometheus what runs on this machine: a file of targets for each stack and each load.

Prometheus reads ``<root>/.testbed/prometheus/targets/*.json`` again whenever a file changes, so
nobody edits a list. Only the standard library is needed, as a load generator writes here too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.stack import records as stacks
from testbed.stack.records import StackRecord

PROMETHEUS = "prometheus"


def folder() -> Path:
    """Return the directory of the target files; it need not exist."""
    return stacks.folder_of(PROMETHEUS) / "targets"


def write_stack(record: StackRecord) -> None:
    """Have every process of a stack scraped that has metrics."""
    _write(
        _stack_file(record.design),
        [
            _target(record.design, name, *address.partition("/"))
            for name, address in record.metrics.items()
        ],
    )


def _target(design: str, process: str, address: str, slash: str, path: str) -> dict[str, Any]:
    elsewhere = {"__metrics_path__": f"/{path}"} if slash else {}
    labels = {"design": design, "process": process, **elsewhere}
    return {"targets": [address], "labels": labels}


def remove_stack(design: str) -> None:
    """Have a stack scraped no longer; none at all is no error."""
    _stack_file(design).unlink(missing_ok=True)


def write_load(address: str) -> Path:
    """Have a load generator scraped that serves its metrics at ``host:port``; return the file.

    Raises ``OSError`` if it cannot be written.
    """
    path = folder() / f"load-{address.rpartition(':')[2]}.json"
    _write(path, [{"targets": [address], "labels": {"process": "locust"}}])
    return path


def _stack_file(design: str) -> Path:
    return folder() / f"stack-{design}.json"


def _write(path: Path, groups: Sequence[Mapping[str, Any]]) -> None:
    """Write in one step: Prometheus sees the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(groups, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)
