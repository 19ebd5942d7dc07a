"""No-op jobs and submit calls of each design, measured against a server that does nothing."""
