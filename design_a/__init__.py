"""Design A: six small services behind one gateway."""
