"""Formats a comparison for a terminal and as files; works nothing out by itself."""
