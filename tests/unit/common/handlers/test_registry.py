from __future__ import annotations

import importlib
import pickle

import pytest

from common.domain.errors import UnknownKind, UnreadablePayload
from common.domain.job import JobSpec
from common.handlers.registry import Handler, HandlerRegistry, JobFailed, RegistryError, load

KINDS = ["fail", "matrix_multiply", "noop", "sleep", "spin", "text_stats", "word_count"]

KIND_SOURCE = """
from common.handlers.registry import Handler
async def run(params): return params
HANDLER = Handler({name!r}, "a kind of a test", bytes, run)
"""


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """Makes importable packages of kinds from the sources of their modules."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"kinds_{abs(hash(request.node.name))}"

    def make(**sources: str):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        for module, source in sources.items():
            (folder / f"{module}.py").write_text(source)
        return importlib.import_module(name)

    return make


def test_all_kinds_are_found() -> None:
    assert load().names() == KINDS


def test_file_dropped_into_the_package_is_a_new_kind(package) -> None:
    assert load(package(reverse=KIND_SOURCE.format(name="reverse"))).names() == ["reverse"]


def test_private_modules_are_no_kinds(package) -> None:
    made = package(_shared="raise RuntimeError", one=KIND_SOURCE.format(name="one"))

    assert load(made).names() == ["one"]


def test_two_modules_with_the_same_kind_are_refused_by_name(package) -> None:
    source = KIND_SOURCE.format(name="twice")

    with pytest.raises(RegistryError, match="'twice' has two handlers"):
        load(package(one=source, two=source))


def test_module_without_handler_is_refused_by_name(package) -> None:
    with pytest.raises(RegistryError, match=r"\.forgotten has no HANDLER"):
        load(package(forgotten=""))


@pytest.mark.parametrize("name", ["", "Upper", "with space", "1st", "x" * 65])
def test_impossible_kind_names_are_refused(name: str) -> None:
    with pytest.raises(RegistryError, match="is no kind"):
        HandlerRegistry([Handler(name, "", bytes, bytes, burns_cpu=True)])


def test_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        UnknownKind, match=r"'nap' is unknown; known kinds: fail, .*word_count"
    ) as e:
        load().check(JobSpec("nap"))
    assert e.value.metadata["field"] == "job.kind"


def test_empty_kind_is_refused() -> None:
    with pytest.raises(UnknownKind, match="must not be empty"):
        load().check(JobSpec(""))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_takes_the_empty_payload(kind: str) -> None:
    load().check(JobSpec(kind))


def test_unreadable_payload_names_field_kind_and_problem() -> None:
    with pytest.raises(UnreadablePayload, match="sleep cannot read it: not JSON") as e:
        load().check(JobSpec("sleep", b"soon"))
    assert e.value.metadata["field"] == "job.payload"


@pytest.mark.parametrize("kind", KINDS)
def test_every_handler_can_travel_to_a_process(kind: str) -> None:
    handler = load().get(kind)

    assert pickle.loads(pickle.dumps(handler)) == handler


def test_failure_reason_must_be_upper_snake_case() -> None:
    with pytest.raises(ValueError, match="upper snake case"):
        JobFailed("went wrong", "")
