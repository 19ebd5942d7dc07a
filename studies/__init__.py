"""Studies of the instrument itself, with the code that shows what they say."""
