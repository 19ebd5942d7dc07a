"""Fixtures of the suite of bad clients: stacks to abuse, and what has to hold afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.abuse import assert_no_defects
from tests.support.stacks import Stack, running

StackMaker = Callable[..., Stack]


@pytest.fixture(scope="module", params=["a", "b"])
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A running design that all tests of a module abuse in turn."""
    with running(request.param, tmp_path_factory.mktemp("abused")) as started:
        yield started
        assert_no_defects(started)


@pytest.fixture
def start_stack(tmp_path: Path) -> Iterator[StackMaker]:
    """Starts a design with the given settings; it is stopped when the test has ended."""
    with ExitStack() as exits:
        yield lambda design, **options: exits.enter_context(running(design, tmp_path, **options))
