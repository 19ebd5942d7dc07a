"""Breaking stacks on purpose: kinds of fault, plans of them, and runs that carry them out."""
