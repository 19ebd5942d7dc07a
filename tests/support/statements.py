"""What processes say of themselves, by way of the pages of metrics that they would serve."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from common.cgroup import Accounting
from common.config import Settings
from common.rpc import accounting, identity
from testbed.drive.statements import Identity, Statement, parse, state

MIB = 1 << 20


@dataclass(frozen=True)
class Stored(Settings):
    """Settings with a text more, as an option may bring one."""

    store: str = "memory"


def page_of(
    settings: Settings | None = None, queue: bool = False, account: Accounting | None = None
) -> str:
    """The page of a process with these settings, a queue or none, and this control group."""
    registry = CollectorRegistry()
    identity.expose(settings or settings_of(), registry)
    accounting.expose(registry, lambda: account)
    if queue:
        Gauge("taskqueue_queue_depth", "x", registry=registry)
    return generate_latest(registry).decode()


def settings_of(**settings: object) -> Settings:
    given = {"name": "x", "listen": "h:1", "metrics": "h:2", **settings}
    kind = Stored if "store" in given else Settings
    return kind(**given)  # type: ignore[arg-type]


def identity_of(queue: bool = False, **settings: object) -> Identity:
    """What a process with these settings says."""
    return parse(page_of(settings_of(**settings), queue))


def stack(design: str, workers: int, slots: int, **settings: object) -> dict[str, Identity]:
    """The processes of a stack, each of which holds a queue and runs jobs."""
    return {
        f"{design}-{number}": identity_of(True, slots=slots, fetchers=1, **settings)
        for number in range(workers)
    }


def stated(design: str, **settings: object) -> Statement:
    """The statement of a stack of two processes with these settings."""
    return state(design, stack(design, 2, 6, **settings))


def within(processes: int, cpus: float | None, memory: int | None) -> dict[str, Identity]:
    """The processes of a side, which all have these limits."""
    account = Accounting(cpu_limit_cores=cpus, memory_limit_bytes=memory)
    return {f"p{number}": parse(page_of(account=account)) for number in range(processes)}
