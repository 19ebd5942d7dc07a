"""Kind ``text_stats``: measures a text."""

from __future__ import annotations

import re

from common.handlers._payload import dump_json
from common.handlers._text import WORD, parse_text
from common.handlers.registry import Handler

_SENTENCE_END = re.compile(r"[.!?…]+(?:\s|\Z)")
_PARAGRAPH_END = re.compile(r"\n\s*\n")


def run(text: str) -> bytes:
    """Measure the text. Sentences and paragraphs count only if they contain a word."""
    lengths = [len(word) for word in WORD.findall(text)]
    return dump_json(
        {
            "bytes": len(text.encode()),
            "characters": len(text),
            "lines": len(text.splitlines()),
            "paragraphs": _with_words(_PARAGRAPH_END, text),
            "sentences": _with_words(_SENTENCE_END, text),
            "words": len(lengths),
            "longest_word": max(lengths, default=0),
            "mean_word_length": round(sum(lengths) / len(lengths), 3) if lengths else 0.0,
        }
    )


def _with_words(separator: re.Pattern[str], text: str) -> int:
    return sum(WORD.search(part) is not None for part in separator.split(text))


HANDLER = Handler(
    "text_stats", "measures words, lines and sentences of a UTF-8 text", parse_text, run, True
)
