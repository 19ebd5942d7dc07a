"""What is compared: a design with options, at a git revision, or a server that is there already."""
