"""What plan and provenance of a recorded experiment consist of, as far as they are read again.

What is not declared here is kept as it is; it is only listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict


class RecordedTraffic(TypedDict, total=False):
    """The load of a plan. What is a factor of the plan is not in it."""

    rate: float | None
    users: int | None
    mix: str
    kind: str
    client: str


class _Sided(TypedDict):
    sides: list[str]


class RecordedPlan(_Sided, total=False):
    """A plan, in the keys and tables of a plan file; ``titles`` say what each design is.

    ``pairs`` are those of a plan of format 2 that compared several; its ``sides`` are the first.
    """

    name: str
    about: str
    faults: str
    pairs: list[list[str]]
    blocks: int
    warmup: float
    duration: float
    seed: int
    slots: int
    traffic: RecordedTraffic
    factors: Mapping[str, list[Any]]
    limits: Mapping[str, float]
    thresholds: list[Mapping[str, Any]]
    titles: Mapping[str, str]


class Machine(TypedDict, total=False):
    """A machine; what cannot be found out is ``None``."""

    cpu: str | None
    cores: int | None
    memory_bytes: int | None
    system: str
    kernel: str
    load_average: list[float]


class Git(TypedDict, total=False):
    """A commit, and whether anything differs from it; ``None`` without git."""

    commit: str | None
    dirty: bool | None


class Provenance(TypedDict, total=False):
    """Where an experiment comes from."""

    command: str
    git: Git
    lock_sha256: str | None
    python: str
    packages: Mapping[str, str | None]
    machine: Machine
