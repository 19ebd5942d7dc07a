"""The same calls to every design: a client cannot tell them apart."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.client import Client
from tests.support.script import SCRIPTS, SUBMISSIONS, Player, Step
from tests.support.targets import SERVERS, STORED, Targets, chosen_targets

MEMORY = "memory"

# One walk through every kind of step, so that each is compared whatever is drawn.
WALK: list[Step] = [
    *(("submit", number, None) for number in range(len(SUBMISSIONS))),
    ("submit", 0, 1),
    ("submit", 0, 1),
    ("submit", 2, 1),
    ("block",),
    *(("finish", number) for number in range(len(SUBMISSIONS) + 2)),
    *(("result", number) for number in range(len(SUBMISSIONS) + 2)),
    *(("cancel", number) for number in range(len(SUBMISSIONS) + 2)),
    *(("result", number) for number in range(len(SUBMISSIONS) + 2)),
    *(("list", state, kind, 3) for state in range(6) for kind in ("", "noop", "fail")),
]


@pytest.fixture(
    scope="module",
    params=[MEMORY, *(pytest.param(name, marks=pytest.mark.needs(name)) for name in SERVERS)],
)
def everyone(request: pytest.FixtureRequest, targets: Targets) -> Iterator[dict[str, Client]]:
    """A client of each design with one store, and of one that has its state in memory."""
    chosen = chosen_targets(request.config)
    names = [name for name in chosen if STORED.get(name, MEMORY) == request.param]
    if request.param != MEMORY:
        names = [*[name for name in chosen if name not in STORED][:1], *names]
    if len(names) < 2:
        pytest.skip("a comparison takes two targets")
    clients = {name: Client(targets.get(name).endpoints) for name in names}
    yield clients
    for client in clients.values():
        client.close()


def _assert_alike(everyone: dict[str, Client], script: list[Step]) -> None:
    name = uuid.uuid4().hex
    observed = {design: Player(client, name).play(script) for design, client in everyone.items()}
    first, *others = observed
    for design in others:
        for number, step in enumerate(script):
            assert observed[design][number] == observed[first][number], (
                f"{design} differs from {first} in step {number}, {step}"
            )


def test_every_kind_of_call_is_answered_alike(everyone: dict[str, Client]) -> None:
    _assert_alike(everyone, WALK)


@pytest.mark.slow
@settings(
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(script=SCRIPTS)
def test_random_calls_are_answered_alike(everyone: dict[str, Client], script: list[Step]) -> None:
    _assert_alike(everyone, script)


@settings(max_examples=60, derandomize=True)
@given(kind=st.text(max_size=80), payload=st.binary(max_size=200), request_id=st.text(max_size=40))
def test_any_submit_is_answered_alike(
    everyone: dict[str, Client], kind: str, payload: bytes, request_id: str
) -> None:
    name = uuid.uuid4().hex
    answers = {
        design: Player(client, name).answer_to(kind, payload, name + request_id)
        for design, client in everyone.items()
    }
    assert len(set(answers.values())) == 1, answers
