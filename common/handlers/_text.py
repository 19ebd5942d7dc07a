"""What the kinds that read text have in common."""

from __future__ import annotations

import re

WORD = re.compile(r"\w+(?:['’]\w+)*")


def parse_text(payload: bytes) -> str:
    """Read UTF-8 text. Raises ``ValueError`` that names the first bad byte."""
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
