"""Kind ``word_count``: counts the words of a text."""

from __future__ import annotations

from collections import Counter

from common.handlers._payload import dump_json
from common.handlers._text import WORD, parse_text
from common.handlers.registry import Handler

TOP = 100


def run(text: str) -> bytes:
    """Count case-folded words; ``top`` lists the most frequent, by count and then by word."""
    counts = Counter(WORD.findall(text.casefold()))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dump_json(
        {
            "words": counts.total(),
            "distinct": len(counts),
            "top": [{"word": word, "count": count} for word, count in ranked[:TOP]],
        }
    )


HANDLER = Handler("word_count", "counts the words of a UTF-8 text", parse_text, run, burns_cpu=True)
