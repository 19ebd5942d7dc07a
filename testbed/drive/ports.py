"""What driving needs from the rest: stacks, a load generator, and an observer of the progress."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from testbed.errors import TestbedError
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Meter
from testbed.stack.sides.resolve import Deployment


class TrialFailed(TestbedError):
    """A trial cannot go on; the message says why."""


class Stacks(Protocol):
    """Brings stacks up and down, and says what they use."""

    def up(self, deployment: Deployment) -> StackRecord:
        """Start a fresh stack and return once it is ready. Raises :class:`TestbedError`."""

    def meter(self, stack: StackRecord) -> Meter:
        """Return what reads the use of a stack that is up."""

    def down(self, design: str) -> None:
        """Stop the stack, also one that came up only in part; none at all is no error."""


class LoadCommand(Protocol):
    """Says how the load generator is started."""

    def __call__(self, stack: StackRecord, folder: Path) -> Sequence[str]:
        """Return the command that drives ``stack`` and records into ``folder``."""


class Progress(Protocol):
    """Is notified of how far the experiment is."""

    def trial(self, number: int, title: str) -> None:
        """Trial ``number`` begins, counted from 1."""

    def phase(self, name: str, seconds: float | None = None) -> None:
        """The trial enters a phase that is expected to take so many seconds."""

    def detail(self, text: str) -> None:
        """Something about the current phase that is worth a few words."""

    def trial_done(self, text: str, good: bool = True) -> None:
        """The trial ended; ``text`` says how in one line, ``good`` whether it can be used."""

    def note(self, text: str) -> None:
        """Something about the experiment as a whole: how it stands, why it stops."""

    def expect(self, trials: int) -> None:
        """There will be so many trials in all, those that are over included."""
