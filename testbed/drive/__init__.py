"""The engine that every run shares: one trial, its load, its audit, and the figures of it."""
