"""Makes every channel of the project, so that what vouches for a server connects as its callers do.

A channel leads straight to its address. Of itself gRPC would send calls, also those on loopback,
through whatever proxy the environment names, in ``grpc_proxy``, ``https_proxy``, ``http_proxy`` or
``GRPC_ADDRESS_HTTP_PROXY``; that is done only if ``TESTBED_PROXY=1`` asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import grpc

PROXY_VARIABLE = "TESTBED_PROXY"
MAX_MESSAGE_BYTES = 16 << 20

Option = tuple[str, int | str]

_OPTIONS: tuple[Option, ...] = (
    # No call is sent twice behind the caller's back: it would hide an error, lengthen a latency.
    ("grpc.enable_retries", 0),
    # A restarted server is found again within a second.
    ("grpc.initial_reconnect_backoff_ms", 50),
    # How long an attempt to connect may take, whatever its name says: a busy machine needs a while.
    ("grpc.min_reconnect_backoff_ms", 5000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Nor does it take longer to find one that comes back under its name with another address.
    ("grpc.dns_min_time_between_resolutions_ms", 500),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)
_NO_PROXY: tuple[Option, ...] = (
    ("grpc.enable_http_proxy", 0),
    # The option above leaves out the proxy of GRPC_ADDRESS_HTTP_PROXY, which is for these.
    ("grpc.address_http_proxy_enabled_addresses", ""),
)
# For peers of one stack, whose servers welcome pings as often: one that is cut off without a word,
# unplugged or frozen, is given up within seven seconds, and calls under way to it fail then. Any
# other server may end the connection of a client that pings it so often.
KEEPALIVE: tuple[Option, ...] = (
    ("grpc.keepalive_time_ms", 2000),
    ("grpc.keepalive_timeout_ms", 5000),
    # Of other pings too: while one of those waits, there is none for keepalive.
    ("grpc.http2.ping_timeout_ms", 5000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)
# Channels with equal options share a connection; one with this has its own.
OWN_CONNECTION: tuple[Option, ...] = (("grpc.use_local_subchannel_pool", 1),)


def channel(address: str, more: Iterable[Option] = ()) -> grpc.Channel:
    """Return a channel to ``host:port``; ``more`` are options beside, or instead of, the usual."""
    return grpc.insecure_channel(address, _options(more))


def aio_channel(address: str, more: Iterable[Option] = ()) -> grpc.aio.Channel:
    """Return a channel of ``grpc.aio``, for the running loop; see :func:`channel`."""
    return grpc.aio.insecure_channel(address, _options(more))


def _options(more: Iterable[Option]) -> tuple[Option, ...]:
    proxies = () if os.environ.get(PROXY_VARIABLE) == "1" else _NO_PROXY
    return tuple(dict((*_OPTIONS, *proxies, *more)).items())
