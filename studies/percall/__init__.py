"""What a gRPC call costs in the project's own layers, one by one (docs/per-call-cost.md)."""
