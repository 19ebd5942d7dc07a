"""Asks a server for its health: ``python -m common.rpc.probe HOST:PORT``, for container engines.

Ends with 0 if it serves, with 1 and the reason on stderr if it does not, with 2 if it was called
wrongly.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from common.rpc import connect

# Seconds. An engine's own limit has to be longer, so that the reason is still printed.
TIMEOUT = 3.0


def probe(address: str, timeout: float = TIMEOUT) -> str:
    """Return why the server at ``host:port`` does not serve, nothing if it does."""
    with connect.channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout)
        except grpc.RpcError as error:
            return f"{address} does not answer: {error.code().name}"
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return "" if status == "SERVING" else f"{address} reports {status}"


def main(arguments: Sequence[str]) -> int:
    """Probe the one server that is named and return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m common.rpc.probe HOST:PORT\n")
        return 2
    if problem := probe(arguments[0]):
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
