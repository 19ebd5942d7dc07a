"""Histories of a perfect queue, simulated from a seed, with all that makes checking hard.

Calls overlap, take effect at any moment between their begin and their end, are answered late or
never, take effect after their caller has given up; submits are repeated, undone and refused; jobs
are run again after a loss; nodes are killed with what they hold. All in virtual time.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import random
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from testbed.check.observations import AUDIT
from testbed.record.history import lines
from testbed.record.history.files import collector_paused
from testbed.record.history.lines import Answer, Asked
from testbed.record.history.model import (
    IDS_BY_HOME,
    OPEN_END,
    CallOutcome,
    FaultEvent,
    History,
    Listed,
    Operation,
    Page,
    Submitted,
)
from tests.support.perfect_queue import NODES, TERMINAL, UNIX_US, PerfectQueue, Refused

KINDS = ("noop", "sleep", "word_count")
CLOCK_US = 1_000_000
_LATE = 40_000  # the longest that an indefinite call may take, and its effect after it
_CALLS = (lines.SUBMIT, lines.STATUS, lines.RESULT, lines.CANCEL, lines.LIST)


@dataclasses.dataclass(frozen=True)
class Odds:
    """How often what happens: parts of all calls, of executions for ``crash``, of scans."""

    indefinite: float = 0.05
    refused: float = 0.03
    request_id: float = 0.4
    crash: float = 0.1
    whole_scan: float = 0.3
    mix: tuple[int, ...] = (30, 30, 15, 12, 13)
    kills: int = 0


def perfect(seed: int, calls: int = 400, clients: int = 8, odds: Odds | None = None) -> History:
    """Return a history of about so many calls, and the audit's."""
    return _Simulation(seed, calls, clients, odds or Odds()).run()


class _Simulation:
    def __init__(self, seed: int, calls: int, clients: int, odds: Odds) -> None:
        self._rng = random.Random(seed)
        self._left = calls
        self._clients = clients
        self._odds = odds
        self._now = CLOCK_US
        self._coming: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._ids = itertools.count(1)
        self._scans = itertools.count(1)
        self._done: list[Operation] = []
        self._faults: list[FaultEvent] = []
        self._known: deque[str] = deque(maxlen=60)
        self._used: deque[Submitted] = deque(maxlen=30)
        self._accepted: dict[str, None] = {}
        self._queue = PerfectQueue(self._rng, lambda: self._now, self._later, odds.crash)

    def run(self) -> History:
        for number in range(self._clients):
            self._later(number, lambda name=f"user-{number}": self._next(name))
        for number in range(self._odds.kills):
            self._later(self._rng.randrange(10_000, 60_000) * (number + 1), self._kill)
        self._drain()
        todo = iter(list(self._accepted))
        for _ in range(4):
            self._audit(todo)
        self._drain()
        self._list(AUDIT, lambda _answer: None, whole=True)
        self._drain()
        self._done.sort(key=lambda operation: (operation.invoked, operation.id))
        faults = tuple(self._faults)
        return History(tuple(self._done), faults, "b", UNIX_US, CLOCK_US, ids=IDS_BY_HOME)

    def _drain(self) -> None:
        while self._coming:
            self._now, _, event = heapq.heappop(self._coming)
            event()

    def _later(self, delay: int, event: Callable[[], None]) -> None:
        heapq.heappush(self._coming, (self._now + delay, next(self._order), event))

    def _next(self, client: str) -> None:
        """Make the client's next call, and after it the one after that."""
        if self._left <= 0:
            return
        self._left -= 1

        def again(_answer: Answer | None) -> None:
            self._later(self._rng.randrange(2000), lambda: self._next(client))

        (call,) = self._rng.choices(_CALLS, self._odds.mix)
        if call == lines.SUBMIT or not self._known:
            self._submit(client, self._job(), again)
        elif call == lines.LIST:
            self._list(client, again)
        else:
            self._about(client, call, self._rng.choice(self._known), again)

    def _job(self) -> Submitted:
        if self._used and self._rng.random() < 0.1:  # somebody repeats what was submitted
            used = self._rng.choice(self._used)
            other = self._rng.random() < 0.3
            return dataclasses.replace(used, digest="other") if other else used
        request_id = ""
        if self._rng.random() < self._odds.request_id:
            request_id = f"r{self._rng.getrandbits(48):012x}"
        digest = f"{self._rng.getrandbits(64):016x}"
        job = Submitted(self._rng.choice(KINDS), digest, request_id)
        if request_id:
            self._used.append(job)
        return job

    def _submit(self, client: str, job: Submitted, then: Callable[[Any], None]) -> None:
        def effect() -> Answer:
            job_id = self._queue.submit(job)
            self._queue.enqueue(job_id)
            return job_id

        def undone() -> None:
            job_id = self._queue.submit(job)
            self._later(self._rng.randrange(600), lambda: self._queue.withdraw(job_id))

        def accepted(answer: Answer | None) -> None:
            if isinstance(answer, str):
                self._accepted[answer] = None
                self._known.append(answer)
                then(answer)
            elif job.request_id and self._rng.random() < 0.7:
                self._later(self._rng.randrange(1000), lambda: self._submit(client, job, then))
            else:
                then(None)

        self._call(client, lines.SUBMIT, job, effect, accepted, undone)

    def _about(self, client: str, call: str, job_id: str, then: Callable[[Any], None]) -> None:
        read = {
            lines.STATUS: self._queue.status,
            lines.RESULT: self._queue.result,
            lines.CANCEL: self._queue.cancel,
        }[call]
        self._call(client, call, job_id, lambda: read(job_id), then)

    def _list(self, client: str, then: Callable[[Any], None], whole: bool = False) -> None:
        state = self._rng.choice(("", "", "", "QUEUED", "RUNNING", *TERMINAL))
        kind = self._rng.choice(("", "", *KINDS))
        if whole:
            state = kind = ""
        size = self._rng.choice((3, 10, 20))
        scan = f"{client}/{next(self._scans)}"
        whole = whole or self._rng.random() < self._odds.whole_scan
        pages = 1 << 30 if whole else self._rng.randrange(1, 4)

        def ask(number: int, before: str, first: Listed | None = None) -> None:
            page = Page(scan, number, state, kind, size)

            def answered(answer: Answer | None) -> None:
                if isinstance(answer, Listed):
                    self._known.extend(seen.job_id for seen in answer.jobs[:2])
                    if first is None and self._rng.random() < 0.1:  # asks once more
                        ask(number, before, answer)
                        return
                    goes_on = self._rng.choice((first or answer, answer))
                    if goes_on.more and number + 1 < pages:
                        ask(number + 1, goes_on.jobs[-1].job_id)
                        return
                then(None)

            effect = lambda: self._queue.page(page, before)  # noqa: E731
            self._call(client, lines.LIST, page, effect, answered)

        ask(0, "")

    def _audit(self, todo: Iterator[str]) -> None:
        job_id = next(todo, None)
        if job_id is None:
            return
        ask_next = lambda _answer: self._audit(todo)  # noqa: E731
        result = lambda _answer: self._about(AUDIT, lines.RESULT, job_id, ask_next)  # noqa: E731
        self._about(AUDIT, lines.STATUS, job_id, result)

    def _kill(self) -> None:
        """Kill a node some time into a fault; what it holds is lost."""
        home = self._rng.randrange(NODES)
        lasts = self._rng.randrange(10_000, 30_000)
        name = f"node-{home}"
        identity = next(self._ids)
        span = self._now, self._now + lasts
        event = FaultEvent(identity, "kill", (name,), *span, (name,), lost_jobs=(home,))
        self._faults.append(event)
        self._later(self._rng.randrange(lasts), lambda: self._queue.kill(home))

    def _call(
        self,
        client: str,
        call: str,
        asked: Asked,
        effect: Callable[[], Answer],
        then: Callable[[Answer | None], None],
        undone: Callable[[], None] | None = None,
    ) -> None:
        """Make a call: it is answered, refused without effect, or nobody knows."""
        made = Operation(
            next(self._ids),
            client,
            f"node-{self._rng.randrange(NODES)}:1",
            call,
            asked,
            self._now,
        )
        luck = self._rng.random()
        if client == AUDIT:
            luck = 1.0
        if luck < self._odds.indefinite:
            self._indefinite(made, effect, then, undone)
        elif luck < self._odds.indefinite + self._odds.refused:
            takes = self._rng.randrange(100, 3000)
            if undone is not None and self._rng.random() < 0.5:
                self._later(0, self._quietly(undone))
                takes += 600
            full = Refused("RESOURCE_EXHAUSTED", "QUEUE_FULL")
            self._later(takes, lambda: self._end(made, then, None, full))
        else:
            self._later(self._rng.randrange(1500), lambda: self._take_effect(made, effect, then))

    def _take_effect(
        self, made: Operation, effect: Callable[[], Answer], then: Callable[[Answer | None], None]
    ) -> None:
        answer: Answer | None = None
        refusal: Refused | None = None
        try:
            answer = effect()
        except Refused as error:
            refusal = error
        self._later(self._rng.randrange(1500), lambda: self._end(made, then, answer, refusal))

    def _end(
        self,
        made: Operation,
        then: Callable[[Answer | None], None],
        answer: Answer | None,
        refusal: Refused | None,
    ) -> None:
        ended: dict[str, Any] = {"outcome": CallOutcome.OK, "answer": answer}
        if refusal is not None:
            ended = {"outcome": CallOutcome.FAIL, "code": refusal.code, "reason": refusal.reason}
        self._done.append(dataclasses.replace(made, completed=self._now, **ended))
        then(answer)

    def _indefinite(
        self,
        made: Operation,
        effect: Callable[[], Answer],
        then: Callable[[Answer | None], None],
        undone: Callable[[], None] | None,
    ) -> None:
        happens = self._rng.choice(("never", "effect", "effect", "undone"))
        if happens == "undone" and undone is not None:
            self._later(self._rng.randrange(_LATE), self._quietly(undone))
        elif happens != "never":
            self._later(self._rng.randrange(_LATE), self._quietly(effect))
        takes = self._rng.randrange(100, _LATE // 2)
        if self._rng.random() < 0.3:  # its end is never recorded
            self._done.append(made)
            self._later(takes, lambda: then(None))
            return
        code = self._rng.choice(("UNAVAILABLE", "DEADLINE_EXCEEDED"))
        self._later(takes, lambda: self._lose(dataclasses.replace(made, code=code), then))

    def _lose(self, made: Operation, then: Callable[[Answer | None], None]) -> None:
        self._done.append(dataclasses.replace(made, completed=self._now))
        then(None)

    @staticmethod
    def _quietly(effect: Callable[[], Any]) -> Callable[[], None]:
        def happen() -> None:
            try:
                effect()
            except Refused:
                return

        return happen


def write(history: History, path: Path) -> Path:
    """Write a history as a writer would have written it while it happened."""
    head: dict[str, Any] = {
        "format": lines.FORMAT,
        "design": history.design,
        "ids": history.ids,
    }
    head |= {"unix_us": history.unix_us, "clock_us": history.clock_us}
    with path.open("wb") as file:
        for line in (head, *(each for _, _, each in sorted(_events(history), key=_by_time))):
            file.write(msgspec.json.encode(line) + b"\n")
    return path


def _by_time(event: tuple[int, int, dict[str, Any]]) -> tuple[int, int]:
    return event[:2]


def _events(history: History) -> Iterator[tuple[int, int, dict[str, Any]]]:
    for each in history.operations:
        fields = {"client": each.client, "at": each.endpoint, "call": each.call}
        asked = {"t": each.invoked, "invoke": each.id, **fields, **lines.write_asked(each.asked)}
        yield each.invoked, each.id, asked
        if each.completed == OPEN_END:
            continue
        if each.answer is not None:
            end = {"t": each.completed, "ok": each.id, **lines.write_answer(each.answer)}
        else:
            name = "fail" if each.outcome is CallOutcome.FAIL else "info"
            end = {"t": each.completed, name: each.id, "code": each.code, "reason": each.reason}
        yield each.completed, OPEN_END, end
    for fault in history.faults:
        what = {"kind": fault.kind, "targets": fault.targets}
        what |= {"lost_state": fault.lost_state, "lost_jobs": fault.lost_jobs}
        yield fault.begun, fault.id, {"t": fault.begun, "fault": fault.id, **what}
        if fault.ended < OPEN_END:
            yield fault.ended, OPEN_END, {"t": fault.ended, "healed": fault.id}


def main() -> None:
    """Write a large history of traffic as the load makes it: ``CALLS FILE``."""
    calls, path = int(sys.argv[1]), Path(sys.argv[2])
    odds = Odds(indefinite=0.01, refused=0.01, crash=0.01, whole_scan=0.0, mix=(40, 30, 20, 5, 5))
    with collector_paused():
        write(perfect(1, calls, clients=50, odds=odds), path)


if __name__ == "__main__":
    main()
