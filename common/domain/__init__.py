"""The pure part of the domain: no gRPC, no event loop, no clock, no environment."""
