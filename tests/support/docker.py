"""The command line of a container engine, as people use it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

from common.config import SECRET_VARIABLE
from tests.support.stacks import ROOT


def docker(*arguments: str, env: Mapping[str, str] | None = None, within: float = 300) -> str:
    """Run ``docker`` in the project and return what it prints; fail the test if it fails."""
    done = subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build_images() -> None:
    """Make both images, which takes a second or two if nothing has changed."""
    file = "compose/design-a.yaml"
    arguments = ("--file", file, "--profile", "load", "build", "job", "load-a")
    # No image has a secret, but Compose wants to know where it is.
    docker("compose", *arguments, env={SECRET_VARIABLE: os.devnull}, within=900)
