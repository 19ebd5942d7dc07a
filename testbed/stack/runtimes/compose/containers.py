"""The containers of a stack: found by their labels, stopped, removed, read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from docker.errors import APIError, NotFound
from docker.models.containers import Container

from testbed.stack import records as stacks
from testbed.stack.manifests.compose import DESIGN_LABEL, PROCESS_LABEL, STACK_LABEL
from testbed.stack.runtimes.compose import engine

RUNNING, PAUSED, EXITED = "running", "paused", "exited"

T = TypeVar("T")


def find(design: str) -> dict[str, Container]:
    """Return the containers of a design that were started from here, by process, ended ones too."""
    label = f"{STACK_LABEL}={stacks.marker(design)}"
    found = engine.connect().containers.list(all=True, filters={"label": label})
    return {each.labels[PROCESS_LABEL]: each for each in found}


def foreign(design: str) -> dict[str, str]:
    """Return who else runs containers of a design on this engine: marker by container's name."""
    ours = stacks.marker(design)
    found = engine.connect().containers.list(filters={"label": f"{DESIGN_LABEL}={design}"})
    return {
        str(each.name): each.labels.get(STACK_LABEL, "")
        for each in found
        if each.labels.get(STACK_LABEL) != ours
    }


def thaw(container: Container) -> bool:
    """Let a container run on if it is paused; say whether it was."""
    if container.status != PAUSED:
        return False
    container.unpause()
    container.reload()
    return True


def stop(found: Iterable[Container], grace: float) -> set[str]:
    """Stop containers at the same time; return the ids of those that had to be killed.

    Each has ``grace`` seconds to end by itself.
    """
    chosen = list(found)
    in_parallel(lambda each: each.stop(timeout=round(grace)), chosen)
    return {str(each.id) for each in chosen if _was_killed(each)}


def _was_killed(container: Container) -> bool:
    try:
        container.reload()
    except NotFound:
        return False
    return bool(container.attrs["State"]["ExitCode"] == 137)


def remove(found: Iterable[Container], network: str) -> None:
    """Remove containers, and their network if nobody else is in it."""
    in_parallel(lambda each: each.remove(v=True, force=True), list(found))
    for each in engine.connect().networks.list(names=[network]):
        if each.name == network:
            try:
                each.remove()
            except APIError as error:
                # Somebody is in it: another design, or what watches them.
                if error.status_code not in {403, 404, 409}:
                    raise


def save_log(container: Container, path: Path) -> None:
    """Write the output of a container so far to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(container.logs())


def started_unix(container: Container) -> float:
    """Return when a container was started, in seconds since the Unix epoch."""
    text = str(container.attrs["State"]["StartedAt"])
    # Nanoseconds are more than datetime reads.
    return datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00").timestamp()


def exit_text(container: Container) -> str:
    """Say how a container ended, nothing if it has not."""
    state = container.attrs["State"]
    if state["Status"] in {RUNNING, "created"}:
        return ""
    if state.get("OOMKilled"):
        return "out of its budget of memory"
    return f"exit code {state['ExitCode']}"


def in_parallel(work: Callable[[Container], T], found: Sequence[Container]) -> list[T | None]:
    """Do something with all containers at the same time; ``None`` for one that no longer exists."""

    def careful(container: Container) -> T | None:
        try:
            return work(container)
        except NotFound:
            return None

    if not found:
        return []
    with ThreadPoolExecutor(max_workers=len(found)) as pool:
        return list(pool.map(careful, found))
