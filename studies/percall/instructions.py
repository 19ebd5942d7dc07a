"""Counts the instructions of a call, which no neighbour on the machine changes; by valgrind.

Those of the kernel are not among them: what waking a thread costs is in the CPU time alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

# Calls of two runs: what they differ by leaves out the start.
FEW, MANY = 320, 1280
_COUNT = re.compile(r"I\s+refs:\s+([\d,]+)")


def of(group: str, layer: str) -> float:
    """Return the instructions of one call. Raises ``FileNotFoundError`` without valgrind."""
    few, many = (_run(group, layer, calls) for calls in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def _run(group: str, layer: str, calls: int) -> int:
    ended = subprocess.run(
        [
            *("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"),
            *(sys.executable, "-m", "studies.percall", group),
            *("--only", layer, "--calls", str(calls)),
        ],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = _COUNT.search(ended.stderr)
    if found is None:
        raise RuntimeError(f"valgrind counted nothing: {ended.stderr[-500:]}")
    return int(found[1].replace(",", ""))
