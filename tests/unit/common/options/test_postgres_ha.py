"""A stack with copies of its PostgreSQL: who there is, who knows whom, what it says of itself."""

from __future__ import annotations

import pytest

from common import guarantees
from common.config import Settings
from common.process_spec import DISK, POSTGRES
from common.services import patroni
from common.services import postgres as single
from common.stack_spec import StackSpec
from testbed.errors import TestbedError
from testbed.stack import prepare
from testbed.stack.sides.resolve import Deployment, resolve

COPIES = ("postgres-1", "postgres-2", "postgres-3")
DECIDING = ("etcd-1", "etcd-2", "etcd-3")


def side(design: str, more: str = "") -> Deployment:
    return resolve(f"{design}+store=postgres+postgres_ha=patroni{more}", StackSpec())


@pytest.mark.parametrize("design", ["a", "b"])
def test_there_are_three_copies_and_three_who_decide_on_ports_of_their_own(design: str) -> None:
    topology = side(design).topology
    servers = [each for each in topology.processes if not each.is_ours]
    assert {each.name: (each.cluster, each.service) for each in servers} == {
        **dict.fromkeys(COPIES, (POSTGRES, POSTGRES)),
        **dict.fromkeys(DECIDING, ("", "")),
    }
    assert all(each.holds == DISK for each in servers if each.cluster)
    assert all(each.keeps_files for each in servers)
    ports = [port for each in servers for port in each.every_port().values()]
    first = topology.stores_port
    assert sorted(ports) == list(range(first, first + 12))


@pytest.mark.parametrize("design", ["a", "b"])
def test_who_used_the_server_knows_its_copies_instead(design: str) -> None:
    before = resolve(f"{design}+store=postgres", StackSpec()).topology
    after = side(design).topology
    for process in (each for each in before.processes if each.is_ours):
        peers = set(process.peers)
        wanted = peers - {POSTGRES} | (set(COPIES) if POSTGRES in peers else set())
        assert set(after.process(process.name).peers) == wanted


def test_in_containers_they_call_each_other_by_name() -> None:
    found = side("a")
    place = prepare.Place(host_of=str, bind="0.0.0.0")
    filled = {each.name: each for each in prepare.filled(found.topology, found.spec, place)}
    first = found.topology.stores_port
    addresses = [f"{name}:{first + 6 + number}" for number, name in enumerate(DECIDING)]
    assert ",".join(addresses) in filled["postgres-2"].command
    assert f"postgres-2:{first + 1}" in filled["postgres-2"].command
    # Three ports further they call each other, wherever all of them are moved to.
    for name, address in zip(DECIDING, addresses, strict=True):
        assert f"{name}={address}=3" in filled["etcd-1"].command


@pytest.mark.parametrize(
    ("design", "databases"), [("a", ("job", "queue", "result")), ("b", ("node",))]
)
def test_copies_have_the_databases_and_parameters_of_a_single_server(
    design: str, databases: tuple[str, ...]
) -> None:
    for name in COPIES:
        command = side(design).topology.process(name).command
        assert set(command[-len(databases) :]) == set(databases)
        assert single.parameters() in command


@pytest.mark.parametrize(
    ("more", "durability"),
    [
        ("", "delayed"),
        ("+pg_replication=sync", "replicated"),
        ("+pg_sync=off", "delayed"),
        ("+pg_replication=sync+pg_sync=off", "delayed"),
    ],
)
def test_what_it_says_of_an_accepted_job_is_what_a_failover_leaves(
    more: str, durability: str
) -> None:
    found = side("b", more)
    (node, *_) = [
        each
        for each in prepare.filled(found.scaled, found.spec, prepare.Place())
        if each.name == "node-0"
    ]
    settings = Settings.from_environment(node.environment)
    assert guarantees.of(settings)["durability"] == durability


@pytest.mark.parametrize("name", ["a+postgres_ha=patroni", "a+store=postgres+pg_replication=sync"])
def test_it_makes_no_sense_without_what_it_goes_with(name: str) -> None:
    with pytest.raises(TestbedError, match="postgres"):
        resolve(name, StackSpec())


def test_each_copy_has_what_is_missing_named_with_its_package() -> None:
    (copy, *_) = patroni.copies("postgres", range(1), range(1), (), ())
    assert "patroni" in copy.needs["patroni"]
    assert "postgresql" in copy.needs["initdb"]
