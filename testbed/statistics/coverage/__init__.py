"""How often the intervals hold the truth, measured on synthetic data: makes docs/statistics.md.

``python -m testbed.statistics.coverage`` runs every study and prints the tables as Markdown.
"""
