"""The gRPC layer that both designs share: servicer, conversions, interceptors, bootstrap."""
