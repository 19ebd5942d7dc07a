"""Whether a commit of PostgreSQL waits for a replica."""

from __future__ import annotations

from common.config import ASYNC, PATRONI, REPLICATIONS
from common.options.option import Option, setting
from common.options.values import Choice

OPTION = Option(
    name="pg_replication",
    about="whether a commit of PostgreSQL waits for a replica (synchronous_mode of Patroni, "
    "strict), with postgres_ha=patroni",
    values=Choice(REPLICATIONS),
    default=ASYNC,
    apply=setting("pg_replication"),
    buys="sync: no acknowledged job is lost when the primary dies or is cut off",
    costs="sync: each commit waits for a replica too, and without any replica there is none",
    facts=("pg_replication", "durability"),
    goes_with={"postgres_ha": PATRONI},
)
