"""A PostgreSQL with a database and a role for each of those who use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from common.process_spec import COMMAND, DISK, POSTGRES, Image, ProcessSpec, Ready
from common.services.scripts import shell

IMAGE = "postgres:17"
PARAMETERS: Mapping[str, str] = {
    # Four sessions of each process and one that listens, six nodes, and room for faults.
    "max_connections": "60",
    # Entries die within seconds, and dead ones are in the way of each claim.
    "autovacuum_naptime": "5s",
    # After a checkpoint each page is logged as a whole once, and that well compressed.
    "wal_compression": "lz4",
    # Large payloads, for less CPU than by default.
    "default_toast_compression": "lz4",
    # A statement of a process that was killed holds its locks no longer.
    "client_connection_check_interval": "1s",
    # Statements are short and read by index; compiling one takes longer than it does.
    "jit": "off",
}
"""Of every server, whoever starts it. No value has a space in it."""
# There a new volume belongs to the user as whom the server runs, whoever starts the command.
DATA = "/var/lib/postgresql"
COMMON = "postgres_common.sh"
"""The functions of all scripts that start one."""


def server(name: str, port: int, databases: Sequence[str]) -> ProcessSpec:
    """Return a PostgreSQL with these databases, none of which another's role may open.

    Whether a commit waits for the disk is ``{pg_sync}``.
    """
    return ProcessSpec(
        name,
        port=port,
        holds=DISK,
        command=(
            *shell(COMMON, "postgres.sh"),
            *("postgres", "{data}", "{host}", "{port}"),
            *("{pg_sync}", parameters(), *databases),
        ),
        needs=dict.fromkeys(("postgres", "initdb"), "it is in Debian's package postgresql"),
        ready=ready(),
        image=Image(IMAGE, data=DATA),
        # A fast stop: sessions are ended, not waited for.
        stop_signal="SIGINT",
        service=POSTGRES,
    )


def ready() -> Ready:
    """Return how to see that a PostgreSQL serves, a copy too that may not be written to."""
    # As one who may connect: it would say so in the log of anybody else.
    command = ("pg_isready", "-q", "-U", "postgres", "-h", "{host}", "-p", "{port}")
    return Ready(COMMAND, command=command)


def parameters() -> str:
    """Return :data:`PARAMETERS` as scripts take them."""
    return " ".join(f"{name}={value}" for name, value in PARAMETERS.items())
