"""A container engine for tests, and what they leave on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from testbed.runtimes.compose import engine


def require_engine() -> None:
    """Skip the test where no engine answers, and fail it in CI, where one has to.

    A CI that cannot have one says so with ``TESTBED_NO_ENGINE``.
    """
    if not engine.answers():
        excused = "TESTBED_NO_ENGINE" in os.environ or not os.environ.get("CI")
        complain = pytest.skip if excused else pytest.fail
        complain("no container engine with Compose answers")


@contextmanager
def leaving_nothing(project: str) -> Iterator[None]:
    """Assert that the block leaves no container, network or volume of a Compose project behind."""
    yield
    client = engine.connect()
    ours = {"label": f"com.docker.compose.project={project}"}
    left = [
        *client.containers.list(all=True, filters=ours),
        *client.networks.list(filters=ours),
        *client.volumes.list(filters=ours),
    ]
    assert [each.name for each in left] == []
