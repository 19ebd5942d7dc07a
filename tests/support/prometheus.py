"""The programs of Prometheus for tests that need them: those on PATH, else those of the image."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import needs
from tests.support.stacks import ROOT


def provide(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """See to it that ``prometheus`` and ``promtool`` are on PATH.

    Those of the image see the checkout and ``folder``, and share the machine's network.
    """
    if needs.has_prometheus():
        return
    programs = folder / "bin"
    programs.mkdir()
    for name in ("prometheus", "promtool"):
        script = programs / name
        script.write_text(
            "#!/bin/sh\n"
            "exec docker run --rm --network host "
            f"--user {os.getuid()}:{os.getgid()} --entrypoint {name} "
            f"--volume {ROOT}:{ROOT}:ro --volume {folder}:{folder} "
            f'--workdir {ROOT} {needs.PROMETHEUS_IMAGE} "$@"\n'
        )
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
