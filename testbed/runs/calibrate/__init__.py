"""Holds the instrument against a server whose service times and stalls are known."""
