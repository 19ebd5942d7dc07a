"""What several tests need: a client of the contract, targets to call, and ways to wait."""
