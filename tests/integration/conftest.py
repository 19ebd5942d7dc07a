"""Fixtures of the tests that break a stack: each gets one of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.stacks import Stack, running

StackMaker = Callable[..., Stack]


@pytest.fixture
def start_stack(tmp_path: Path) -> Iterator[StackMaker]:
    """Starts a design with the given settings; it is stopped when the test has ended."""
    with ExitStack() as exits:
        yield lambda design, **options: exits.enter_context(running(design, tmp_path, **options))
