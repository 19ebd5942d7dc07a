"""Checks that the machine has what the processes of a stack are started with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from common.process_spec import ProcessSpec
from testbed.errors import TestbedError
from testbed.stack import environment


def require(design: str, processes: Iterable[ProcessSpec]) -> None:
    """Raise :class:`TestbedError` unless every program and path is there that processes need.

    It names each that is missing and what brings it.
    """
    missing = {what: brings for process in processes for what, brings in _missing(process)}
    if missing:
        raise TestbedError(
            f"design {design} needs {' and '.join(map(_described, missing))}",
            "\n".join(dict.fromkeys(filter(None, missing.values())))
            or "install it, or run the stack in containers: --runtime compose",
        )


def _missing(process: ProcessSpec) -> Iterator[tuple[str, str]]:
    """Yield what is missing, and what brings it."""
    wanted = {**dict.fromkeys(process.command[:1], ""), **process.needs}
    path = environment.with_programs(os.environ)["PATH"]
    for what, brings in wanted.items():
        there = Path(what).exists() if os.sep in what else shutil.which(what, path=path)
        if not there:
            yield what, brings


def _described(what: str) -> str:
    return f"{what}, which does not exist" if os.sep in what else f"`{what}`, which is not on PATH"
