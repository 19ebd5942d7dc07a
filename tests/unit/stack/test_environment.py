"""What the processes that the testbed starts get of the environment of whoever starts it."""

from __future__ import annotations

from testbed.stack import environment
from tests.support.paths import ROOT

ROOT = str(ROOT)
USUAL = {"PATH": "/bin", "HOME": "/home/me", "LANG": "C.UTF-8", "LC_ALL": "C"}
AMBIENT = {
    "LOAD_MIX": "submit=1",
    "LOCUST_USERS": "9",
    "GRPC_VERBOSITY": "debug",
    "GEVENT_LOOP": "libuv",
    "PYTHONOPTIMIZE": "2",
    "PYTHONPATH": "/elsewhere",
    "TASKQUEUE_LEASE": "1",
    "COMPOSE_PROFILES": "load",
    "GIT_DIR": "/elsewhere",
    "LD_PRELOAD": "other.so",
    "http_proxy": "http://127.0.0.1:9",
    "TESTBED_STACK": "somebody",
}


def test_processes_get_nothing_that_programs_read_by_themselves() -> None:
    assert environment.of_process({**USUAL, **AMBIENT}) == {**USUAL, "PYTHONPATH": ROOT}


def test_variables_that_are_named_are_passed_on_and_recorded() -> None:
    named = {"TESTBED_PASS": "GRPC_VERBOSITY, LD_PRELOAD"}
    given = {**USUAL, **AMBIENT, **named}
    passed = {**named, "GRPC_VERBOSITY": "debug", "LD_PRELOAD": "other.so"}
    assert environment.of_process(given) == {**USUAL, **passed, "PYTHONPATH": ROOT}
    assert environment.on_purpose(given) == passed


def test_proxy_is_passed_on_only_if_it_is_asked_for() -> None:
    given = {**USUAL, "http_proxy": "http://proxy:1", "TESTBED_PROXY": "1"}
    assert environment.of_process(given)["http_proxy"] == "http://proxy:1"
    assert environment.on_purpose(given).keys() == {"http_proxy", "TESTBED_PROXY"}


def test_client_of_the_engine_knows_the_engine_and_how_images_get_to_it() -> None:
    more = {"DOCKER_HOST": "tcp://10.0.0.1:2375", "HTTPS_PROXY": "http://proxy:1"}
    given = environment.of_engine({**USUAL, **AMBIENT, **more})
    assert given.items() >= more.items()
    assert "COMPOSE_PROFILES" not in given
