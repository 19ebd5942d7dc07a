"""Follows Locust's events in one process, from reading the options to writing the record."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import fields
from itertools import count
from pathlib import Path
from typing import Any

import gevent
import locust
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner
from locust.web import WebUI

from taskqueue_load import ledger, options, target
from taskqueue_load.arrivals import Source
from taskqueue_load.distributed import MasterSide, WorkerSide
from taskqueue_load.facts import facts
from taskqueue_load.ledger import Ledger
from taskqueue_load.options import LoadOptions, OptionError
from taskqueue_load.publish import Publisher
from taskqueue_load.schedule import Share
from taskqueue_load.session import Run, Session
from taskqueue_load.shape import ProfileShape
from taskqueue_load.tally import Part
from taskqueue_load.target import TargetError
from taskqueue_load.users import MixedUser, TaskQueueUser
from taskqueue_load.webform import check_before_start

# Added to Locust's options at the start of a test, because those are what reaches the workers.
_RUN = "taskqueue_load_run"
# Between the start of an open loop and its first calls, for all workers to have heard of it.
_LEAD = 0.5

logger = logging.getLogger(__name__)


def listen() -> None:
    """Declare the options and follow the events of this process."""
    events: Any = locust.events  # without types
    events.init_command_line_parser.add_listener(options.declare)
    events.init.add_listener(_on_init)


def _on_init(environment: Environment, web_ui: WebUI | None, **_: Any) -> None:
    _let_interrupts_reach_locust()
    # Timers count from when gevent last looked at the clock, which may be before all imports:
    # --run-time would end a test early by as much as this process took to start.
    gevent.get_hub().loop.update_now()
    Conductor(environment, TaskQueueUser.session).begin(web_ui)


def _let_interrupts_reach_locust() -> None:
    """Raise ``KeyboardInterrupt`` where Locust waits for it, whichever greenlet runs.

    Otherwise a Ctrl-C is raised in the greenlet that happens to run, and ends that one alone.
    """
    main = gevent.getcurrent()
    gevent.signal_handler(signal.SIGINT, main.throw, KeyboardInterrupt)


class Conductor:
    """Starts and ends the runs of one process, be it alone, a master or a worker."""

    def __init__(self, environment: Environment, session: Session) -> None:
        self._environment = environment
        self._session = session
        self._events: Any = environment.events  # without types
        self._number = 0
        self._ledger: Ledger | None = None
        self._stopped_unix: float | None = None
        runner = environment.runner
        self._master = MasterSide(runner, self._add) if isinstance(runner, MasterRunner) else None
        self._publisher = Publisher(runner, self._master)
        self._worker = (
            WorkerSide(runner, lambda: session.run is not None)
            if isinstance(runner, WorkerRunner)
            else None
        )

    def begin(self, web_ui: WebUI | None) -> None:
        """Check what was given and follow the events. Exits the process if it cannot be used."""
        if self._worker is None:
            self._check_given(interactive=web_ui is not None)
            self._publisher.open(LoadOptions.parse(self._given).metrics_port)
        if web_ui is not None:
            check_before_start(self._environment, web_ui, self._check_form)
        events = self._events
        events.test_start.add_listener(self._on_test_start)
        events.test_stopping.add_listener(self._on_test_stopping)
        events.test_stop.add_listener(self._on_test_stop)
        events.quitting.add_listener(self._on_quitting)

    @property
    def _given(self) -> dict[str, Any]:
        return vars(self._environment.parsed_options)

    def _check_given(self, interactive: bool) -> None:
        """Resolve the host, for the web form to show it; without one a form may name it later."""
        try:
            options.check_environment(os.environ)
            parsed = LoadOptions.parse(self._given)
            self._record_folder(parsed)
            self._set_shape(parsed)
            endpoints = target.resolve(self._environment.host, parsed.design)
        except TargetError as error:
            if not interactive or self._environment.host or self._given["autostart"]:
                sys.exit(f"locust: error: {error}")
            logger.warning("%s, or enter a host in the web form", error)
        except OptionError as error:
            sys.exit(f"locust: error: {error}")
        else:
            self._environment.host = ",".join(endpoints)

    def _check_form(self, form: Mapping[str, str]) -> None:
        """Raise ``ValueError`` unless a test could be started, or changed, with the form."""
        own = {each.name for each in fields(LoadOptions) if each.metadata["web"]}
        entered = {name: value for name, value in form.items() if name in own}
        parsed = LoadOptions.parse({**self._given, **entered})
        endpoints = target.resolve(form.get("host", self._environment.host), parsed.design)
        run = self._session.run
        if run is not None and (parsed != run.options or tuple(endpoints) != run.endpoints):
            raise OptionError("stop the test before you change its options or host")
        if run is None:
            self._set_shape(parsed)

    def _set_shape(self, parsed: LoadOptions) -> None:
        """Have Locust follow the shape that is asked for, if it follows none of the locustfile."""
        environment = self._environment
        own = environment.shape_class is None or isinstance(environment.shape_class, ProfileShape)
        if not own and parsed.shape is not None:
            raise OptionError("--shape: the locustfile has a shape of its own")
        if not own:
            return
        environment.shape_class = None
        if parsed.shape is not None:
            shape = ProfileShape(
                parsed.shape, parsed.is_open, self._given, lambda: self._session.run
            )
            shape.runner = environment.runner
            environment.shape_class = shape

    def _on_test_start(self, **_: Any) -> None:
        try:
            run = self._make_run()
        except (ValueError, OSError) as error:
            self._refuse(error)
            return
        self._session.run = run
        self._stopped_unix = None
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
        self._weigh(parsed)
        share: Share | None
        if self._worker is None:
            if parsed.shape is not None and self._environment.shape_class is None:
                raise OptionError("--shape: cannot be used together with --class-picker")
            endpoints = target.resolve(self._environment.host, parsed.design)
            self._environment.host = ",".join(endpoints)
            folder = self._record_folder(parsed)
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
        return Run(parsed, endpoints, shared["start_unix"], share, folder)

    def _make_source(self) -> Source:
        """Make a user that sends while there is no other."""
        classes = [
            each for each in self._environment.user_classes if issubclass(each, TaskQueueUser)
        ]
        user = classes[0](self._environment)
        user.on_start()
        return user

    def _weigh(self, parsed: LoadOptions) -> None:
        weights = parsed.mix
        if self._given["equal_weights"]:
            weights = dict.fromkeys(weights, 1)
        for user_class in self._environment.user_classes:
            if issubclass(user_class, MixedUser):
                user_class.weigh(weights)

    def _record_folder(self, parsed: LoadOptions) -> Path | None:
        """Return where to record, ``None`` for nowhere. Never a place that holds a record."""
        if not parsed.record:
            return None
        folder = Path(parsed.record)
        if self._given["headless"]:
            if ledger.is_used(folder):
                raise OptionError(f"--record: {folder} holds a record; name another directory")
            return folder
        runs = (folder / f"run-{number:03d}" for number in count(1))
        return next(run for run in runs if not ledger.is_used(run))

    def _refuse(self, error: Exception) -> None:
        """Start without a run: users leave at once, and the exit code tells."""
        logger.error("the test cannot start: %s", error)
        environment = self._environment
        environment.process_exit_code = 1
        if self._given["headless"] and self._worker is None and environment.runner is not None:
            gevent.spawn(environment.runner.quit)

    def _hand_over(self, part: Part) -> None:
        if self._worker is not None:
            self._worker.counted(self._number, part)
        else:
            self._add(part)

    def _add(self, part: Part) -> None:
        if self._ledger is not None:
            self._ledger.add(part)
            self._publisher.add(part)

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
        """Write the record, and say what an open loop could not send."""
        runner = self._environment.runner
        users = runner.target_user_count if runner is not None else 0
        to_unix = self._stopped_unix or time.time()
        path = book.write(facts(run, to_unix, self._environment.host or "", users))
        if path is not None:
            logger.info("Recorded in %s", path.parent)
        total = book.total
        if run.options.is_open:
            logger.info("%d calls were due, %d sent", total.due, total.sent)
        if total.dropped:
            logger.warning(
                "%d calls were dropped, for %d were in flight (--max-in-flight)",
                total.dropped,
                run.options.max_in_flight,
            )

    def _on_quitting(self, **_: Any) -> None:
        """Report before Locust says goodbye to the master, who forgets a worker that has left."""
        if self._worker is not None:
            self._worker.stop()
        self._publisher.close()
