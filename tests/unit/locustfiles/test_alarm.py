"""The moments at which calls of an open loop are woken for, without a load generator."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import gevent
import pytest

from tests.unit.locustfiles.modules import load

alarms = load("alarm")

AHEAD = 0.01
"""Seconds by which a moment lies ahead; how much later it rings is not asked."""


@pytest.fixture(params=["of the kernel", "of the event loop"])
def alarm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An alarm, with each kind of timer that there may be."""
    if request.param == "of the event loop":
        monkeypatch.setattr(alarms, "_timer", lambda: (None, None))
    with alarms.Alarm() as each:
        yield each


def test_an_alarm_never_rings_before_its_moment(alarm: Any) -> None:
    for _ in range(5):
        moment = time.perf_counter() + AHEAD
        alarm.until(moment)
        assert time.perf_counter() >= moment


def test_others_run_while_it_waits_and_also_if_the_moment_has_passed(alarm: Any) -> None:
    ran: list[str] = []
    gevent.spawn(ran.append, "while it waits")
    alarm.until(time.perf_counter() + AHEAD)
    gevent.spawn(ran.append, "though the moment has passed")
    alarm.until(time.perf_counter() - 1)
    assert ran == ["while it waits", "though the moment has passed"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these timers")
def test_on_linux_no_alarm_is_left_to_the_whole_milliseconds_of_epoll(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(alarms.gevent, "sleep", slept.append)
    with alarms.Alarm() as alarm:
        assert alarm.exact
        alarm.until(time.perf_counter() + AHEAD)
    assert slept == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these timers")
def test_an_alarm_leaves_no_file_open_even_if_its_greenlet_is_killed() -> None:
    opened: list[int] = []

    def wait() -> None:
        with alarms.Alarm() as alarm:
            opened.append(alarm._file)
            alarm.until(time.perf_counter() + 3600)

    waiting = gevent.spawn(wait)
    gevent.sleep(0)
    (file,) = opened
    os.fstat(file)
    waiting.kill()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)
