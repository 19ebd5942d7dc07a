"""Strategies for messages: any fields of a type, and bytes that nearly are a message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

# Against running processes: what is found is not shrunk by thousands of further calls.
FUZZED = settings(
    max_examples=60,
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)

_INT32 = st.sampled_from([0, 1, -1, 7, 99, 2**31 - 1, -(2**31)])
_INT64 = st.sampled_from([0, 1, -1, 10**9, 315_576_000_000, 315_576_000_001, 2**63 - 1, -(2**63)])
_UINT32 = st.sampled_from([0, 1, 2, 12, 1001, 2**32 - 1])


def messages(kind: Descriptor, texts: Sequence[str]) -> st.SearchStrategy[bytes]:
    """Messages of a type with any fields, and now and then fields that it does not have."""
    unknown = st.sampled_from([b"", b"", b"\xf8\x7f\x01", b"\xfa\x7f\x03abc", b"\x0f", b"\x08\x01"])
    return st.tuples(_built(kind, texts), unknown).map(
        lambda parts: parts[0].SerializeToString() + parts[1]
    )


@st.composite
def mutated(draw: Callable[..., Any], valid: bytes) -> bytes:
    """Return a valid message with some bytes changed, left out, doubled or added."""
    raw = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(raw) - 1)))
        match draw(st.sampled_from(["change", "cut", "double", "add"])):
            case "change" if raw:
                raw[at] = draw(st.integers(0, 255))
            case "cut":
                del raw[at:]
            case "double":
                raw += raw[at:]
            case _:
                raw[at:at] = draw(st.binary(max_size=8))
    return bytes(raw)


def _built(kind: Descriptor, texts: Sequence[str]) -> st.SearchStrategy[Any]:
    fields = {field.name: _field(field, texts) for field in kind.fields}
    chosen = st.fixed_dictionaries({}, optional=fields)
    return chosen.map(lambda values: GetMessageClass(kind)(**values))


def _field(field: FieldDescriptor, texts: Sequence[str]) -> st.SearchStrategy[Any]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return st.just({})
    value = _value(field, texts)
    return st.lists(value, max_size=3) if field.is_repeated else value


def _value(field: FieldDescriptor, texts: Sequence[str]) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return _built(field.message_type, texts)
    strategies: dict[int, st.SearchStrategy[Any]] = {
        FieldDescriptor.TYPE_STRING: st.one_of(
            st.sampled_from(texts),
            st.text(st.characters(codec="utf-8"), max_size=40),
            st.just("x" * 100_000),
        ),
        FieldDescriptor.TYPE_BYTES: st.binary(max_size=64),
        FieldDescriptor.TYPE_BOOL: st.booleans(),
        FieldDescriptor.TYPE_INT64: _INT64,
        FieldDescriptor.TYPE_INT32: _INT32,
        FieldDescriptor.TYPE_ENUM: _INT32,
        FieldDescriptor.TYPE_UINT32: _UINT32,
    }
    return strategies[field.type]
