"""What both designs share: the contract's stubs, the domain, its owners, flows and RPC layer."""
