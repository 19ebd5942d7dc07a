"""A Redis has reached the memory that it may use."""

from __future__ import annotations

from redis import Redis, RedisError

from common.process_spec import REDIS
from testbed.errors import TestbedError
from testbed.runs.faults.kind import Kind, Parameter, Parameters, Target
from testbed.runs.faults.servers.server import Server
from testbed.runs.faults.targets import serving
from testbed.stack.runtimes.controls import Controls, process_of

_OPTION = "--maxmemory"
_LIMIT = "maxmemory"
_TIMEOUT = 5.0


def _inject(controls: Controls, target: Target, parameters: Parameters) -> None:
    try:
        with _connected(controls, target) as redis:
            used = int(redis.info("memory")["used_memory"])
            redis.config_set(_LIMIT, used + int(parameters["left_kib"]) * 1024)
    except RedisError as error:
        raise TestbedError(f"{target.name} does not take a limit of memory: {error}") from error


def _heal(controls: Controls, target: Target) -> None:
    try:
        with _connected(controls, target) as redis:
            redis.config_set(_LIMIT, _usual(controls, target))
    except RedisError as error:
        if process_of(controls.record, target.name).is_alive():
            raise TestbedError(f"{target.name} keeps its limit of memory: {error}") from error


def _remains(controls: Controls, target: Target) -> bool:
    try:
        with _connected(controls, target) as redis:
            return bool(redis.config_get(_LIMIT)[_LIMIT] != _usual(controls, target))
    except RedisError:
        # It has no limit that it could be asked for.
        return False


def _usual(controls: Controls, target: Target) -> str:
    """Return the limit that a Redis is started with, 0 for none."""
    command = process_of(controls.record, target.name).command
    return command[command.index(_OPTION) + 1] if _OPTION in command else "0"


def _connected(controls: Controls, target: Target) -> Redis:
    server = Server.of(controls, target)
    return Redis(host=server.host, port=server.port, socket_timeout=_TIMEOUT, decode_responses=True)


KIND = Kind(
    name="maxmemory",
    about="A Redis may use no more memory than it does, and refuses to write.",
    targets=serving(REDIS),
    inject=_inject,
    heal=_heal,
    remains=_remains,
    services=(REDIS,),
    parameters=(Parameter("left_kib", "KiB that it may use all the same", 0, 0, 1 << 30),),
)
