"""Faults: what can be done to a stack that is up, to see how it copes.

Each kind is one file in :mod:`testbed.faults.kinds`, found by itself.
"""
