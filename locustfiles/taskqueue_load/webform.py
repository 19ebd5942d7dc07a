"""Checks what is posted to Locust's web UI before anything is changed by it.

Locust writes every field that it gets into its options, shown in the form or not, and then starts
the test whatever came of it. So what could not be given on the command line is refused here, and so
is what the form does not show; Locust's options are then as they were, and a later start is free.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, jsonify, make_response, request
from locust.argument_parser import ui_extra_args_dict
from locust.env import Environment
from locust.runners import MasterRunner
from locust.util.timespan import parse_timespan
from locust.web import WebUI

from taskqueue_load.duration import count_from_now
from taskqueue_load.options import OptionError

Check = Callable[[Mapping[str, str]], None]

# What Locust's own form has, by the names in which it posts it.
LOCUST_FIELDS = frozenset(
    {"user_count", "spawn_rate", "host", "run_time", "user_classes", "shape_class", "profile"}
)
# What Locust's class picker lets one change of a class, and the types of that.
CLASS_FIELDS: Mapping[str, type] = {
    "user_class_name": str,
    "host": str,
    "tasks": list,
    "weight": int,
    "fixed_count": int,
}


class WebForm:
    """The checks of one web UI. ``check`` judges the fields of a test by name.

    Refusals are ``ValueError``. The form shows that of ``/swarm`` as it shows Locust's own;
    ``/user`` answers with 400.
    """

    def __init__(
        self, environment: Environment, web_ui: WebUI, check: Check, is_running: Callable[[], bool]
    ) -> None:
        self._environment = environment
        self._picker = web_ui.userclass_picker_is_active
        self._check = check
        self._is_running = is_running
        app: Any = web_ui.app  # without a usable type
        app.before_request(self._before)

    def _before(self) -> Response | None:
        if request.endpoint == "locust.swarm":
            return self._before_swarm()
        if request.endpoint == "locust.update_user":
            return self._before_user()
        return None

    def _before_swarm(self) -> Response | None:
        try:
            self._check_fields(request.form)
            self._check(request.form)
        except ValueError as error:
            host = self._environment.host
            return jsonify({"success": False, "message": str(error), "host": host})
        # Locust keeps the time of an earlier form where this one leaves it empty.
        if not request.form.get("run_time"):
            vars(self._environment.parsed_options)["run_time"] = None
        # Locust sets the timer of the run time next.
        count_from_now()
        return None

    def _before_user(self) -> Response | None:
        try:
            self._check_class(request.get_data())
        except ValueError as error:
            return make_response(f"{error}\n", 400)
        return None

    def _check_fields(self, form: Mapping[str, str]) -> None:
        """Raise ``ValueError`` for what the form does not have, or Locust would stumble over."""
        shown = LOCUST_FIELDS | ui_extra_args_dict().keys()
        known = vars(self._environment.parsed_options).keys()
        if withheld := sorted(form.keys() & known - shown):
            names = ", ".join(f"--{name.replace('_', '-')}" for name in withheld)
            raise OptionError(f"{names}: not for the web form, only for the command line")
        if form.get("run_time"):
            try:
                seconds = parse_timespan(form["run_time"])
            except ValueError:
                seconds = 0
            if seconds <= 0:
                raise OptionError(f"--run-time: {form['run_time']!r} is no time such as 20s or 3m")
        if self._picker:
            self._check_picked()
        runner = self._environment.runner
        if isinstance(runner, MasterRunner) and not runner.worker_count:
            raise OptionError("no worker has connected yet")

    def _check_picked(self) -> None:
        environment = self._environment
        classes = request.form.getlist("user_classes")
        unknown = sorted(set(classes) - set(environment.available_user_classes or {}))
        shape = request.form.get("shape_class", "Default")
        if shape != "Default" and shape not in (environment.available_shape_classes or {}):
            unknown.append(shape)
        if unknown:
            raise OptionError(f"the locustfile has no {', '.join(unknown)}")

    def _check_class(self, body: bytes) -> None:
        """Raise ``ValueError`` unless ``body`` changes what the class picker can change."""
        settings = json.loads(body)
        if not isinstance(settings, dict):
            raise OptionError("not a JSON object")
        classes = self._environment.available_user_classes or {}
        if settings.get("user_class_name") not in classes:
            raise OptionError(f"user_class_name must be one of {', '.join(classes)}")
        for name, value in settings.items():
            if name not in CLASS_FIELDS:
                raise OptionError(f"{name} cannot be changed, only {', '.join(CLASS_FIELDS)}")
            if not isinstance(value, CLASS_FIELDS[name]) or (
                isinstance(value, int) and not 0 <= value <= 1_000_000
            ):
                raise OptionError(f"{name} cannot be {value!r}")
        self._check_tasks(settings)
        if self._is_running():
            raise OptionError("stop the test before you change its users")

    def _check_tasks(self, settings: Mapping[str, Any]) -> None:
        tasks: Any = (self._environment.available_user_tasks or {})[settings["user_class_name"]]
        names = {task.__name__ for task in tasks}
        if "tasks" in settings and not set(map(str, settings["tasks"])) & names:
            raise OptionError(f"tasks must have some of {', '.join(sorted(names))}")
