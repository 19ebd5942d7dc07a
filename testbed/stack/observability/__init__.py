"""Prometheus and Grafana over stacks: what is scraped, the local Prometheus, the dashboards."""
