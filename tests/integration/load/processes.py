"""Processes that the tests of the load generator start, and the records that they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from testbed.record.hlog import Intervals, read_intervals
from tests.support.paths import ROOT
from tests.support.ports import free_port

LOCUSTFILES = ROOT / "locustfiles"
STUB = Path(__file__).with_name("stub_server.py")
TIMEOUT = 60


@dataclass
class Stub:
    """A running stub server; ``stop`` returns what each of its ports has seen."""

    process: subprocess.Popen[str]
    ports: list[int]
    seen: list[dict[str, Any]] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The ports as Locust's ``-H`` wants them."""
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def stop(self) -> list[dict[str, Any]]:
        """End the server."""
        if not self.seen:
            output, _ = self.process.communicate("", timeout=TIMEOUT)
            self.seen = [json.loads(line) for line in output.splitlines()]
        return self.seen

    def calls(self) -> Counter[str]:
        """How often each method was called, on all ports; ends the server."""
        return sum((Counter(each["calls"]) for each in self.stop()), Counter())


@dataclass
class Finished:
    """A Locust process that has ended."""

    code: int
    output: str


@dataclass
class Locust:
    """A running Locust process, the leader of a group that holds its workers."""

    process: subprocess.Popen[str]
    log: IO[str]

    def output(self) -> str:
        """What it has printed so far."""
        return Path(self.log.name).read_text(encoding="utf-8")

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self) -> Finished:
        """Wait for the end."""
        code = self.process.wait(TIMEOUT)
        return Finished(code, self.output())


def free_master_port() -> dict[str, str]:
    """Return the environment of a master and its workers that meet on a port of their own."""
    port = str(free_port())
    return {"LOCUST_MASTER_BIND_PORT": port, "LOCUST_MASTER_NODE_PORT": port}


StartStub = Callable[..., Stub]
StartLocust = Callable[..., Locust]


@dataclass(frozen=True)
class Record:
    """A record as it was written: ``load.json``, ``calls.hlog`` and the accepted ids."""

    data: dict[str, Any]
    times: Intervals
    accepted: list[str]
    files: int

    def count(self, *names: str) -> int:
        """All calls of these names that ended, whichever way."""
        return sum(self.answered(name) + sum(self.error_kinds(name).values()) for name in names)

    def error_kinds(self, name: str) -> dict[str, int]:
        """How often calls of a name failed, by kind of error."""
        kinds: dict[str, int] = self.data["calls"].get(name, {"error_kinds": {}})["error_kinds"]
        return kinds

    def answered(self, name: str, kind: str = "service") -> int:
        """The values in all histograms of a name."""
        return sum(each.total for each in self.times.get(name, {}).get(kind, {}).values())

    def values_us(self, name: str, kind: str) -> list[int]:
        """The values themselves, in microseconds."""
        seconds = self.times[name][kind].values()
        return [value for each in seconds for value in each.values_us().tolist()]

    def total(self, column: str) -> float:
        """A column of the seconds, added up."""
        return float(sum(each[column] for each in self.data["seconds"]))


def read_record(folder: Path) -> Record:
    """Read the record in a directory."""
    files = sorted(folder.glob("accepted-*.txt"))
    accepted = [line for each in files for line in each.read_text().splitlines()]
    data = json.loads((folder / "load.json").read_text())
    return Record(data, read_intervals(folder / "calls.hlog"), accepted, len(files))
