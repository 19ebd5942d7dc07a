"""Going on with an experiment that was interrupted: what is kept, and when it is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from testbed.drive.figures.trial import TrialFigures, analyse
from testbed.drive.figures.validity import Limits
from testbed.errors import TestbedError
from testbed.record import files, reader
from testbed.record.damage import RecordingError
from testbed.record.formats import FORMAT
from testbed.runs.compare.plan import Plan

# What a trial runs. A change of anything else, reports for example, leaves its figures as they are.
CODE = (
    "common",
    "design_a",
    "design_b",
    "locustfiles",
    "testbed/drive",
    "testbed/stack/manifests",
    "testbed/stack/runtimes",
)


class ResumeError(TestbedError):
    """An experiment cannot be resumed; the message says what differs."""


def code_digest(home: Path) -> str:
    """Return a digest of all Python sources that a trial runs."""
    digest = hashlib.sha256()
    for folder in CODE:
        for path in sorted((home / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(home).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def read(folder: Path) -> dict[str, Any]:
    """Read ``experiment.json`` of an earlier run.

    Raises :class:`ResumeError` if there is none, or one of an earlier format, and
    :class:`RecordingError` if it is damaged.
    """
    if not (folder / files.EXPERIMENT).is_file():
        raise ResumeError(
            f"{folder} holds no experiment: {files.EXPERIMENT} is missing",
            "name the folder that the run reported to write to, results/<name>/<UTC>",
        )
    head = reader.read_head(folder)
    if head.get("format") != FORMAT:
        raise ResumeError(
            f"{folder} was recorded by an earlier version, whose blocks ran each side once",
            "testbed report reads it as it is; begin anew to go on",
        )
    return {**head}


def differences(
    recorded: Mapping[str, Any], plan: Plan, provenance: Mapping[str, Any]
) -> Iterator[str]:
    """Name everything in which a recorded run and this one differ.

    That is plan, code, lock, machine, the commits of revisions, for a branch may have moved, and
    what is declared of servers that are there already.
    """
    earlier_plan = {key: each for key, each in recorded["plan"].items() if key != "titles"}
    yield from _differ("", earlier_plan, plan.as_data())
    earlier = recorded.get("provenance", {})
    then, now = earlier.get("revisions", {}), provenance.get("revisions", {})
    for side in dict.fromkeys([*then, *now]):
        pair = [each.get(side, {}).get("commit") for each in (then, now)]
        if pair[0] != pair[1]:
            yield f"revision of {side}: {pair[0]} then, {pair[1]} now"
    then, now = earlier.get("declarations", {}), provenance.get("declarations", {})
    for side in dict.fromkeys([*then, *now]):
        if then.get(side) != now.get(side):
            yield f"declaration of {side}: {_listed(then, side)} then, {_listed(now, side)} now"
    for key, title in (
        ("code", "code that trials run"),
        ("lock_sha256", "requirements.lock"),
        ("python", "Python"),
        ("machine.cpu", "CPU"),
        ("machine.cores", "cores"),
        ("environment", "variables that are passed on"),
    ):
        before, now = _dig(earlier, key), _dig(provenance, key)
        if before != now:
            yield f"{title}: {before} then, {now} now"


def _differ(path: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from _differ(f"{path}.{key}" if path else key, before.get(key), now.get(key))
    elif before != now:
        yield f"plan {path}: {before} then, {now} now"


def _listed(declarations: Mapping[str, Any], side: str) -> str:
    facts = declarations.get(side) or {}
    return ", ".join(f"{name} {text}" for name, text in facts.items()) or "nothing"


def _dig(values: Mapping[str, Any], key: str) -> Any:
    value: Any = values
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def recorded_trials(folder: Path, limits: Limits) -> Iterator[TrialFigures]:
    """Give the figures of all trials in a folder, in order.

    Raises :class:`RecordingError` for one that cannot be read: no report could be made of what is
    run beside it.
    """
    for path in reader.trial_folders(folder):
        try:
            yield analyse(reader.read_trial(path), limits)
        except RecordingError as error:
            raise RecordingError(
                str(error), f"remove {path} to have that trial run again"
            ) from error
