"""What is read from what a Redis says of itself."""

from __future__ import annotations

from common.stores.redis.figures import read

ALONE = """# Memory\r
used_memory:1000000\r
used_memory_human:976.56K\r
maxmemory:{limit}\r
# Replication\r
role:master\r
connected_slaves:{slaves}\r
{each}master_repl_offset:5000\r
"""


def said(limit: int = 0, *each: str) -> str:
    lines = "".join(f"slave{number}:{line}\r\n" for number, line in enumerate(each))
    return ALONE.format(limit=limit, slaves=len(each), each=lines)


def test_without_a_limit_and_without_replicas_there_is_neither() -> None:
    assert read(said()) == {"memory_bytes": 1_000_000, "replicas": 0}


def test_a_limit_is_shown() -> None:
    assert read(said(2_000_000))["memory_limit_bytes"] == 2_000_000


def test_the_slowest_replica_that_follows_says_how_far_they_are_behind() -> None:
    found = read(
        said(
            0,
            "ip=127.0.0.1,port=2,state=online,offset=4990,lag=0",
            "ip=127.0.0.1,port=3,state=online,offset=4200,lag=1",
            "ip=127.0.0.1,port=4,state=wait_bgsave,offset=0,lag=0",
        )
    )
    assert found["replicas"] == 2
    assert found["replica_lag_bytes"] == 800
