"""Tests that are started from Locust's web form."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.integration.load.processes import (
    StartLocust,
    StartStub,
    free_master_port,
    read_record,
)
from tests.support.ports import free_port
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

FORM = {"user_count": "2", "spawn_rate": "10"}
# Ours, and Locust's own.
WITHHELD = ("record", "history", "design", "metrics_port", "csv_prefix", "tags", "headless")
SHOWN = ("mix", "kind", "job_ms", "payload_bytes", "deadline", "think_time", "seed")


class WebUi:
    """Locust's web UI, as a browser uses it."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> str:
        """Return a page, or nothing while it does not answer."""
        try:
            with urllib.request.urlopen(self._url + path, timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def post(self, path: str, **form: str) -> dict[str, Any]:
        """Send a form and return the JSON answer."""
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(self._url + path, data, timeout=30) as answer:
            value: dict[str, Any] = json.loads(answer.read())
            return value

    def change_class(self, **settings: Any) -> int:
        """Send what the class picker sends, and return the status of the answer."""
        data = json.dumps(settings).encode()
        try:
            with urllib.request.urlopen(self._url + "/user", data, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def requests(self) -> dict[str, int]:
        """Return the number of requests by name."""
        stats = json.loads(self.get("/stats/requests") or '{"stats": []}')["stats"]
        return {each["name"]: each["num_requests"] for each in stats}


def test_the_web_form_shows_checks_and_applies_the_options(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub, port, record = start_stub("--ports", "2"), free_port(), tmp_path / "record"
    running = start_locust(
        "mixed.py", "--web-host", "127.0.0.1", "--web-port", str(port), "--record", str(record)
    )
    web = WebUi(port)
    page = eventually(lambda: web.get("/"), what="the web UI")

    assert "no stack is up" in running.output()
    assert all(f'"{name}"' in page for name in SHOWN)
    assert '"record"' not in page

    nothing_up = web.post("/swarm", **FORM, host="")
    bad_mix = web.post("/swarm", **FORM, host=stub.host, mix="submit=1,dance=1")
    assert not nothing_up["success"]
    assert "make up-a" in nothing_up["message"]
    assert bad_mix["message"].startswith("--mix: unknown operation 'dance'")

    for name in WITHHELD:
        refused = web.post("/swarm", **FORM, host=stub.host, **{name: "abc"})
        option = f"--{name.replace('_', '-')}"
        assert refused["message"] == f"{option}: not for the web form, only for the command line"
    assert "is no time" in web.post("/swarm", **FORM, host=stub.host, run_time="0")["message"]
    for change in ({"run": 1}, {"weight": "many"}, {"tasks": ["dance"]}, {"user_class_name": "X"}):
        assert web.change_class(**{"user_class_name": "MixedUser", **change}) == 400

    assert web.post("/swarm", **FORM, host=stub.host, mix="submit=1")["success"]
    eventually(web.requests, lambda counts: counts.get("SubmitJob", 0) > 5, what="submits")
    assert web.change_class(user_class_name="MixedUser", weight=2) == 400
    late = web.post("/swarm", **FORM, host=stub.host, mix="list=1")
    assert late["message"] == "stop the test before you change its options or host"
    web.post("/stop")
    assert read_record(record / "run-001").count("SubmitJob") > 5
    assert web.change_class(user_class_name="MixedUser", weight=2) == 201

    other = start_stub()
    assert web.post("/swarm", **FORM, host=other.host, mix="list=1")["success"]
    eventually(web.requests, lambda counts: counts.get("ListJobs", 0) > 5, what="lists")
    web.post("/stop")
    assert read_record(record / "run-002").data["endpoints"] == [other.host]
    running.interrupt()
    assert running.wait().code == 0
    assert set(stub.calls()) == {"SubmitJob"}
    assert set(other.calls()) == {"ListJobs"}


def test_the_web_form_of_a_master_checks_as_that_of_one_process(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub, port, meet = start_stub(), str(free_port()), free_master_port()
    web_port, taken = free_port(), tmp_path / "taken"
    common = ("submit.py", "-H", stub.host)
    start_locust(
        *common, "--master", "--web-host", "127.0.0.1", "--web-port", str(web_port), env=meet
    )
    web = WebUi(web_port)
    eventually(lambda: web.get("/"), what="the web UI")

    assert web.post("/swarm", **FORM, host=stub.host)["message"] == "no worker has connected yet"
    start_locust(*common, "--worker", env=meet)
    eventually(lambda: web.get("/worker-count"), lambda text: '"worker_count": 1' in text)
    refused = web.post("/swarm", **FORM, host=stub.host, record=str(taken), metrics_port=port)
    assert refused["message"].startswith("--metrics-port, --record: not for the web form")
    assert web.post("/swarm", **FORM, host=stub.host)["success"]
    eventually(web.requests, lambda counts: counts.get("SubmitJob", 0) > 5, what="submits")
    web.post("/stop")
    assert not taken.exists()


def test_a_shape_of_rates_that_is_entered_in_the_form_is_sent_and_ends_the_test(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub, port, record = start_stub(), free_port(), tmp_path / "record"
    running = start_locust(
        "submit.py", "--web-host", "127.0.0.1", "--web-port", str(port), "--record", str(record),
        "-H", stub.host,
    )  # fmt: skip
    web = WebUi(port)
    eventually(lambda: web.get("/"), what="the web UI")

    bad = web.post("/swarm", **FORM, host=stub.host, shape="steps:20")
    assert bad["message"].startswith("--shape: 'steps:20' is no shape")
    shaped = {"rate": "1", "arrivals": "even", "shape": "steps:20@2s"}
    assert web.post("/swarm", **FORM, host=stub.host, **shaped)["success"]
    eventually((record / "run-001" / "load.json").exists, what="the record")
    assert read_record(record / "run-001").total("sent") == 40

    assert web.post("/swarm", **FORM, host=stub.host, rate="0", shape="")["success"]
    eventually(web.requests, lambda counts: counts.get("SubmitJob", 0) > 5, what="submits")
    web.post("/stop")
    assert read_record(record / "run-002").data["loop"] == "closed"
    running.interrupt()
    assert running.wait().code == 0
