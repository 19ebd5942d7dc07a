"""Pure functions from recordings to figures: no files, no clock, no processes."""
