"""Lets clients ask a server what it serves: by ``grpc.reflection.v1``, and by its older name.

The library knows the older, ``v1alpha``, alone (grpcio-reflection 1.75 to 1.85). Both have the same
messages on the wire, so one servicer answers for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

V1 = "grpc.reflection.v1.ServerReflection"


def reflecting(services: Sequence[str]) -> Callable[[grpc.aio.Server], None]:
    """Return what adds reflection to a server that serves these services, health and reflection.

    ``v1`` is not among what is listed: nobody could describe it, for its file is not at hand.
    """
    names = [*services, health.SERVICE_NAME, reflection.SERVICE_NAME]
    servicer = reflection.aio.ReflectionServicer(names)
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    newer = grpc.method_handlers_generic_handler(V1, {"ServerReflectionInfo": method})

    def add(server: grpc.aio.Server) -> None:
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
        server.add_generic_rpc_handlers((newer,))

    return add
