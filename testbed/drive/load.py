"""The load generator as a subprocess, and the command lines of Locust, the usual one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.drive.ports import TrialFailed
from testbed.drive.traffic import Traffic
from testbed.errors import TestbedError
from testbed.record.files import ACCEPTED
from testbed.stack import environment
from testbed.stack.records import StackRecord

STOP_SECONDS = 10.0
END_GRACE = 30.0
LOG_LINES = 12
WATCH_SECONDS = 0.5
POLL_SECONDS = 0.05
CHECK_SECONDS = 60.0
LOCUST = "locust"
# As in locustfiles/taskqueue_load/duration.py.
SHORT_CODE = 3


class Locust:
    """The command lines of a trial's traffic."""

    def __init__(self, locustfile: Path, traffic: Traffic) -> None:
        self._locustfile = locustfile.resolve()
        self._traffic = traffic

    def __call__(self, stack: StackRecord, folder: Path) -> Sequence[str]:
        """Return the command; everything that shapes the traffic is on it.

        Its paths are absolute, for Locust runs in ``folder``.
        """
        return self._headless(stack, folder, {"--run-time": f"{run_seconds(self._traffic)}s"})

    def endless(self, stack: StackRecord, folder: Path) -> Sequence[str]:
        """Return the command that drives until it is asked to end, and keeps a history of calls."""
        return self._headless(
            stack, folder, {"--history": folder.resolve(), "--design": stack.design}
        )

    def check(self) -> None:
        """Let Locust read its options without driving anything.

        Raises :class:`TestbedError` with Locust's own words if it is not there or refuses them.
        """
        if not self._locustfile.is_file():
            raise TestbedError(
                f"{self._locustfile} is missing",
                "run this in the project, or set TESTBED_HOME to it",
            )
        with tempfile.TemporaryDirectory() as empty:
            done = subprocess.run(
                self._command({}, "--list"),
                **_surroundings(Path(empty)),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=CHECK_SECONDS,
            )
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            complaint = (
                re.sub(r"^.*?error: ", "", last[0]) if last else f"exit code {done.returncode}"
            )
            raise TestbedError(f"Locust refuses this traffic: {complaint}")

    def _headless(
        self, stack: StackRecord, folder: Path, more: Mapping[str, object]
    ) -> Sequence[str]:
        folder = folder.resolve()
        return self._command(
            {
                "--host": ",".join(stack.endpoints),
                "--stop-timeout": f"{max(STOP_SECONDS, self._traffic.deadline + 1):g}",
                "--exit-code-on-error": 0,
                "--csv": folder / "locust",
                "--record": folder,
                **more,
            },
            "--headless",
            "--only-summary",
        )

    def _command(self, run: Mapping[str, object], *flags: str) -> Sequence[str]:
        traffic = self._traffic
        options = {
            **run,
            **_loop(traffic),
            "--mix": traffic.mix,
            "--kind": traffic.kind,
            "--job-ms": f"{traffic.job_ms:g}",
            "--payload-bytes": traffic.payload_bytes,
            "--deadline": f"{traffic.deadline:g}",
            "--warmup": f"{traffic.warmup:g}",
            "--seed": traffic.seed,
            "--client": traffic.client,
        }
        arguments = [part for name, value in options.items() for part in (name, str(value))]
        return [sys.executable, "-m", "locust", "-f", str(self._locustfile), *flags, *arguments]


def _loop(traffic: Traffic) -> dict[str, object]:
    """Return the options that shape the loop: users who wait, or a rate that does not."""
    if traffic.rate is not None:
        return {
            "--rate": f"{traffic.rate:g}",
            "--arrivals": traffic.arrivals,
            "--max-in-flight": traffic.max_in_flight,
        }
    return {
        "--users": traffic.users,
        "--spawn-rate": traffic.users,
        "--think-time": f"{traffic.think_time:g}",
    }


def run_seconds(traffic: Traffic) -> int:
    """Return how long Locust runs: warm-up and measured window, in whole seconds."""
    return -int(-(traffic.warmup + traffic.duration) // 1)


def _surroundings(folder: Path) -> dict[str, Any]:
    """Return where and in which environment Locust runs: a place with no configuration of its own.

    It reads ~/.locust.conf, ./locust.conf and ./pyproject.toml whatever its command line says.
    """
    return {"cwd": folder, "env": {**environment.of_process(os.environ), "HOME": str(folder)}}


class LoadProcess:
    """A running load generator, in a session of its own so that Ctrl-C does not reach it twice.

    It runs in ``folder``, where its output goes to a file of its ``name``.
    """

    def __init__(self, command: Sequence[str], folder: Path, name: str = LOCUST) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            try:
                self._process = subprocess.Popen(
                    command,
                    **_surroundings(folder.resolve()),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise TrialFailed(f"the load generator does not start: {error}") from error

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def wait(self, seconds: float, watch: Callable[[], None] = lambda: None) -> None:
        """Wait for its end. Raises :class:`TrialFailed` if it fails or hangs.

        Errors of calls are no failure of the generator: they are in its recording. ``watch`` is
        called now and then and may end the wait by raising.
        """
        end = time.monotonic() + seconds
        while True:
            watch()
            try:
                code = self._process.wait(WATCH_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() > end:
                    raise TrialFailed(
                        f"the load generator did not end within {seconds:.0f} s; {self._tail()}"
                    ) from None
        self._require_good(code)

    def wait_until_driving(self, seconds: float) -> None:
        """Wait until its test has begun. Raises :class:`TrialFailed` if that takes longer."""
        end = time.monotonic() + seconds
        # A record's file of accepted ids is made as a test begins.
        while not list(self.log.parent.glob(ACCEPTED)):
            self.require_alive()
            if time.monotonic() > end:
                raise TrialFailed(
                    f"the load generator does not drive after {seconds:.0f} s; {self._tail()}"
                )
            time.sleep(POLL_SECONDS)

    def require_alive(self) -> None:
        """Raise :class:`TrialFailed` if it has ended by itself."""
        code = self._process.poll()
        if code is not None:
            raise TrialFailed(f"the load generator ended with code {code}; {self._tail()}")

    def finish(self, seconds: float) -> None:
        """Have it end its calls and write its record. Raises :class:`TrialFailed`."""
        self.require_alive()
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TrialFailed(
                f"the load generator did not end within {seconds:.0f} s; {self._tail()}"
            ) from None
        self._require_good(code)

    def _require_good(self, code: int) -> None:
        # Of a drive that was too short the record says so, and whoever reads that.
        if code and code != SHORT_CODE:
            raise TrialFailed(f"the load generator ended with code {code}; {self._tail()}")

    def require_left(self, name: str) -> None:
        """Raise :class:`TrialFailed` if it has not written the file that it is run for."""
        if not (self.log.parent / name).exists():
            raise TrialFailed(f"the load generator left no {name}; {self._tail()}")

    def stop(self) -> None:
        """End it and whatever it started. Does nothing if it has ended."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None and not self._group_alive():
                return
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return
            self._await_end(STOP_SECONDS / 2)

    def _await_end(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None and not self._group_alive():
                return
            time.sleep(0.02)

    def _group_alive(self) -> bool:
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _tail(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        shown = "\n".join(f"    {line}" for line in lines[-LOG_LINES:])
        return f"last lines of {self.log}:\n{shown}" if shown else f"{self.log} is empty"
