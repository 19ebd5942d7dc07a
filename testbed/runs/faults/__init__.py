"""Faults: what can be done to a stack that is up, plans of it, and runs that carry them out.

Each kind of fault is one file in :mod:`testbed.runs.faults.kinds`, found by itself.
"""
