"""Provenance in words: when, by which code, on which machine, and any nested settings as rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from testbed.report.numbers import NOTHING
from testbed.report.page import Table

# The load average of each core from which on a machine is called busy.
BUSY_LOAD = 0.5


def when(iso: str) -> str:
    """Write an ISO time as a date and time in UTC."""
    if not iso:
        return "not begun"
    moment = datetime.fromisoformat(iso).astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Give every leaf of nested data with the path to it: ``traffic.users``, ``20``."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}".removeprefix("."))
    elif isinstance(value, list | tuple):
        if any(isinstance(each, Mapping) for each in value):
            for index, inner in enumerate(value, start=1):
                yield from flat(inner, f"{name} {index}")
        else:
            yield name, ", ".join(map(written, value)) or NOTHING
    else:
        yield name, written(value)


def written(value: object) -> str:
    """Write a setting."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.6g}"
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def origin(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List where a run comes from, in words."""
    known = {"git", "machine", "lock_sha256", "packages", "command", "python"}
    known |= {"revisions", "declarations"}
    git, machine = provenance.get("git", {}), provenance.get("machine", {})
    rows = [
        ("commit", str(git.get("commit") or "unknown")),
        *((side, _revision(each)) for side, each in provenance.get("revisions", {}).items()),
        *((side, _declared(each)) for side, each in provenance.get("declarations", {}).items()),
        ("uncommitted changes", {True: "yes", False: "no"}.get(git.get("dirty"), "unknown")),
        ("lock file, SHA-256", str(provenance.get("lock_sha256") or "none")),
        ("machine", machine_words(machine)),
        ("system", f"{machine.get('system', '')} {machine.get('kernel', '')}".strip() or NOTHING),
        ("load average before", written_list(machine.get("load_average"))),
        ("Python", str(provenance.get("python", NOTHING))),
    ]
    rows += [(name, str(version)) for name, version in provenance.get("packages", {}).items()]
    rest = {name: value for name, value in provenance.items() if name not in known}
    return rows + list(flat(rest))


def _revision(found: Mapping[str, Any]) -> str:
    """Say which commit the code of a side is of, and whose packages it had."""
    return (
        f"{found.get('commit')} {found.get('subject')}; lock file {found.get('lock_sha256')}, "
        f"Python environment: {found.get('python')}"
    )


def _declared(facts: Mapping[str, Any]) -> str:
    """Say what a file declares of a server that is there already."""
    return f"declares {', '.join(f'{name} {text}' for name, text in facts.items()) or 'nothing'}"


def machine_words(machine: Mapping[str, Any]) -> str:
    """Describe a machine in a few words."""
    if not machine:
        return "unknown"
    memory = machine.get("memory_bytes")
    size = f", {memory / 2**30:.1f} GiB" if memory else ""
    return f"{machine.get('cpu', 'unknown CPU')}, {machine.get('cores', '?')} cores{size}"


def written_list(values: object) -> str:
    """Write a list of numbers with commas."""
    return ", ".join(map(written, values)) if isinstance(values, list | tuple) else NOTHING


def two_columns(rows: Sequence[tuple[str, str]]) -> Table:
    """Make a table of names and values."""
    return Table(("", ""), rows)


def busy_note(machine: Mapping[str, Any]) -> str:
    """Say so if the machine had other work when the run began; else nothing."""
    load, cores = machine["load_average"][0], machine["cores"]
    if load <= BUSY_LOAD * cores:
        return ""
    return (
        f"note  the machine is busy already (load average {load} on {cores} cores): expect a "
        "larger spread between blocks"
    )
