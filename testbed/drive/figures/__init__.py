"""The figures of one trial, from its recording."""
