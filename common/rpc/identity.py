"""What a process runs with, as metrics, so that a comparison can ask all sides and compare.

``taskqueue_build_info`` has as labels the digests of the code that the designs share and of the
handlers, and versions. ``taskqueue_setting`` has each number of the settings under its name,
``taskqueue_fact_info`` each text of them, and what the process guarantees for a job.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pkgutil
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, Info

import common
import common.handlers
from common import guarantees
from common.config import POSTGRES, REDIS, Settings

# Texts of the settings that each process of a stack has for itself.
PER_PROCESS = frozenset({"name", "listen", "metrics", "secret_file", "membership"})
# Texts that mean something with one store alone.
_OF_STORE = {
    **dict.fromkeys(("redis_fsync", "redis_ha"), REDIS),
    **dict.fromkeys(("pg_sync", "postgres_ha", "pg_replication"), POSTGRES),
}
_DIGITS = 16


def expose(settings: Settings, registry: CollectorRegistry) -> None:
    """Add what this process runs with to its metrics."""
    info = Info("taskqueue_build", "Code, handlers and versions of this process", registry=registry)
    info.info(
        {
            "code": digest_of(str(common.__path__[0])),
            "handlers": digest_of(str(common.handlers.__path__[0])),
            "kinds": ",".join(kinds()),
            "python": platform.python_version(),
            "grpcio": metadata.version("grpcio"),
        }
    )
    gauge = Gauge(
        "taskqueue_setting", "Numbers that this process runs with", ["name"], registry=registry
    )
    for each in dataclasses.fields(settings):
        value = getattr(settings, each.name)
        if isinstance(value, int | float):
            gauge.labels(name=each.name).set(value)
    info = Info("taskqueue_fact", "Texts that this process runs with", ["name"], registry=registry)
    for name, text in texts(settings).items():
        info.labels(name=name).info({"value": text})


def texts(settings: Settings) -> dict[str, str]:
    """Return what this process says of itself that is no number: any text that is a setting too."""
    own = {each.name: getattr(settings, each.name) for each in dataclasses.fields(settings)}
    return {
        **{
            name: value
            for name, value in own.items()
            if isinstance(value, str)
            and name not in PER_PROCESS
            and _OF_STORE.get(name, settings.store) == settings.store
        },
        **guarantees.of(settings),
    }


def kinds() -> list[str]:
    """Name the modules of the kinds of job.

    They are not imported: not every process runs jobs, and none should grow by being asked.
    """
    names = (module.name for module in pkgutil.iter_modules(common.handlers.__path__))
    return sorted(name for name in names if not name.startswith("_") and name != "registry")


@cache
def digest_of(folder: str) -> str:
    """Return a digest of all Python sources below a folder: their places and their contents."""
    digest = hashlib.sha256()
    root = Path(folder)
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:_DIGITS]
