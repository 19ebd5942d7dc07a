"""What both designs share: the contract's stubs, the domain, its owners, flows and RPC layer."""

import os

# What the core of gRPC prints is no JSON, and any client can have it print a line. It reads this
# when it is imported, so it has to be set before anything else is.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
