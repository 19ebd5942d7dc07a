"""Measures each layer and prints the tables: some minutes on one core."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Iterator

import uvloop

from studies.percall import instructions
from studies.percall.layers import LAYERS, Call, Layer
from studies.tables import progress, table

IN_FLIGHT = 16
WARM_UP = 500


async def run(call: Call, calls: int) -> None:
    """Make so many calls, as many at a time as :data:`IN_FLIGHT`."""

    async def some(count: int) -> None:
        for _ in range(count):
            await call()

    await asyncio.gather(*(some(calls // IN_FLIGHT) for _ in range(IN_FLIGHT)))


async def cpu(layer: Layer, calls: int) -> float:
    """Return the CPU microseconds of one call, all threads of this process together."""
    async with layer() as call:
        await run(call, WARM_UP)
        began = time.process_time()
        await run(call, calls)
        return (time.process_time() - began) / (calls // IN_FLIGHT * IN_FLIGHT) * 1e6


def rows(figures: dict[str, list[float]], unit: str) -> Iterator[list[str]]:
    """Give a row for each layer: median and spread, and what it adds to the layer before."""
    before = 0.0
    for name, values in figures.items():
        median = statistics.median(values)
        spread = f"{min(values):{unit}} to {max(values):{unit}}" if len(values) > 1 else ""
        yield [name, f"{median:{unit}}", spread, f"{median - before:{unit}}"]
        before = median


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m studies.percall", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {'; '.join(LAYERS)}")
    parser.add_argument("--calls", type=int, default=20_000, help="calls of a repeat")
    parser.add_argument("--repeats", type=int, default=5, help="repeats, layers interleaved")
    parser.add_argument(
        "--instructions", action="store_true", help="count instructions instead; needs valgrind"
    )
    parser.add_argument("--only", metavar="LAYER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for group in arguments.groups or LAYERS:
        if group not in LAYERS:
            parser.error(f"no group {group}: there are {', '.join(LAYERS)}")
    for group in arguments.groups or LAYERS:
        layers = LAYERS[group]
        if arguments.only:
            uvloop.run(_quiet(layers[arguments.only], arguments.calls))
            continue
        figures: dict[str, list[float]] = {name: [] for name in layers}
        if arguments.instructions:
            for name in layers:
                progress(f"{group}: {name}")
                figures[name].append(instructions.of(group, name))
        for repeat in range(0 if arguments.instructions else arguments.repeats):
            for name, layer in layers.items():
                progress(f"{group}, repeat {repeat + 1}: {name}")
                figures[name].append(uvloop.run(cpu(layer, arguments.calls)))
        head = [group, "instructions" if arguments.instructions else "CPU µs", "spread", "adds"]
        unit = ",.0f" if arguments.instructions else ".1f"
        sys.stdout.write(f"{table(head, rows(figures, unit))}\n")
        sys.stdout.flush()


async def _quiet(layer: Layer, calls: int) -> None:
    async with layer() as call:
        await run(call, calls)


if __name__ == "__main__":
    main()
