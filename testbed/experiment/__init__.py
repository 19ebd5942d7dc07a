"""Drives trials: a fresh stack, the load, the audit, and nothing left behind."""
