"""Copies of a PostgreSQL, one of which is the primary, as Patroni says."""

from __future__ import annotations

from collections.abc import Sequence

from common.process_spec import DISK, POSTGRES, Image, ProcessSpec
from common.services import postgres
from common.services.scripts import literal, shell

IMAGE = "patroni:4"
_PACKAGES = {
    "patroni": "it is in Debian's package patroni",
    **dict.fromkeys(("postgres", "initdb", "psql"), "it is in Debian's package postgresql"),
}


def copies(
    name: str,
    ports: Sequence[int],
    rest_ports: Sequence[int],
    deciding: Sequence[str],
    databases: Sequence[str],
) -> list[ProcessSpec]:
    """Return as many copies as ports of a server that is called ``name``.

    Patroni serves its state at ``rest_ports``, and those ``deciding`` are the servers of an etcd.
    Whether an answer waits for a replica is ``{pg_replication}``, and for the disk, ``{pg_sync}``.
    """
    names = [f"{name}-{number}" for number in range(1, len(ports) + 1)]
    etcd = ",".join(f"{{{each}}}" for each in deciding)
    return [
        ProcessSpec(
            each,
            port=port,
            ports={"rest": rest},
            peers=(*names, *deciding),
            holds=DISK,
            command=(
                *shell(postgres.COMMON, "patroni.sh"),
                *("patroni", "{data}", "{name}"),
                *("{host}", "{port}", "{rest_port}", f"{{{each}}}", etcd, "{pg_sync}"),
                *("{pg_replication}", postgres.parameters(), literal("parent.py"), *databases),
            ),
            needs=_PACKAGES,
            ready=postgres.ready(),
            image=Image(IMAGE, data=postgres.DATA),
            service=POSTGRES,
            cluster=name,
        )
        for each, port, rest in zip(names, ports, rest_ports, strict=True)
    ]
