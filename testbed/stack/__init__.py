"""Stacks: designs, records, runtimes, manifests, and what Prometheus scrapes."""
