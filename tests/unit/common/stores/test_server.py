"""Which peers of a process are its store."""

from __future__ import annotations

import pytest

from common.config import ConfigError
from common.stores.server import Servers, servers_of
from tests.support.stores import settings_of


def test_the_server_of_the_store_is_found_by_its_name() -> None:
    settings = settings_of(store="redis", peers={"queue": "q:1", "redis-job": "r:1"})
    assert servers_of(settings) == Servers("redis-job", {"redis-job": "r:1"})
    assert servers_of(settings).only == "r:1"


def test_copies_of_a_store_are_found_together() -> None:
    copies = {f"redis-job-{number}": f"r:{number}" for number in (1, 2, 3)}
    settings = settings_of(store="redis", peers={"queue": "q:1", **copies})
    assert servers_of(settings) == Servers("redis-job", copies)


@pytest.mark.parametrize("peers", [{}, {"redis-job": "r:1", "redis-queue": "r:2"}])
def test_no_store_and_two_of_them_are_refused(peers: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="needs one peer"):
        servers_of(settings_of(store="redis", peers={"queue": "q:1", **peers}))
