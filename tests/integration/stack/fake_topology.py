"""The fake design as the registry of designs finds it."""

import os

from tests.integration.stack.fakes import make_topology

TOPOLOGY = make_topology([int(port) for port in os.environ["FAKE_PORTS"].split(",")])
