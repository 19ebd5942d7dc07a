"""What a process imports that runs jobs and does nothing else."""

from __future__ import annotations

import subprocess
import sys


def test_kinds_load_without_the_libraries_of_the_network() -> None:
    heavy = "{'grpc', 'google.protobuf', 'uvloop', 'prometheus_client', 'pebble'}"
    code = (
        "import sys; from common.handlers.registry import load; load(); "
        f"print(sorted({heavy} & sys.modules.keys()))"
    )

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "[]"
