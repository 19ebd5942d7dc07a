"""Design B: one program run on six identical nodes."""
