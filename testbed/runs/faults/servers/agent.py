"""An agent: a process of its own that holds a fault of a server until it is ended.

A transaction that stays open needs a connection that does, also when the command that injected the
fault has ended. So each such fault has an agent, ``python -m testbed.runs.faults.servers.agent``,
which is found by its command line, by whoever heals, and by ``testbed down`` like any process of
the stack. With its end its connections end, and with them all that it did.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict

import psutil

from testbed.errors import TestbedError
from testbed.runs.faults.kind import Kind, Parameter, Parameters, Target, usual_seconds
from testbed.runs.faults.servers.server import Server
from testbed.runs.faults.targets import serving
from testbed.stack import environment
from testbed.stack import records as stacks
from testbed.stack.records import StackRecord
from testbed.stack.runtimes.controls import Controls
from testbed.stack.runtimes.local import processes
from testbed.stack.runtimes.logs import log_tail

KINDS = "testbed.runs.faults.kinds"
# An agent writes this to its log once the fault is there.
BEGUN = "begun"
_WITHIN = 20.0
_TICK = 0.05
_GRACE = 3.0

# What an agent does until it is canceled: to which server, with which parameters; it calls the last
# one once the fault is there.
Act = Callable[[Server, Parameters, Callable[[], None]], Awaitable[None]]


def kind(
    name: str,
    about: str,
    services: tuple[str, ...],
    parameters: tuple[Parameter, ...] = (),
    seconds: Callable[[StackRecord], float] = usual_seconds,
) -> Kind:
    """Return a kind whose module has, as ``act``, what its agent does (:data:`Act`)."""
    return Kind(
        name=name,
        about=about,
        targets=serving(*services),
        inject=lambda controls, target, given: start(name, controls, target, given),
        heal=lambda controls, target: end(name, controls, target),
        remains=lambda controls, target: bool(found(name, controls, target)),
        parameters=parameters,
        services=services,
        seconds=seconds,
    )


def start(name: str, controls: Controls, target: Target, parameters: Parameters) -> None:
    """Start the agent of a fault; return once the fault is there.

    Raises :class:`TestbedError`, with what the agent says, if it is not in time.
    """
    design = controls.record.design
    server = Server.of(controls, target)
    log = stacks.log_file(design, f"fault-{name}-{target.name}")
    given = json.dumps({"server": asdict(server), "parameters": dict(parameters)})
    command = [sys.executable, "-m", __name__, name, _mark(design, target), given]
    variables = environment.of_engine(environment.with_programs(os.environ))
    pid = processes.launch(design, command, variables, log)
    until = time.monotonic() + _WITHIN
    while BEGUN not in log.read_text(encoding="utf-8", errors="replace").splitlines():
        exited = processes.exit_text(pid)
        if exited or time.monotonic() > until:
            end(name, controls, target)
            raise TestbedError(
                f"{name} of {target.name} did not begin ({exited or 'no answer'}). The end of "
                f"{log}:\n{log_tail(str(log))}"
            )
        time.sleep(_TICK)


def end(name: str, controls: Controls, target: Target) -> None:
    """End the agents of a fault, whoever has started them."""
    processes.end(found(name, controls, target), _GRACE)


def found(name: str, controls: Controls, target: Target) -> list[psutil.Process]:
    """Return the agents of a fault that run."""
    wanted = [__name__, name, _mark(controls.record.design, target)]
    agents = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if each.cmdline()[2:5] == wanted and each.status() != psutil.STATUS_ZOMBIE:
                agents.append(each)
    return agents


def _mark(design: str, target: Target) -> str:
    """Return what no agent of another stack on this machine has in its command line."""
    return f"{stacks.marker(design)}:{target.name}"


async def _run(name: str, server: Server, parameters: Parameters) -> None:
    act: Act = importlib.import_module(f"{KINDS}.{name}").act
    doing = asyncio.ensure_future(act(server, parameters, _begun))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, doing.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await doing


def _begun() -> None:
    sys.stdout.write(f"{BEGUN}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """Be an agent, as :func:`start` says."""
    name, _, given = arguments
    asked = json.loads(given)
    asyncio.run(_run(name, Server(**asked["server"]), asked["parameters"]))


if __name__ == "__main__":
    main(sys.argv[1:])
