"""A job of every kind, and what it has to produce."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from tests.support.client import spec

# Kinds that do not take any payload, and one that each of them cannot read.
UNREADABLE = {
    "sleep": b'{"milliseconds":-1}',
    "spin": b'{"milliseconds":"long"}',
    "fail": b'{"reason":"not upper snake"}',
    "word_count": b"\xff\xfe",
    "text_stats": b"good, then \xc3\x28",
    "matrix_multiply": b'{"size":100000}',
}
# Inputs that have broken JSON readers.
NASTY = {
    "no JSON": b"{",
    "no object": b"[]",
    "unknown parameter": b'{"millisecond":1}',
    "parameter twice": b'{"milliseconds":1,"milliseconds":2}',
    "NaN": b'{"milliseconds":NaN}',
    "infinity": b'{"milliseconds":1e999}',
    "number of 5000 digits": b'{"milliseconds":' + b"9" * 5000 + b"}",
    "deep nesting": b'{"milliseconds":' + b"[" * 100_000,
    "lone surrogate": b'{"\\ud800":1}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "true for a number": b'{"milliseconds":true}',
}


def _json(kind: str, execution_timeout: float | None = None, **fields: object) -> pb.JobSpec:
    return spec(kind, json.dumps(fields).encode(), execution_timeout)


def noop() -> pb.JobSpec:
    """A job that does nothing."""
    return spec("noop")


def sleep(milliseconds: float, execution_timeout: float | None = None) -> pb.JobSpec:
    """A job that waits."""
    return _json("sleep", execution_timeout, milliseconds=milliseconds)


def spin(milliseconds: float, execution_timeout: float | None = None) -> pb.JobSpec:
    """A job that burns CPU time."""
    return _json("spin", execution_timeout, milliseconds=milliseconds)


def fail(message: str) -> pb.JobSpec:
    """A job that fails."""
    return _json("fail", reason="ON_PURPOSE", message=message)


def word_count(text: str) -> pb.JobSpec:
    """A job that counts words."""
    return spec("word_count", text.encode())


@dataclass(frozen=True)
class Sample:
    """A job, and whether an output is the one that it has to produce."""

    name: str
    job: pb.JobSpec
    is_output: Callable[[bytes], bool]


def _produces(**expected: object) -> Callable[[bytes], bool]:
    return lambda output: json.loads(output).items() >= expected.items()


def _is_empty(output: bytes) -> bool:
    return output == b""


SAMPLES = (
    Sample("noop", noop(), _is_empty),
    Sample("noop with a payload", spec("noop", b"\x00\xff"), _is_empty),
    Sample("sleep", sleep(3), _produces(milliseconds=3)),
    Sample(
        "seeded sleep",
        _json("sleep", milliseconds=4, jitter=0.5, seed=7),
        lambda output: 2 <= json.loads(output)["milliseconds"] <= 6,
    ),
    Sample("spin", spin(3), _produces(milliseconds=3)),
    Sample(
        "word_count",
        word_count("To be, or not to be: ça dépend"),
        _produces(
            words=8,
            distinct=6,
            top=[
                {"word": "be", "count": 2},
                {"word": "to", "count": 2},
                {"word": "dépend", "count": 1},
                {"word": "not", "count": 1},
                {"word": "or", "count": 1},
                {"word": "ça", "count": 1},
            ],
        ),
    ),
    Sample("word_count of nothing", spec("word_count"), _produces(words=0, distinct=0, top=[])),
    Sample(
        "text_stats",
        spec("text_stats", "One two. Three!\n\nVier fünf".encode()),
        _produces(words=5, sentences=3, paragraphs=2, lines=3, characters=26, longest_word=5),
    ),
    Sample(
        "matrix_multiply",
        _json("matrix_multiply", size=3, seed=1),
        _produces(size=3, seed=1),
    ),
)


def large_sample() -> Sample:
    """A job with a payload near the limit."""
    words = [f"w{number % 1000:03}" for number in range(200_000)]
    return Sample("large", word_count(" ".join(words)), _produces(words=len(words), distinct=1000))
