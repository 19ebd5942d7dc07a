"""One file for each kind of fault, which binds ``KIND``."""
