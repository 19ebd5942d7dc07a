"""The example server as a design of its own: what `testbed up node` starts."""

from __future__ import annotations

from common.process_spec import MEMORY, Image, ProcessSpec
from common.topology import Topology

_HERE = "{tree}/examples/node_server"

TOPOLOGY = Topology(
    design="node",
    title="one process in Node",
    processes=(
        ProcessSpec(
            "server",
            port=50071,
            slot_share=1,
            holds=MEMORY,
            command=(
                *("node", f"{_HERE}/server.js"),
                *("--listen", "{host}:{port}", "--slots", "{slots}"),
            ),
            needs={
                "node": "install Node 20 or newer (Debian, Ubuntu: apt-get install nodejs npm)",
                f"{_HERE}/node_modules": "run `npm ci` in examples/node_server",
            },
            image=Image(
                "taskqueue-node-server",
                dockerfile="examples/node_server/Dockerfile",
                arguments=("TESTBED_NODE_IMAGE",),
            ),
        ),
    ),
    entries=("server",),
)
