"""Channels lead straight to their servers, whatever proxies the environment names."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from common.rpc import connect
from common.rpc.probe import probe
from testbed.stack.runtimes.health import Server, check

# Nobody listens there.
PROXY = "http://127.0.0.1:9"
PROXIES = [
    {"grpc_proxy": PROXY},
    {"http_proxy": PROXY},
    {"https_proxy": PROXY},
    {
        "GRPC_ADDRESS_HTTP_PROXY": "127.0.0.1:9",
        "GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES": "127.0.0.0/8",
    },
]
proxied = pytest.mark.parametrize("variables", PROXIES, ids=lambda given: next(iter(given)))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server that serves health."""
    with futures.ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        servicer = health.HealthServicer()
        servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(0).wait()


@pytest.fixture
def proxy(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names a proxy."""
    for name in ("no_proxy", "no_grpc_proxy", connect.PROXY_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@proxied
@pytest.mark.usefixtures("proxy")
def test_a_call_is_answered_though_the_environment_names_a_proxy(address: str) -> None:
    with connect.channel(address, connect.OWN_CONNECTION) as channel:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)


@proxied
@pytest.mark.usefixtures("proxy")
async def test_a_call_of_an_event_loop_is_answered_though_the_environment_names_a_proxy(
    address: str,
) -> None:
    async with connect.aio_channel(address, connect.OWN_CONNECTION) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        await stub.Check(health_pb2.HealthCheckRequest(), timeout=10)


@proxied
@pytest.mark.usefixtures("proxy")
def test_calls_and_probes_go_through_a_proxy_alike_if_that_is_asked_for(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(connect.PROXY_VARIABLE, "1")
    with (
        connect.channel(address, connect.OWN_CONNECTION) as channel,
        pytest.raises(grpc.RpcError, match="UNAVAILABLE"),
    ):
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert "UNAVAILABLE" in probe(address)
    assert check({"server": Server(address)}, 10) == {"server": "no answer"}
