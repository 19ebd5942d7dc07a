"""A PostgreSQL with a database and a role for each of those who use it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from common.process_spec import COMMAND, DISK, POSTGRES, Image, ProcessSpec, Ready

IMAGE = "postgres:17"
# There a new volume belongs to the user as whom the server runs, whoever starts the command.
_DATA = "/var/lib/postgresql"
_SCRIPT = Path(__file__).with_suffix(".sh")


def server(name: str, port: int, databases: Sequence[str]) -> ProcessSpec:
    """Return a PostgreSQL with these databases, none of which another's role may open.

    Whether a commit waits for the disk is ``{pg_sync}``.
    """
    # Braces are those of the shell here, and no placeholders.
    script = _SCRIPT.read_text(encoding="utf-8").replace("{", "{{").replace("}", "}}")
    return ProcessSpec(
        name,
        port=port,
        holds=DISK,
        command=(
            *("sh", "-euc", script, "postgres", "{data}", "{host}", "{port}", "{pg_sync}"),
            *databases,
        ),
        needs=dict.fromkeys(("postgres", "initdb"), "it is in Debian's package postgresql"),
        ready=Ready(
            COMMAND,
            # As one who may connect: it would say so in the log of anybody else.
            command=("pg_isready", "-q", "-U", "postgres", "-h", "{host}", "-p", "{port}"),
        ),
        image=Image(IMAGE, data=_DATA),
        # A fast stop: sessions are ended, not waited for.
        stop_signal="SIGINT",
        service=POSTGRES,
    )
