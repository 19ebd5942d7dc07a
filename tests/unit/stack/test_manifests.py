"""How processes that are not ours are written down for what runs containers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from common.process_spec import COMMAND, DISK, HTTP, TCP, Image, ProcessSpec, Ready
from common.services import postgres
from common.stack_spec import StackSpec
from common.topology import Topology
from design_a.topology import TOPOLOGY as A
from testbed.errors import TestbedError
from testbed.stack import designs, manifests
from testbed.stack.observability import scrape
from testbed.stack.sides.resolve import resolve

STORE = ProcessSpec(
    "store",
    port=6379,
    ports={"admin": 6380},
    metrics_port=6381,
    metrics_path="/stats",
    holds=DISK,
    command=("redis-server", "--port", "{port}", "--bind", "{host}", "--dir", "{data}"),
    environment={"PRICE": "$1"},
    ready=Ready(COMMAND, command=("redis-cli", "-p", "{port}", "ping")),
    image=Image("redis:8", data="/var/redis"),
)
MIXED = replace(
    A,
    processes=(
        STORE,
        *(replace(each, peers=(*each.peers, "store")) for each in A.processes),
    ),
)


def rendered(form: str, topology: Topology = MIXED) -> list[dict[str, Any]]:
    text = manifests.get(form).render(topology, StackSpec())
    return [each for each in yaml.safe_load_all(text) if each]


@pytest.mark.parametrize("form", ["compose", "swarm"])
def test_official_image_is_started_with_the_command_of_the_topology(form: str) -> None:
    (document,) = rendered(form)
    store, job = document["services"]["store"], document["services"]["job"]
    assert store["image"] == "redis:8"
    assert "build" not in store
    assert store["command"] == [
        *("redis-server", "--port", "6379", "--bind", "0.0.0.0", "--dir", "/var/redis")
    ]
    # A dollar is doubled, or it would begin the name of a variable.
    assert store["environment"] == {"PRICE": "$$1"}
    assert store["healthcheck"]["test"] == ["CMD", "redis-cli", "-p", "6379", "ping"]
    assert "store=store:6379" in job["environment"]["TASKQUEUE_PEERS"].split(",")


@pytest.mark.parametrize("form", ["compose", "swarm"])
def test_image_of_others_has_its_own_user_no_secret_of_ours_and_a_volume(form: str) -> None:
    services = rendered(form)[0]["services"]
    assert "secrets" in services["job"]
    assert not services["store"].keys() & {"secrets", "read_only", "cap_drop"}
    (volume,) = services["store"]["volumes"]
    assert volume in ("/var/redis", {"type": "volume", "target": "/var/redis"})


def test_every_port_is_published_in_a_compose_file() -> None:
    store = rendered("compose")[0]["services"]["store"]
    assert store["ports"] == [f"127.0.0.1:{port}:{port}" for port in (6379, 6381, 6380)]


def test_budget_is_shared_out_over_all_processes_alike() -> None:
    services = rendered("compose")[0]["services"]
    assert services["store"]["cpus"] == services["job"]["cpus"] == round(3 / 7, 4)
    assert services["store"]["mem_limit"] == services["job"]["mem_limit"]


def test_kubernetes_leaves_the_script_of_the_image_in_place() -> None:
    objects = {(each["kind"], each["metadata"]["name"]): each for each in rendered("kubernetes")}
    template = objects["StatefulSet", "store"]["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert container["image"] == "redis:8"
    assert container["args"][0] == "redis-server"
    assert "command" not in container
    assert container["startupProbe"]["exec"] == {"command": ["redis-cli", "-p", "6379", "ping"]}
    assert container["volumeMounts"] == [{"name": "data", "mountPath": "/var/redis"}]
    assert template["spec"]["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert template["metadata"]["annotations"]["prometheus.io/path"] == "/stats"
    ports = objects["Service", "store"]["spec"]["ports"]
    assert {(each["name"], each["port"]) for each in ports} == {
        *(("port", 6379), ("metrics", 6381), ("admin", 6380))
    }


def test_process_is_asked_to_stop_by_its_own_signal() -> None:
    server = postgres.server("store", 5432, ("job",))
    stack = replace(MIXED, processes=(server, *MIXED.processes[1:]))
    for form in ("compose", "swarm"):
        (document,) = rendered(form, stack)
        assert document["services"]["store"]["stop_signal"] == "SIGINT"
        assert "stop_signal" not in document["services"]["job"]
    sets = [each for each in rendered("kubernetes", stack) if each["kind"] == "StatefulSet"]
    containers = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0] for each in sets
    }
    asked = {"exec": {"command": ["sh", "-c", "kill -s INT 1"]}}
    assert containers["store"]["lifecycle"] == {"preStop": asked}
    assert "lifecycle" not in containers["job"]


def test_copies_of_a_redis_and_their_sentinels_know_each_other_by_name_and_keep_files() -> None:
    found = resolve("b+store=redis+redis_ha=sentinel")
    document = yaml.safe_load(manifests.get("compose").render(found.topology, found.spec))
    services = document["services"]
    for name, copies in (("redis-2", "redis-1:50220"), ("sentinel-1", "redis-1:50220,redis-2:")):
        assert any(copies in word for word in services[name]["command"])
        assert services[name]["volumes"] == ["/data"]
        assert services[name]["image"] == "redis:8"
    assert "redis-3=redis-3:50222" in services["node-0"]["environment"]["TASKQUEUE_PEERS"]
    for form in ("swarm", "kubernetes"):
        assert "sentinel-3:50231" in manifests.get(form).render(found.topology, found.spec)


@pytest.mark.parametrize(
    ("ready", "probe"),
    [
        (Ready(), {"grpc": {"port": 6379}}),
        (Ready(TCP), {"tcpSocket": {"port": 6379}}),
        (Ready(HTTP, "/up"), {"httpGet": {"path": "/up", "port": 6379}}),
    ],
)
def test_kubernetes_asks_a_process_as_the_topology_says(
    ready: Ready, probe: dict[str, Any]
) -> None:
    alone = Topology("s", "", (replace(STORE, ready=ready),), ("store",))
    stateful = next(each for each in rendered("kubernetes", alone) if each["kind"] == "StatefulSet")
    asked = stateful["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    assert probe.items() <= asked.items()


@pytest.mark.parametrize("form", list(manifests.FORMATS))
def test_process_without_an_image_is_for_local_processes_alone(form: str) -> None:
    bare = replace(MIXED, processes=(replace(STORE, image=None), *A.processes))
    with pytest.raises(TestbedError, match="store of design a has no image") as refused:
        rendered(form, bare)
    assert "--runtime local" in refused.value.hint


@pytest.mark.parametrize("form", ["compose", "swarm"])
def test_design_without_processes_of_ours_asks_for_no_secret(form: str) -> None:
    (document,) = rendered(form, designs.load("node"))
    assert "secrets" not in document
    if form == "compose":
        assert document["services"]["server"]["build"] == {
            "context": "..",
            "dockerfile": "examples/node_server/Dockerfile",
            "args": ["TESTBED_NODE_IMAGE"],
        }
    assert document["services"]["server"]["command"][:2] == [
        *("node", "/app/examples/node_server/server.js")
    ]


def test_prometheus_reads_what_has_metrics_at_the_path_that_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(designs, "load", lambda _name: MIXED)
    read = yaml.safe_load(scrape.configuration())["scrape_configs"][0]
    rules = {each.get("regex"): each.get("replacement") for each in read["relabel_configs"]}
    assert rules["store.taskqueue-a"] == "/stats"
    monkeypatch.undo()
    assert ".taskqueue-node" not in scrape.configuration()
