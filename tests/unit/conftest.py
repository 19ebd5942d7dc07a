"""Unit tests start no process: a test that does is an integration test."""

from __future__ import annotations

import multiprocessing.util
import os
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
STARTS = (
    (subprocess.Popen, "__init__"),
    (multiprocessing.util, "spawnv_passfds"),
    (os, "fork"),
    (os, "posix_spawn"),
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test of this folder, or a fixture of one, that starts a process."""
    if not item.path.is_relative_to(HERE):  # pytest calls this for the items of every folder
        return (yield)
    with pytest.MonkeyPatch.context() as patches:
        for owner, name in STARTS:
            patches.setattr(owner, name, refuse)
        return (yield)


def refuse(*arguments: object, **_: object) -> NoReturn:
    """Stand for whatever starts a process."""
    pytest.fail(f"a unit test starts a process: {arguments[1:2]}")
