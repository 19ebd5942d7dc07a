"""Scripts as arguments of commands."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent


def literal(*names: str) -> str:
    """Return scripts of this folder, one after the other; their braces are no placeholders."""
    text = "".join((_FOLDER / each).read_text(encoding="utf-8") for each in names)
    return text.replace("{", "{{").replace("}", "}}")


def shell(*names: str) -> tuple[str, str, str]:
    """Return what runs scripts of this folder as one; its name and its arguments come after."""
    return ("sh", "-euc", literal(*names))
