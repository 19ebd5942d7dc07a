"""Checks what a test is asked for, on the command line or in the web form, before it begins."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from itertools import count
from pathlib import Path
from typing import Any

from locust.env import Environment

from common.rpc.connect import PROXY_VARIABLE
from taskqueue_load import ledger, options, target, transports
from taskqueue_load.options import LoadOptions, OptionError
from taskqueue_load.session import Session
from taskqueue_load.shape import ProfileShape
from taskqueue_load.target import TargetError
from taskqueue_load.users import MixedUser

logger = logging.getLogger(__name__)


class Checks:
    """The checks of one process that starts tests."""

    def __init__(self, environment: Environment, session: Session) -> None:
        self._environment = environment
        self._session = session

    @property
    def _given(self) -> dict[str, Any]:
        return vars(self._environment.parsed_options)

    def check_given(self, interactive: bool) -> None:
        """Resolve the host, for the web form to show it; without one a form may name it later."""
        try:
            options.check_environment(os.environ)
            parsed = LoadOptions.parse(self._given)
            _check_proxies(parsed)
            self.record_folder(parsed)
            self._set_shape(parsed)
            endpoints = target.resolve(self._environment.host, parsed.design)
            _check_folders(parsed)
        except TargetError as error:
            if not interactive or self._environment.host or self._given["autostart"]:
                sys.exit(f"locust: error: {error}")
            logger.warning("%s, or enter a host in the web form", error)
        except (OptionError, OSError) as error:
            sys.exit(f"locust: error: {error}")
        else:
            self._environment.host = ",".join(endpoints)

    def check_form(self, form: Mapping[str, str]) -> None:
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

    def weigh(self, parsed: LoadOptions) -> None:
        """Weigh the tasks of all users by ``--mix``. Raises ``ValueError`` if none is left."""
        weights = parsed.mix
        if self._given["equal_weights"]:
            weights = dict.fromkeys(weights, 1)
        for user_class in self._environment.user_classes:
            if not user_class.tasks:
                raise OptionError(
                    f"--tags, --exclude-tags: no task of {user_class.__name__} is left"
                )
            if issubclass(user_class, MixedUser):
                user_class.weigh(weights)

    def record_folder(self, parsed: LoadOptions) -> Path | None:
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


def _check_proxies(parsed: LoadOptions) -> None:
    """Raise :class:`OptionError` if calls are to go through a proxy, and the client cannot."""
    if parsed.client == transports.GRPC_GEVENT and os.environ.get(PROXY_VARIABLE) == "1":
        raise OptionError(
            f"--client: {parsed.client} goes through no proxy, which {PROXY_VARIABLE}=1 asks for; "
            f"{transports.GRPCIO} does"
        )


def _check_folders(parsed: LoadOptions) -> None:
    """Raise ``OSError`` if nothing can be written where a test is to be recorded."""
    for folder in filter(None, (parsed.record, parsed.history)):
        Path(folder).mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"nothing can be written in {folder}")
