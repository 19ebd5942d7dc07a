"""Whether a commit of PostgreSQL waits for a replica."""

from __future__ import annotations

from dataclasses import replace

from common.config import ASYNC, PATRONI, REPLICATIONS
from common.options.option import Option, Started
from common.options.values import Choice
from common.stack_spec import StackSpec
from common.topology import Topology


def _apply(topology: Topology, spec: StackSpec, value: str) -> Started:
    return topology, replace(spec, settings={**spec.settings, "pg_replication": value})


OPTION = Option(
    name="pg_replication",
    about="whether a commit of PostgreSQL waits for a replica (synchronous_mode of Patroni, "
    "strict), with postgres_ha=patroni",
    values=Choice(REPLICATIONS),
    default=ASYNC,
    apply=_apply,
    buys="sync: no acknowledged job is lost when the primary dies or is cut off",
    costs="sync: each commit waits for a replica too, and without any replica there is none",
    facts=("pg_replication", "durability"),
    goes_with={"postgres_ha": PATRONI},
)
