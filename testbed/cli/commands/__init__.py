"""The commands of ``testbed``: one module each, found by itself.

A module here has a function ``register(app: typer.Typer) -> None`` that adds its command.
"""
