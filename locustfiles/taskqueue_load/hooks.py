"""Follows Locust's events in one process, from reading the options to writing the record."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import locust
from gevent import GreenletExit
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner
from locust.web import WebUI

from taskqueue_load import duration, options, processes, target
from taskqueue_load.arrivals import Source
from taskqueue_load.checks import Checks
from taskqueue_load.conclusion import Ended, conclude
from taskqueue_load.distributed import MasterSide, WorkerSide
from taskqueue_load.ledger import Ledger
from taskqueue_load.options import LoadOptions, OptionError
from taskqueue_load.publish import Publisher
from taskqueue_load.schedule import Share
from taskqueue_load.session import Run, Session
from taskqueue_load.tally import Part
from taskqueue_load.users import TaskQueueUser
from taskqueue_load.webform import WebForm

# Added to Locust's options at the start of a test, because those are what reaches the workers.
_RUN = "taskqueue_load_run"
# Between the start of an open loop and its first calls, for all workers to have got it.
_LEAD = 0.5

logger = logging.getLogger(__name__)


def listen() -> None:
    """Declare the options and follow the events of this process."""
    events: Any = locust.events  # without types
    events.init_command_line_parser.add_listener(options.declare)
    events.init_command_line_parser.add_listener(processes.guard)
    events.init.add_listener(_on_init)


def _on_init(environment: Environment, web_ui: WebUI | None, **_: Any) -> None:
    lifecycle = RunLifecycle(environment, TaskQueueUser.session)
    _let_interrupts_reach_locust(lifecycle.interrupted)
    lifecycle.begin(web_ui)
    processes.let_workers_join(environment.runner)
    # Locust sets the timer of --run-time next.
    duration.count_from_now()


def _let_interrupts_reach_locust(on_interrupt: Callable[[], None]) -> None:
    """Raise ``KeyboardInterrupt`` where Locust waits for it, whichever greenlet runs.

    Otherwise a Ctrl-C is raised in the greenlet that happens to run, and ends that one alone.
    """
    main = gevent.getcurrent()

    def interrupt() -> None:
        on_interrupt()
        main.throw(KeyboardInterrupt)

    gevent.signal_handler(signal.SIGINT, interrupt)


class RunLifecycle:
    """Starts and ends the runs of one process, be it alone, a master or a worker."""

    def __init__(self, environment: Environment, session: Session) -> None:
        self._environment = environment
        self._session = session
        self._events: Any = environment.events  # without types
        self._checks = Checks(environment, session)
        self._number = 0
        self._ledger: Ledger | None = None
        self._stopped_unix: float | None = None
        self._asked_seconds: float | None = None
        self._interrupted = False
        self._broken = False
        runner = environment.runner
        self._master = (
            MasterSide(runner, self._add, self._cannot_record)
            if isinstance(runner, MasterRunner)
            else None
        )
        self._publisher = Publisher(runner, self._master)
        self._worker = (
            WorkerSide(runner, lambda: session.run is not None)
            if isinstance(runner, WorkerRunner)
            else None
        )

    def begin(self, web_ui: WebUI | None) -> None:
        """Check what was given and follow the events. Exits the process if it cannot be used."""
        if self._worker is None:
            self._checks.check_given(interactive=web_ui is not None)
            self._publisher.open(LoadOptions.parse(self._given).metrics_port)
        if web_ui is not None:
            WebForm(
                self._environment,
                web_ui,
                self._checks.check_form,
                lambda: self._session.run is not None,
            )
        events = self._events
        events.test_start.add_listener(self._on_test_start)
        events.test_stopping.add_listener(self._on_test_stopping)
        events.test_stop.add_listener(self._on_test_stop)
        events.quitting.add_listener(self._on_quitting)

    def interrupted(self) -> None:
        """Somebody pressed Ctrl-C: a drive that is short then is as short as was wanted."""
        self._interrupted = True

    @property
    def _given(self) -> dict[str, Any]:
        return vars(self._environment.parsed_options)

    def _on_test_start(self, **_: Any) -> None:
        try:
            run = self._make_run()
        except (ValueError, OSError) as error:
            self._refuse(error)
            return
        self._session.run = run
        self._broken = False
        self._stopped_unix = None
        self._asked_seconds = duration.asked_seconds(self._environment.shape_class, self._given)
        if self._worker is None:
            self._ledger = Ledger(run.folder)
            self._publisher.begin(run, self._environment.host or "")
        if self._master is not None:
            self._master.begin(self._number)
        if self._worker is not None:
            self._worker.started(self._number)
        if 0 < self._environment.stop_timeout < run.options.deadline:
            logger.warning(
                "calls may take %g s (--deadline) but users have %g s to end (--stop-timeout)",
                run.options.deadline,
                self._environment.stop_timeout,
            )
        run.recorder.start(self._hand_over)
        run.open(self._make_source)

    def _make_run(self) -> Run:
        """Build the run from Locust's options as they are now. Raises ``ValueError``."""
        parsed = LoadOptions.parse(self._given)
        self._checks.weigh(parsed)
        share: Share | None
        if self._worker is None:
            if parsed.shape is not None and self._environment.shape_class is None:
                raise OptionError("--shape: cannot be used together with --class-picker")
            endpoints = target.resolve(self._environment.host, parsed.design)
            self._environment.host = ",".join(endpoints)
            folder = self._checks.record_folder(parsed)
            shared: dict[str, Any] = {
                "number": self._number + 1,
                "folder": str(folder or ""),
                "start_unix": time.time() + (_LEAD if self._master and parsed.is_open else 0.0),
                "workers": [] if self._master is None else self._master.workers(),
            }
            self._given[_RUN] = shared
            share = Share() if self._master is None else None
        else:
            endpoints = target.parse_endpoints(self._environment.host or "")
            shared = self._given[_RUN]
            folder = Path(shared["folder"]) if shared["folder"] else None
            share = self._worker.share(shared["workers"], parsed.is_open)
        self._number = shared["number"]
        return Run(parsed, endpoints, shared["start_unix"], share, folder, self._cannot_record)

    def _make_source(self) -> Source:
        """Make a user that sends while there is no other."""
        classes = [
            each for each in self._environment.user_classes if issubclass(each, TaskQueueUser)
        ]
        user = classes[0](self._environment)
        user.on_start()
        return user

    def _refuse(self, error: Exception) -> None:
        """Start no test: log why, once, and end the greenlet that was about to spawn its users.

        That of a worker is the one that listens to the master and has to go on; there users leave
        as they find no run.
        """
        logger.error("the test cannot start: %s", error)
        environment = self._environment
        environment.process_exit_code = 1
        if self._worker is not None:
            return
        if self._given["headless"] and environment.runner is not None:
            gevent.spawn(environment.runner.quit)
        raise GreenletExit

    def _hand_over(self, part: Part) -> None:
        if self._worker is not None:
            self._worker.counted(self._number, part)
        else:
            self._add(part)

    def _add(self, part: Part) -> None:
        if self._ledger is not None:
            try:
                self._ledger.add(part)
            except OSError as error:
                self._cannot_record(error)
            self._publisher.add(part)

    def _cannot_record(self, error: OSError) -> None:
        """End a test that was to be recorded and is not any more; log it once."""
        environment, run = self._environment, self._session.run
        if self._broken:
            return
        self._broken = True
        if self._worker is not None:
            self._worker.broken(self._number, error)
            return
        environment.process_exit_code = 1
        logger.error("the record cannot be continued, the test ends: %s", error)
        if run is not None and environment.runner is not None:
            end = environment.runner.quit if self._given["headless"] else environment.runner.stop
            gevent.spawn(end)

    def _on_test_stopping(self, **_: Any) -> None:
        """Begin no further call of an open loop, and wait for those in flight."""
        run = self._session.run
        if run is None:
            return
        if self._stopped_unix is None:
            self._stopped_unix = time.time()
        run.stop_arrivals(self._environment.stop_timeout)

    def _on_test_stop(self, **_: Any) -> None:
        run, self._session.run = self._session.run, None
        if run is None:
            return
        run.close()
        part = run.recorder.close()
        if self._worker is not None:
            self._worker.ended(self._number, part)
            return
        self._add(part)
        if self._master is not None:
            self._collect(self._master)
        book, self._ledger = self._ledger, None
        self._publisher.end()
        if book is not None:
            self._conclude(run, book)

    def _collect(self, master: MasterSide) -> None:
        missing = master.collect(self._environment.stop_timeout)
        if missing:
            logger.error("no final report of %s: figures are incomplete", ", ".join(missing))
            self._environment.process_exit_code = 1

    def _conclude(self, run: Run, book: Ledger) -> None:
        environment = self._environment
        runner = environment.runner
        ended = Ended(
            run=run,
            stopped_unix=self._stopped_unix or time.time(),
            asked_seconds=self._asked_seconds,
            # The Stop button of the web UI and the timer are one and the same in Locust's events.
            wanted=self._interrupted or not self._given["headless"],
            host=environment.host or "",
            users=runner.target_user_count if runner is not None else 0,
        )
        if code := conclude(ended, book):
            environment.process_exit_code = environment.process_exit_code or code

    def _on_quitting(self, **_: Any) -> None:
        """Report before Locust says goodbye to the master, who forgets a worker that has left."""
        if self._worker is not None:
            self._worker.stop()
        self._publisher.close()
