"""Prints what a call costs with each client, at several numbers of users: some two minutes.

The clients take turns (A B B A) against one bare echo server of ``testbed bench``, so that what
disturbs this machine disturbs both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from studies.tables import progress, table

CLIENTS = ("grpcio", "grpc-gevent")
USERS = (1, 16, 64)
Costs = dict[tuple[str, int], list[float]]


@contextmanager
def echo() -> Iterator[str]:
    """Run the server for the length of the block."""
    command = (sys.executable, "-m", "testbed.runs.bench.echo")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def measure(client: str, endpoint: str, seconds: float) -> Iterator[tuple[int, float, float]]:
    """Give users, microseconds of CPU for a call, and calls per second."""
    command = (sys.executable, "-m", "studies.transports.caller", client, endpoint, str(seconds))
    printed = subprocess.check_output((*command, *map(str, USERS)), text=True)
    for line in printed.splitlines():
        users, calls, cpu, took = json.loads(line)
        yield users, 1e6 * cpu / calls, calls / took


def rows(costs: Costs, rates: Costs) -> Iterator[list[str]]:
    """Give a row for each number of users; ranges are of the rounds."""
    for users in USERS:
        theirs, ours = (costs[client, users] for client in CLIENTS)
        ratios = [b / a for a, b in zip(theirs, ours, strict=True)]
        shown = [_spread(each, "{:.0f}") for each in (theirs, ours)]
        speed = [f"{median(rates[client, users]):.0f}" for client in CLIENTS]
        yield [str(users), *shown, _spread(ratios, "{:.2f}"), *speed]


def _spread(values: list[float], form: str) -> str:
    middle, low, high = (form.format(each) for each in (median(values), min(values), max(values)))
    return f"{middle} ({low}–{high})"


def main() -> None:
    """Measure round by round and print a table."""
    parser = argparse.ArgumentParser(prog="python -m studies.transports", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each number of users")
    given = parser.parse_args()
    costs: Costs = defaultdict(list)
    rates: Costs = defaultdict(list)
    with echo() as endpoint:
        for number in range(given.rounds):
            for client in CLIENTS if number % 2 == 0 else CLIENTS[::-1]:
                progress(f"round {number + 1} of {given.rounds}: {client}")
                for users, cost, rate in measure(client, endpoint, given.seconds):
                    costs[client, users].append(cost)
                    rates[client, users].append(rate)
    head = ["users", *(f"{client}, µs CPU a call" for client in CLIENTS), "ratio"]
    head += [f"{client}, calls/s" for client in CLIENTS]
    sys.stdout.write(table(head, rows(costs, rates)))


if __name__ == "__main__":
    main()
