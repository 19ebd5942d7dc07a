"""What the faults of servers need that are not ours: agents that hold one, and ways to ask them."""
