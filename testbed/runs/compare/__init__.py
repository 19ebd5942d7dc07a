"""Comparisons: plans of cells and blocks, their trials, verdicts and report."""
