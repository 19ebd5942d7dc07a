from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.errors import UnreadablePayload
from common.domain.job import JobSpec
from common.handlers.registry import load

REGISTRY = load()
JSON_KINDS = ["sleep", "spin", "matrix_multiply", "fail"]
TEXT_KINDS = ["word_count", "text_stats"]


def problem(kind: str, payload: bytes) -> str:
    with pytest.raises(UnreadablePayload) as caught:
        REGISTRY.check(JobSpec(kind, payload))
    return caught.value.message


@pytest.mark.parametrize(
    ("kind", "parameters", "expected"),
    [
        ("sleep", {"milliseconds": -1}, "milliseconds must be 0 to 600000, is -1"),
        ("sleep", {"milliseconds": 600_001}, "milliseconds must be 0 to 600000, is 600001"),
        ("sleep", {"milliseconds": "5"}, "milliseconds must be a number, is '5'"),
        ("sleep", {"milliseconds": True}, "milliseconds must be a number, is True"),
        ("sleep", {"jitter": 1.5}, "jitter must be 0 to 1, is 1.5"),
        ("sleep", {"failure_probability": -0.1}, "failure_probability must be 0 to 1, is -0.1"),
        ("sleep", {"seed": 1.0}, "seed must be a whole number, is 1.0"),
        ("sleep", {"milisecs": 5}, "unknown parameter 'milisecs' (known: milliseconds, jitter"),
        ("sleep", {"seed": -1, "jitter": 2}, "jitter must be 0 to 1, is 2; seed must be 0"),
        ("spin", {"milliseconds": None}, "milliseconds must be a number, is None"),
        ("spin", {"milliseconds": 10**400}, "milliseconds must be 0 to 600000, is 1000"),
        ("matrix_multiply", {"size": 0}, "size must be 1 to 512, is 0"),
        ("matrix_multiply", {"size": 513}, "size must be 1 to 512, is 513"),
        ("matrix_multiply", {"size": 2.5}, "size must be a whole number, is 2.5"),
        ("fail", {"reason": "so what"}, "reason must be upper snake case, is 'so what'"),
        ("fail", {"message": 5}, "message must be a string, is 5"),
        ("fail", {"message": "x" * 1001}, "message must have at most 1000 characters, has 1001"),
    ],
)
def test_bad_parameter_is_named_with_what_it_must_be(kind, parameters, expected) -> None:
    assert expected in problem(kind, json.dumps(parameters).encode())


@pytest.mark.parametrize("kind", JSON_KINDS)
@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"{", "not JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b"{}\xff", "not UTF-8 at byte 2"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"milliseconds": NaN}', "NaN is not a number in JSON"),
        (b'{"seed": 1, "seed": 2}', "a parameter is given twice"),
    ],
)
def test_payload_that_is_no_json_object_is_refused(kind, payload, expected) -> None:
    assert expected in problem(kind, payload)


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_text_that_is_not_utf8_is_refused_at_its_first_bad_byte(kind: str) -> None:
    assert "not UTF-8 at byte 3" in problem(kind, b"abc\xff\xfe")


@given(payload=st.binary(max_size=200))
def test_noop_takes_any_payload(payload: bytes) -> None:
    REGISTRY.check(JobSpec("noop", payload))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    kind=st.sampled_from(JSON_KINDS),
    payload=st.binary(max_size=50)
    | st.dictionaries(
        st.sampled_from(["milliseconds", "jitter", "seed", "size", "reason", "x"]), JSON_VALUES
    ).map(lambda value: json.dumps(value).encode()),
)
def test_any_payload_is_either_read_or_refused_as_unreadable(kind: str, payload: bytes) -> None:
    message = f"{kind} cannot read it"
    try:
        REGISTRY.check(JobSpec(kind, payload))
    except UnreadablePayload as error:
        message = error.message
    assert f"{kind} cannot read it".encode() in message.encode()
