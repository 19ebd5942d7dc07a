"""Over how many worker processes the slots are shared out."""

from __future__ import annotations

from dataclasses import replace

from common.options.option import Option, OptionError, Started
from common.options.values import Number
from common.stack_spec import StackSpec
from common.topology import MOST_COPIES, Topology


def _apply(topology: Topology, spec: StackSpec, value: str) -> Started:
    if int(value) > 1 and not topology.is_scalable:
        raise OptionError(
            f"design {topology.design} has no workers to scale: each of its processes runs its own "
            "jobs"
        )
    return topology, replace(spec, workers=int(value))


OPTION = Option(
    name="workers",
    about="how many worker processes share out the slots, in a design that has workers",
    values=Number(1, MOST_COPIES, "processes", whole=True),
    default="1",
    apply=_apply,
    buys="more: jobs that compute use more than one core, and one that dies takes fewer jobs along",
    costs="more: memory and heartbeats for each",
    facts=("fetchers",),
)
