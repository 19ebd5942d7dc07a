"""How often the intervals hold the truth, measured on synthetic data: makes docs/statistics.md.

``python -m studies.coverage`` runs every study and prints the tables as Markdown.
"""
