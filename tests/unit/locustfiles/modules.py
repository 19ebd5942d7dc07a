"""Modules of the load generator that are plain arithmetic, for tests to call.

Its package imports Locust, which makes all of a process's input and output gevent's. So they are
imported here without their package.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from tests.integration.load.processes import LOCUSTFILES

PACKAGE = "taskqueue_load"


def load(name: str) -> Any:
    """Import a module of the package."""
    if PACKAGE not in sys.modules:
        package = ModuleType(PACKAGE)
        package.__path__ = [str(LOCUSTFILES / PACKAGE)]
        sys.modules[PACKAGE] = package
    return import_module(f"{PACKAGE}.{name}")
