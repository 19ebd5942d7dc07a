"""Shows how far an experiment is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from testbed.drive.pace import Pace
from testbed.drive.ports import Progress as ProgressPort
from testbed.report.console import Output, repeating


@contextlib.contextmanager
def shown(console: Output, pace: Pace, trials: int) -> Iterator[ProgressPort]:
    """Give the progress to report to, shown on ``console`` until the end of the block."""
    if not console.on_terminal:
        plain = PlainProgress(console, pace, trials)
        with repeating(plain.repeat):
            yield plain
        return
    with _Bar(console, pace) as bar:
        yield BarProgress(bar, pace, trials)


def minutes(seconds: float) -> str:
    """Write a time as ``1 min 20 s``, to five seconds where it is long."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    whole = round(seconds / 5) * 5
    return f"{whole // 60} min {whole % 60:02d} s"


class PlainProgress:
    """One line per phase, for logs, and one every now and then while a phase goes on."""

    def __init__(self, console: Console, pace: Pace, trials: int) -> None:
        self._console = console
        self._pace = pace
        self._trials = trials
        self._head = ""
        self._phase = ""
        self._detail = ""

    def trial(self, number: int, title: str) -> None:
        self._head = f"[{number}/{self._trials}] {title}"

    def phase(self, name: str, _seconds: float | None = None) -> None:
        self._pace.enter(name)
        self._phase, self._detail = name, ""
        self.repeat()

    def detail(self, text: str) -> None:
        self._detail = f", {text}"

    def repeat(self) -> None:
        """Say what goes on, unless it is nothing."""
        if self._phase:
            left = minutes(self._pace.left())
            self._print(f"{self._head}: {self._phase}{self._detail} (about {left} left)")

    def trial_done(self, text: str, good: bool = True) -> None:
        del good
        self._pace.end_trial()
        self._phase = ""
        self._print(f"{self._head}: {text}")

    def note(self, text: str) -> None:
        self._print(text)

    def expect(self, trials: int) -> None:
        self._pace.expect(trials)

    def _print(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)


class BarProgress:
    """One bar over all trials, with what is going on beside it."""

    def __init__(self, bar: _Bar, pace: Pace, trials: int) -> None:
        self._bar = bar
        self._pace = pace
        self._trials = trials
        self._head = ""
        self._phase = ""

    def trial(self, number: int, title: str) -> None:
        self._head = f"trial {number} of {self._trials}, {title}"

    def phase(self, name: str, _seconds: float | None = None) -> None:
        self._pace.enter(name)
        self._phase = name
        self._bar.show(f"{self._head}: {name}")

    def detail(self, text: str) -> None:
        self._bar.show(f"{self._head}: {self._phase}, {text}")

    def trial_done(self, text: str, good: bool = True) -> None:
        self._pace.end_trial()
        self._print(f"{self._head}: {text}", "dim" if good else "red")

    def note(self, text: str) -> None:
        self._print(text, "")

    def expect(self, trials: int) -> None:
        self._pace.expect(trials)

    def _print(self, line: str, style: str) -> None:
        self._bar.console.print(Text(line, style=style), soft_wrap=True)


class _Bar(Progress):
    """A bar whose position is asked of the pace at every refresh."""

    def __init__(self, console: Console, pace: Pace) -> None:
        super().__init__(
            SpinnerColumn(),
            BarColumn(24),
            TextColumn("{task.fields[left]:>12} left"),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            refresh_per_second=5,
        )
        self._pace = pace
        self._task = self.add_task("", total=1.0, left="")

    def show(self, text: str) -> None:
        """Replace the text beside the bar."""
        self.update(self._task, description=text)

    def get_renderable(self) -> RenderableType:
        """Bring the bar up to date, then draw it."""
        for task in self._tasks.values():
            task.total = max(self._pace.total(), 0.1)
            task.completed = self._pace.elapsed()
            task.fields["left"] = minutes(self._pace.left())
        return super().get_renderable()
