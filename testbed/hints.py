"""Commands and paths in what is printed, so that they work from where the user is."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path


def command(program: str, *arguments: str | Path) -> str:
    """Return a command line for a shell; ``program`` is one of this environment."""
    return shlex.join((_program(program), *map(str, arguments)))


def path(where: Path) -> str:
    """Return a path for a shell: relative if it lies below the working directory."""
    here = Path.cwd()
    shown = where.relative_to(here) if where.is_relative_to(here) else where
    return shlex.quote(str(shown))


def _program(name: str) -> str:
    """Return how the user can call a program: by name, or where it lies beside this interpreter."""
    beside = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    return name if found and Path(found) == beside else os.path.relpath(beside)
