from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from common import guarantees
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from testbed.stack.sides import declaration
from testbed.stack.sides.declaration import DeclarationError
from tests.support.paths import ROOT

WHOLE: dict[str, Any] = {
    "about": "ours",
    "durability": "disk",
    "delivery": "exactly-once",
    "slots": 12_000,
    "methods": ["SubmitJob", "GetJobStatus", "ListJobs"],
}


def test_what_a_declaration_says_are_facts_of_its_side() -> None:
    found = declaration.parse(WHOLE, "ours.toml")
    assert found.facts == {
        "durability": "disk",
        "delivery": "exactly-once",
        "slots": "12,000",
        "methods": "GetJobStatus,ListJobs,SubmitJob",
    }
    assert found.lacks("CancelJob")
    assert not found.lacks("ListJobs")


def test_what_it_says_may_differ_because_of_it_but_durability() -> None:
    found = declaration.parse(WHOLE, "ours.toml")
    assert found.declared == dict.fromkeys(
        ("delivery", "slots", "methods"), "declaration ours.toml"
    )


def test_methods_that_a_mix_calls_and_it_lacks_are_named() -> None:
    found = declaration.parse(WHOLE, "ours.toml")
    assert found.unserved("submit=40,status=30,result=20,cancel=5,list=5") == (
        "GetJobResult",
        "CancelJob",
    )
    assert found.unserved("submit=1,result=0,cancel=0") == ()


def test_what_it_does_not_say_is_unknown() -> None:
    found = declaration.parse({"about": "ours"}, "ours.toml")
    assert (found.facts, found.declared, found.lacks("ListJobs")) == ({}, {}, False)


def test_all_that_is_wrong_is_named_by_its_key() -> None:
    wrong = {
        "durability": "solid",
        "delivery": 1,
        "slots": True,
        "methods": ["SubmitJob", "Submit"],
        "replicas": 3,
    }
    with pytest.raises(DeclarationError) as caught:
        declaration.parse(wrong, "ours.toml")
    assert str(caught.value).splitlines() == [
        "ours.toml: replicas: unknown key",
        "ours.toml: durability: 'solid' is none of none, delayed, process, disk, replicated",
        "ours.toml: delivery: 1 is none of at-most-once, at-least-once, exactly-once",
        "ours.toml: slots: True is not a whole number from 1 to 1,000,000",
        "ours.toml: methods: 'Submit': none of CancelJob, GetJobResult, GetJobStatus, ListJobs, "
        "SubmitJob",
        "ours.toml: about: is missing",
    ]
    assert "keys: about, durability, delivery, slots, methods" in caught.value.hint


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("slots", 0, "0 is not a whole number"),
        ("slots", 1.5, "1.5 is not a whole number"),
        ("methods", [], r"\[\] is not a list of methods"),
        ("methods", ["ListJobs", "ListJobs"], "a method is named twice"),
        ("methods", [["ListJobs"]], r"\['ListJobs'\]: none of"),
        ("about", " ", "' ' is not a sentence"),
    ],
)
def test_impossible_value_is_refused(key: str, value: object, problem: str) -> None:
    with pytest.raises(DeclarationError, match=problem):
        declaration.parse({**WHOLE, key: value}, "ours.toml")


def test_file_that_is_not_there_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=f"there is no declaration {tmp_path}/none.toml"):
        declaration.read(f"{tmp_path}/none.toml")
    (tmp_path / "bad.toml").write_text("about = ours")
    with pytest.raises(DeclarationError, match=f"{tmp_path}/bad.toml: .*line 1"):
        declaration.read(f"{tmp_path}/bad.toml")
    with pytest.raises(DeclarationError, match=f"{tmp_path}: Is a directory"):
        declaration.read(str(tmp_path))


def test_example_says_what_our_own_designs_say_too() -> None:
    found = declaration.read(str(ROOT / "examples" / "declaration.toml"))
    assert found.facts["methods"] == ",".join(guarantees.METHODS)
    assert (found.durability, found.delivery, found.slots) == ("none", "at-least-once", 12)


def test_words_of_the_documentation_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "external-servers.md").read_text()
    for word, text in (*guarantees.DURABILITY.items(), *guarantees.DELIVERY.items()):
        assert f"| `{word}` | {text} |" in page


def test_methods_are_those_of_the_contract() -> None:
    service = pb.DESCRIPTOR.services_by_name["TaskQueueService"]
    assert tuple(sorted(each.name for each in service.methods)) == guarantees.METHODS
