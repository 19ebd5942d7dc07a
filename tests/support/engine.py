"""What tests leave on a container engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from testbed.stack.runtimes.compose import engine


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
