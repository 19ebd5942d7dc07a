"""Reads the metrics of the processes of a stack while it is driven."""

from __future__ import annotations

import http.client
import math
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from common.process_spec import METRICS_PATH
from testbed.record.metrics import MetricLog

# A page costs the process that makes it five to ten milliseconds of CPU, which the costs of a job
# contain: once a second would be a tenth of what a lightly loaded node uses at all.
INTERVAL = 5.0
# For what is so short that a page within it would be a part of its cost.
AT_THE_ENDS = math.inf
TIMEOUT = 2.0


class Scraper:
    """A thread that writes every process's metrics to ``metrics.jsonl.gz``.

    ``addresses`` has ``host:port`` by the name of the process; ``interval`` is in seconds. Scrapes
    fall on whole multiples of it on the clock, so that windows of whole seconds begin and end
    with one. With :data:`AT_THE_ENDS` there are none but at the start and at the end. A process
    that does not answer is recorded as that. A context manager: entering it scrapes, leaving it
    scrapes once more, stops the thread and raises what went wrong in it.
    """

    def __init__(
        self, folder: Path, addresses: Mapping[str, str], interval: float = INTERVAL
    ) -> None:
        self._log = MetricLog(folder)
        self._addresses = dict(addresses)
        self._interval = interval
        self._cpu_seconds = 0.0
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="scraper", daemon=True)

    def scrape(self) -> None:
        """Ask every process once, one after the other."""
        began = time.thread_time()
        for process, address in self._addresses.items():
            before = time.time()
            try:
                page = read_page(address)
            except (OSError, http.client.HTTPException) as error:
                self._log.failed(time.time(), process, f"{type(error).__name__}: {error}")
            else:
                took = time.time() - before
                self._log.answered(before + took / 2, process, took, page)
        self._cpu_seconds += time.thread_time() - began

    def __enter__(self) -> Self:
        self._log.__enter__()
        try:
            self.scrape()
            if self._interval < AT_THE_ENDS:
                self._thread.start()
        except BaseException:
            self._log.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        with self._log:
            if self._error is None:
                self.scrape()
                self._log.cost(time.time(), self._cpu_seconds)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        due = 0.0
        try:
            while True:
                # A wait may end a little early by the clock: each multiple has one scrape only.
                due = max(due + self._interval, self._next(time.time()))
                if self._stop.wait(min(self._interval, max(0.0, due - time.time()))):
                    return
                self.scrape()
        except BaseException as error:  # the thread that drives raises it
            self._error = error

    def _next(self, unix: float) -> float:
        return (unix // self._interval + 1) * self._interval


def read_page(address: str) -> str:
    """Return the metrics page at ``host:port``, whose path is /metrics unless it follows.

    Raises ``OSError`` or ``HTTPException``.
    """
    server, slash, path = address.partition("/")
    connection = http.client.HTTPConnection(server, timeout=TIMEOUT)
    try:
        where = f"/{path}" if slash else METRICS_PATH
        connection.request("GET", where, headers={"Accept": "text/plain"})
        response = connection.getresponse()
        page = response.read().decode("utf-8", errors="replace")
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise http.client.HTTPException(f"status {response.status}")
    return page
