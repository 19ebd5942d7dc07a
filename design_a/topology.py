"""Design A as data: gateway, job, queue, coordinator, worker, result."""

from __future__ import annotations

from common.process_spec import MEMORY
from common.topology import ProcessSpec, Topology

TOPOLOGY = Topology(
    design="a",
    title="six microservices",
    processes=(
        ProcessSpec("job", "design_a.job", 50052, 51052, holds=MEMORY),
        ProcessSpec("queue", "design_a.queue", 50053, 51053, holds=MEMORY),
        ProcessSpec("result", "design_a.result", 50054, 51054, holds=MEMORY),
        ProcessSpec(
            "coordinator", "design_a.coordinator", 50055, 51055, ("job", "queue", "result")
        ),
        ProcessSpec(
            "worker",
            "design_a.worker",
            50056,
            51056,
            ("coordinator",),
            slot_share=6,
            scalable=True,
        ),
        ProcessSpec("gateway", "design_a.gateway", 50051, 51051, ("job", "queue", "result")),
    ),
    entries=("gateway",),
    links_port=50100,
    stores_port=50200,
)
