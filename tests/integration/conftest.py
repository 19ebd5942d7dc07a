"""Fixtures of the tests that break a stack: each gets one of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.homes import processes_of, require_default_ports
from tests.support.stacks import ROOT, Stack, running

StackMaker = Callable[..., Stack]


@pytest.fixture
def start_stack(tmp_path: Path) -> Iterator[StackMaker]:
    """Starts a design with the given settings; it is stopped when the test has ended."""
    with ExitStack() as exits:
        yield lambda design, **options: exits.enter_context(running(design, tmp_path, **options))


@pytest.fixture
def default_ports() -> None:
    """The ports that the designs name are free, and nobody else takes them during the test."""
    require_default_ports()


@pytest.fixture
def home(tmp_path: Path, default_ports: None) -> Iterator[Path]:
    """A project root of its own for state and results; nothing that it started survives."""
    for name in ("experiments", "locustfiles", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).symlink_to(ROOT / name)
    yield tmp_path
    left = processes_of(tmp_path)
    for process in left:
        process.kill()
    assert left == [], "processes were left"
