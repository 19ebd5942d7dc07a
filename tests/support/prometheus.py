"""The programs of Prometheus for tests: those on PATH, else those of the image.

On a developer's machine without either, tests that need them are skipped; in CI they fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.stacks import ROOT

IMAGE = "prom/prometheus:v2.53.3"


def provide(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """See to it that ``prometheus`` and ``promtool`` are on PATH.

    Those of the image see the checkout and ``folder``, and share the machine's network.
    """
    if shutil.which("prometheus") and shutil.which("promtool"):
        return
    if not _has_image():
        reason = f"neither prometheus and promtool on PATH nor the image {IMAGE}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}; CI has to have one of them")
        pytest.skip(reason)
    programs = folder / "bin"
    programs.mkdir()
    for name in ("prometheus", "promtool"):
        script = programs / name
        script.write_text(
            "#!/bin/sh\n"
            "exec docker run --rm --network host "
            f"--user {os.getuid()}:{os.getgid()} --entrypoint {name} "
            f"--volume {ROOT}:{ROOT}:ro --volume {folder}:{folder} "
            f'--workdir {ROOT} {IMAGE} "$@"\n'
        )
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


def _has_image() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    asked = subprocess.run([docker, "image", "inspect", IMAGE], capture_output=True, check=False)
    return asked.returncode == 0
