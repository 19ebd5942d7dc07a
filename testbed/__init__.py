"""Brings the designs up and down, drives them, and compares what was measured."""

from pathlib import Path

# Where this code was checked out, with compose/, experiments/ and the rest beside it.
CHECKOUT = Path(__file__).resolve().parents[1]
