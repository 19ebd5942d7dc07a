"""What a call costs the load generator: grpcio under gevent, and the transport written for it."""
