"""Histories: every call of a run, as its callers saw it, and every fault, on one clock."""
