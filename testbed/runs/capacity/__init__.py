"""Finds the highest rate at which a design holds a stated objective, and how it scales."""
