"""The buckets of every duration histogram, so that any two can be laid over each other."""

from __future__ import annotations

# Seconds. From 10 µs as in gRFC A66, and finer below 1 ms, where calls over loopback end.
BUCKETS = (
    *(0.00001, 0.00005, 0.0001, 0.0002, 0.0003, 0.0004, 0.0006, 0.0008),
    *(0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.008),
    *(0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08),
    *(0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
)
