"""What the verdict says of equal sides and of known differences, on trials that were recorded.

``python -m studies.noise`` counts it and prints the tables of docs/noise-study.md.
"""
