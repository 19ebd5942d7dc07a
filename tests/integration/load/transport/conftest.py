"""Fixtures of the tests of our transport."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from tests.support.gevent_client import own_channel

PATH = "/some.Service/Method"
Open = Callable[..., Any]


@pytest.fixture
def channel() -> Iterator[Open]:
    """Open channels that are closed in the end; ``method`` calls one."""
    opened: list[Any] = []

    def open_channel(address: str, **options: Any) -> Any:
        opened.append(own_channel(address, **options))
        return opened[-1]

    yield open_channel
    for each in opened:
        each.close()
    gevent.sleep(0)


@pytest.fixture
def method(channel: Open) -> Open:
    """Return the method of a new channel."""
    return lambda address, **options: channel(address, **options).unary_unary(PATH)
