"""What a process runs with, as metrics, so that a comparison can ask both sides and compare.

``taskqueue_build_info`` has as labels what is no number: digests of the code that both designs
share and of the handlers, versions, the log level. ``taskqueue_setting`` has each number of the
settings under its name.
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
from common.config import Settings

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
            "log_level": settings.log_level,
        }
    )
    gauge = Gauge(
        "taskqueue_setting", "Numbers that this process runs with", ["name"], registry=registry
    )
    for each in dataclasses.fields(settings):
        value = getattr(settings, each.name)
        if isinstance(value, int | float):
            gauge.labels(name=each.name).set(value)


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
