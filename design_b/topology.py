"""Design B as data: six equal nodes, each of which knows the others."""

from __future__ import annotations

from common.process_spec import MEMORY
from common.topology import ProcessSpec, Topology

NODES = tuple(f"node-{number}" for number in range(6))

TOPOLOGY = Topology(
    design="b",
    title="six monolith nodes",
    processes=tuple(
        ProcessSpec(
            name,
            "design_b",
            50061 + number,
            51061 + number,
            tuple(peer for peer in NODES if peer != name),
            slot_share=1,
            holds=MEMORY,
            home=number,
        )
        for number, name in enumerate(NODES)
    ),
    entries=NODES,
    links_port=50130,
    stores_port=50220,
    # The limits of the one queue of Design A, shared out over six.
    defaults={"max_queued_jobs": "30000", "max_queued_bytes": str(40 << 20)},
)
