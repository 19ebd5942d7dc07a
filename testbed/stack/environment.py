"""The environment of what the testbed starts: built from what is known to be harmless.

gRPC, gevent, Locust, Python, Compose and git each read variables by themselves, and dozens of them
change what a process does and how fast. None of those is inherited, so that a plan means the same
in every shell. ``TESTBED_PASS=NAME,NAME`` passes others on all the same; a result then says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from testbed import CHECKOUT
from testbed.stack.records import HOME_VARIABLE, MARKER

NAMED_VARIABLE = "TESTBED_PASS"
PROXY_VARIABLE = "TESTBED_PROXY"

# Who and where: to find programs, files and libraries, and to write the language of the user.
_PLAIN = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
    }
)
# Where the container engine is and how images get to it; and what our Compose files ask for.
_ENGINE = frozenset(
    {"XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "GRAFANA_PORT", "PROMETHEUS_PORT"}
)
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy", "grpc_proxy"})
# Where Debian has servers that are not on everybody's PATH; of several versions, the newest.
_SERVERS = ("usr/local/sbin", "usr/sbin", "usr/lib/postgresql/*/bin")
# Libraries can be others than elsewhere.
_NOTEWORTHY = frozenset({"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"})


def of_process(variables: Mapping[str, str], tree: str = str(CHECKOUT)) -> dict[str, str]:
    """Return the environment of a process of ours, or of a program that needs no more than those.

    Modules are those in ``tree``, by default of this very testbed.
    """
    passed = {name: value for name, value in variables.items() if _passes(name, variables)}
    return {**passed, "PYTHONPATH": tree}


def of_engine(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a client of the container engine."""
    more = {
        name: value
        for name, value in variables.items()
        if name in _ENGINE
        or name.startswith(("DOCKER_", "BUILDKIT_", "BUILDX_"))
        or name.lower() in _PROXIES
    }
    return {**of_process(variables), **more}


def with_programs(variables: Mapping[str, str]) -> dict[str, str]:
    """Return variables whose PATH also leads to the servers that packages put elsewhere."""
    beside = [map(str, sorted(Path("/").glob(each), reverse=True)) for each in _SERVERS]
    path = os.pathsep.join([variables.get("PATH", os.defpath), *chain.from_iterable(beside)])
    return {**variables, "PATH": path}


def on_purpose(variables: Mapping[str, str]) -> dict[str, str]:
    """Return what of these passes and may make a difference, for a result to say."""
    return {
        name: variables[name]
        for name in sorted(variables)
        if _passes(name, variables)
        and (name in _NOTEWORTHY or not (name in _PLAIN or name.startswith("LC_")))
        and name != HOME_VARIABLE
    }


def _passes(name: str, variables: Mapping[str, str]) -> bool:
    return (
        name in _PLAIN
        or (name.startswith(("LC_", "TESTBED_")) and name != MARKER)
        or name in _named(variables)
        or (variables.get(PROXY_VARIABLE) == "1" and name.lower() in _PROXIES)
    )


def _named(variables: Mapping[str, str]) -> Iterator[str]:
    return (name.strip() for name in variables.get(NAMED_VARIABLE, "").split(","))
