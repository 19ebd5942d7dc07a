"""Makes the secret by which the processes of a stack know each other.

``python -m testbed.stack.runtimes.secret`` makes one for ``docker compose`` called by hand: below
``compose/``, where Compose finds it by the file ``.env``. One that is there stays.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from common.config import SECRET_VARIABLE
from testbed import CHECKOUT

_BYTES = 16
_COMPOSE = CHECKOUT / "compose"


def make(path: Path) -> None:
    """Write a new secret to ``path``, whose folder is for its owner alone.

    The file itself anybody may read: containers get the file without its folder, and run as a user
    of their own.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    path.write_text(f"{secrets.token_hex(_BYTES)}\n", encoding="ascii")
    path.chmod(0o644)


def for_compose(folder: Path = _COMPOSE) -> Path:
    """Make a secret for Compose files in ``folder``, unless there is one; return its path."""
    path = folder / "private" / "secret"
    if not path.exists():
        make(path)
    environment = folder / ".env"
    line = f"{SECRET_VARIABLE}=./{path.relative_to(folder)}\n"
    text = environment.read_text(encoding="utf-8") if environment.exists() else ""
    if SECRET_VARIABLE not in text:
        environment.write_text(text + line, encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.stdout.write(f"the secret is in {for_compose()}\n")
