"""Counts over all runs and prints the tables: some minutes on one core."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from studies.noise.counts import RULES, equal_sides, seen
from studies.noise.recorded import CONDITIONS, Recorded, read
from studies.noise.windows import IN_BLOCK, Window, windows
from studies.tables import percent, progress, table

BLOCKS = (3, 5, 8, 10, 18)
QUICK = 5
# Of the metrics that a report begins with; each with the difference that is to be seen.
EFFECTS = {
    "cpu_ms_per_job": 0.10,
    "requests_per_second": 0.05,
    "SubmitJob_p50_ms": 0.15,
    "GetJobStatus_p50_ms": 0.15,
    "GetJobResult_p50_ms": 0.15,
    "completion_p50_ms": 0.15,
    "queue_wait_p50_ms": 0.15,
    "SubmitJob_p95_ms": 0.15,
    "completion_p95_ms": 0.15,
}


def noise(recorded: Recorded) -> Iterator[list[str]]:
    """Give a row for each metric: how far trials and neighbours are apart, in percent."""
    logs = np.log(recorded.values)
    near = np.diff(logs, axis=0).std(axis=0) / np.sqrt(2)
    for metric, all_of_them, neighbours in zip(
        recorded.metrics, logs.std(axis=0), near, strict=True
    ):
        if metric.name in EFFECTS:
            yield [metric.label, percent(all_of_them), percent(neighbours)]


def false(recorded: Recorded, orders: int) -> Iterator[list[str]]:
    """Give a row for each number of blocks: runs with a false difference, and coverage."""
    for blocks in BLOCKS:
        progress(f"equal sides, {blocks} blocks")
        found = equal_sides(windows(recorded, blocks, orders))
        worst = ", ".join(f"{name} {count}" for name, count in _most(found.metrics))
        yield [
            *(str(blocks), str(found.runs), str(len(recorded.values) // (IN_BLOCK * blocks))),
            *(percent(found.named), percent(found.held)),
            *(f"{percent(found.least)} to {percent(found.most)}", worst or "none"),
        ]


def _most(names: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(names.items(), key=lambda each: -each[1])[:3]


def rules(recorded: Recorded, orders: int) -> Iterator[list[str]]:
    """Give a row for each rule of a verdict, at the blocks of the plan quick."""
    runs = list(windows(recorded, QUICK, min(orders, 4)))
    for name, rule in RULES.items():
        progress(f"rule: {name}")
        named = np.mean([any(rule(run)) for run in runs])
        index = recorded.place("cpu_ms_per_job")
        found = [rule(_slower(run, index, effect))[index] for effect in (0.1, 0.2) for run in runs]
        shares = np.array(found).reshape(2, -1).mean(axis=1)
        yield [name, percent(float(named)), *(percent(float(share)) for share in shares)]


def _slower(run: Window, index: int, effect: float) -> Window:
    second = run.second.copy()
    second[:, :, index] *= 1 + effect
    return replace(run, second=second)


def power(recorded: Recorded, orders: int) -> Iterator[list[str]]:
    """Give a row for each metric: in how many runs its difference is named, by their blocks."""
    runs = {blocks: list(windows(recorded, blocks, orders)) for blocks in BLOCKS}
    for name, effect in EFFECTS.items():
        progress(f"difference in {name}")
        index = recorded.place(name)
        shares = [percent(seen(runs[blocks], index, effect)) for blocks in BLOCKS]
        yield [recorded.metrics[index].label, f"{effect:.0%}", *shares]


def main() -> None:
    """Count for the conditions that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m studies.noise", description=__doc__)
    parser.add_argument("conditions", nargs="*", metavar="CONDITION", default=CONDITIONS)
    parser.add_argument("--orders", type=int, default=16, help="orders of each run")
    arguments = parser.parse_args()
    for condition in arguments.conditions:
        if condition not in CONDITIONS:
            parser.error(f"no condition {condition}: there are {', '.join(CONDITIONS)}")
        _print(condition, read(condition), arguments.orders)


def _print(condition: str, recorded: Recorded, orders: int) -> None:
    count = len(recorded.values)
    sys.stdout.write(f"### {condition}: {count} trials, {len(recorded.metrics)} metrics\n\n")
    head = ["metric", "all trials, %", "neighbours, %"]
    sys.stdout.write(f"{table(head, noise(recorded))}\n")
    head = ["blocks", "runs", "of them disjoint", "name any, %", "intervals that hold 1, %"]
    head += ["by metric", "named most"]
    sys.stdout.write(f"{table(head, false(recorded, orders))}\n")
    head = ["verdict, 5 blocks", "false, %", "10 % CPU seen, %", "20 % CPU seen, %"]
    sys.stdout.write(f"{table(head, rules(recorded, orders))}\n")
    head = ["metric", "difference", *(f"{blocks} blocks" for blocks in BLOCKS)]
    sys.stdout.write(f"{table(head, power(recorded, 2))}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
