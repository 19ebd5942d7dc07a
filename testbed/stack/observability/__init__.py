"""What Prometheus scrapes of stacks, and the dashboards over it."""
