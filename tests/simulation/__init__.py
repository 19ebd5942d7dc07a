"""Both designs in one process on virtual time, behind a network that does its worst."""
