"""Judges a history: did the system keep what its contract promises?"""
