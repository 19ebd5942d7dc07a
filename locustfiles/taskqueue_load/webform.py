"""Checks what is entered in Locust's web form before a test starts with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, jsonify, request
from locust.env import Environment
from locust.web import WebUI

Check = Callable[[Mapping[str, str]], None]


def check_before_start(environment: Environment, web_ui: WebUI, check: Check) -> None:
    """Have ``check`` judge every form that starts or changes a test.

    It gets the fields by name and raises ``ValueError``, whose text is shown above the form, the
    way Locust shows its own.
    """

    def refuse_bad_form() -> Response | None:
        if request.endpoint != "locust.swarm":
            return None
        try:
            check(request.form)
        except ValueError as error:
            message = {"success": False, "message": str(error), "host": environment.host}
            return jsonify(message)
        return None

    app: Any = web_ui.app  # without a usable type
    app.before_request(refuse_bad_form)
