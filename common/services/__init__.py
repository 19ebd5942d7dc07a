"""How servers that are not ours are started, as data: on this machine and in containers."""
