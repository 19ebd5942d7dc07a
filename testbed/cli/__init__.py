"""The command line: commands, their options, and how errors end one. Nothing else knows typer."""
