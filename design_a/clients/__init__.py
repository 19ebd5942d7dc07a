"""The ports as gRPC clients of the services that own them."""
