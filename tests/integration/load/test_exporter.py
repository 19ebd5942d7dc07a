"""What Prometheus scrapes of a load, by the only process or by the master of several."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.load.processes import (
    StartLocust,
    StartStub,
    Stub,
    free_master_port,
    read_record,
)
from tests.support.ports import free_port
from tests.support.waiting import eventually

RUN = ("--headless", "--only-summary", "-u", "4", "-r", "4")
FAST = ("--think-time", "0.01")


def page(port: int) -> str:
    """The metrics, nothing while nobody serves them."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError):
        return ""


def value(text: str, series: str) -> float | None:
    """The value of a series, written as on the page."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def counts(text: str, name: str, label: str) -> Counter[str]:
    """The values of a metric by one of its labels."""
    found: Counter[str] = Counter()
    for labels, number in re.findall(rf"^{name}{{(.*)}} (\S+)$", text, re.MULTILINE):
        found[dict(re.findall(r'(\w+)="([^"]*)"', labels))[label]] += int(float(number))
    return found


@pytest.mark.parametrize(
    "several",
    [
        pytest.param((), id="alone"),
        pytest.param(("--processes", "2"), id="two workers", marks=pytest.mark.slow),
    ],
)
def test_the_page_counts_what_the_server_saw(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path, several: tuple[str, ...]
) -> None:
    stub, port = start_stub(), free_port()
    locust = start_locust(
        *("mixed.py", *RUN, *FAST, *several, "-H", stub.host, "--design", "x"),
        *("--run-time", "4s", "--metrics-port", str(port), "--record", str(tmp_path / "record")),
        env=free_master_port(),
    )
    pages = _pages(port, lambda: locust.process.poll() is not None)
    assert locust.wait().code == 0, locust.output()

    last, record = pages[-1], read_record(tmp_path / "record")
    seen = value(last, 'taskqueue_load_calls_ended_total{design="x",outcome="answered"}')
    assert seen is not None
    assert 0 < seen <= record.total("answered")
    timed = counts(last, "taskqueue_load_call_seconds_count", "method")
    assert sum(timed.values()) >= seen
    assert timed["SubmitJob"] > 0
    processes = {value(each, "taskqueue_load_processes") for each in pages}
    assert max(filter(None, processes)) == (2 if several else 1)
    assert f'target="{stub.host}"' in last
    assert not list(_targets(tmp_path)), "nothing serves there any more"


def test_counters_go_on_and_the_mark_ends_when_a_test_has_ended(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub, port, web = start_stub(), free_port(), free_port()
    start_locust(
        *("submit.py", *FAST, "-H", stub.host, "--metrics-port", str(port)),
        *("--web-port", str(web), "--web-host", "127.0.0.1"),
    )
    eventually(lambda: page(port), within=60, what="the page of metrics")
    assert _target_of(tmp_path) == f"127.0.0.1:{port}"
    assert "taskqueue_load_driving{" not in page(port)

    accepted = []
    for _ in range(2):
        _post(web, "/swarm", b"user_count=2&spawn_rate=2")
        before = accepted[-1] if accepted else 0
        eventually(lambda least=before: _accepted(port) > least, within=60, what="accepted jobs")
        assert counts(page(port), "taskqueue_load_driving", "load") == {"users": 1}
        _post(web, "/stop", b"")
        eventually(
            lambda: counts(page(port), "taskqueue_load_driving", "load") == {"users": 0},
            within=60,
            what="the end of the mark",
        )
        accepted.append(_accepted(port))
    assert _submits(stub) == accepted[-1] > accepted[0]


def test_failures_are_counted_by_method_and_error(
    start_locust: StartLocust,
) -> None:
    port = free_port()
    start_locust(
        *("submit.py", *RUN, "-H", "127.0.0.1:1", "--metrics-port", f"127.0.0.1:{port}"),
        *("--design", "x"),
    )
    errors = eventually(
        lambda: counts(page(port), "taskqueue_load_errors_total", "error"),
        within=60,
        what="failures on the page",
    )
    assert errors.keys() == {"UNAVAILABLE"}
    assert counts(page(port), "taskqueue_load_errors_total", "method").keys() == {"SubmitJob"}


def test_a_port_that_is_taken_ends_locust_with_a_message(
    start_stub: StartStub, start_locust: StartLocust
) -> None:
    stub = start_stub()
    locust = start_locust(
        *("mixed.py", *RUN, "-t", "1s", "-H", stub.host, "--metrics-port", str(stub.ports[0]))
    ).wait()
    assert locust.code != 0
    assert "locust: error: --metrics-port:" in locust.output
    assert "Traceback" not in locust.output


def _pages(port: int, ended: Callable[[], bool]) -> list[str]:
    """Read again and again until Locust has ended; return all that could be read."""
    pages: list[str] = []

    def over() -> bool:
        pages.append(page(port))
        return ended()

    eventually(over, within=60, what="the end of Locust")
    return list(filter(None, pages))


def _post(port: int, path: str, body: bytes) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def _accepted(port: int) -> int:
    return sum(counts(page(port), "taskqueue_load_accepted_jobs_total", "design").values())


def _submits(stub: Stub) -> int:
    return stub.calls()["SubmitJob"]


def _targets(folder: Path) -> list[Path]:
    return list((folder / "home" / ".testbed" / "prometheus" / "targets").glob("load-*.json"))


def _target_of(folder: Path) -> str:
    (path,) = _targets(folder)
    ((target,),) = [each["targets"] for each in json.loads(path.read_text())]
    return str(target)
