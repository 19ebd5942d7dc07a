"""A page in the text format of Prometheus, made of a few figures."""

from __future__ import annotations

from typing import Protocol


class Asked(Protocol):
    """Somebody who asks one server how it is, again and again."""

    async def page(self) -> str:
        """Return the page of now. Raises whatever keeps the server from an answer."""

    async def close(self) -> None:
        """Give up the connections that there are."""


def line(name: str, value: float, **labels: str) -> str:
    """Return a line of a page."""
    given = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{given}}} {value:.15g}" if given else f"{name} {value:.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
