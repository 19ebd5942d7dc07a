"""Every setting that is the same for all processes of a stack is an option by itself."""

from __future__ import annotations

import dataclasses
from typing import Any

from common.config import BYTES, COUNT, LEVEL, LOG_LEVELS, QUEUE_LIMITS, SECONDS, optional
from common.options.option import Option, OptionError, Started
from common.options.values import Choice, Number, Values
from common.stack_spec import StackSpec
from common.topology import Topology

_MOST = {COUNT: 10_000_000, BYTES: 1 << 40}


def _option(each: dataclasses.Field[Any]) -> Option:
    def apply(topology: Topology, spec: StackSpec, value: str) -> Started:
        own = _share(topology, value) if each.name in QUEUE_LIMITS else value
        return topology, dataclasses.replace(spec, settings={**spec.settings, each.name: own})

    words = each.metadata
    return Option(
        name=each.name,
        about=words["about"],
        values=_values(each),
        default=f"{each.default:g}" if isinstance(each.default, float) else str(each.default),
        apply=apply,
        buys=words["buys"],
        costs=words["costs"],
        facts=(each.name,),
    )


def _share(topology: Topology, value: str) -> str:
    """Return the part of a total that each process gets that holds a queue."""
    holders = max(1, sum(each.home is not None for each in topology.processes))
    share, rest = divmod(int(value), holders)
    if rest or not share:
        raise OptionError(
            f"design {topology.design} has {holders} queues, which cannot share out {value} evenly"
        )
    return str(share)


def _values(each: dataclasses.Field[Any]) -> Values:
    unit = each.metadata["unit"]
    if unit == LEVEL:
        return Choice(LOG_LEVELS)
    if unit == SECONDS:
        return Number(0, each.metadata["most"], SECONDS, above=not each.metadata["zero"])
    return Number(1, _MOST[unit], unit, whole=True)


OPTIONS = tuple(_option(each) for each in optional())
