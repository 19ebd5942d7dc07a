"""Brings the designs up and down, drives them, and compares what was measured."""
