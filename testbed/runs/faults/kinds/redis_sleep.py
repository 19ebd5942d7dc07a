"""A Redis does nothing else for a while, as in a slow command."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable

from common.process_spec import REDIS, REDIS_CACHE
from testbed.runs.faults.kind import Parameter, Parameters
from testbed.runs.faults.servers import agent
from testbed.runs.faults.servers.server import Server


async def act(server: Server, parameters: Parameters, begun: Callable[[], None]) -> None:
    """Have it sleep, and sleep again. Only who is local to it may say so."""
    sleep = ("DEBUG", "SLEEP", f"{parameters['sleep_s']:g}")
    command = server.beside(["redis-cli", "-p", str(server.port), *sleep])
    await _run(server.beside(["redis-cli", "-p", str(server.port), "DEBUG", "SLEEP", "0"]))
    begun()
    while True:
        await _run(command)
        await asyncio.sleep(parameters["every_s"])


async def _run(command: list[str]) -> None:
    asked = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await asked.communicate()
    # The client ends with 0 whatever it is answered.
    if said.strip() != b"OK":
        raise RuntimeError(f"{' '.join(command)}: {said.decode(errors='replace').strip()}")


KIND = agent.kind(
    "redis_sleep",
    "A Redis answers nobody for a moment (DEBUG SLEEP), again and again, as with slow commands.",
    (REDIS, REDIS_CACHE),
    parameters=(
        Parameter("sleep_s", "seconds for which it sleeps each time", 1, 0.001, 60),
        Parameter("every_s", "seconds from one sleep to the next", 1, 0, 60),
    ),
)
