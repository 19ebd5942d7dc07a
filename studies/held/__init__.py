"""Whether what is asked of a store costs more, the more jobs it holds."""
