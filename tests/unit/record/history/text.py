"""The least lines of a history, as text."""

from pathlib import Path

HEAD = '{"format":1,"design":"a","unix_us":5000000,"clock_us":1000}'


SUBMIT = (
    '{"t":1010,"invoke":1,"client":"u","at":"h:1","call":"SubmitJob","kind":"noop","digest":"d"}'
)


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_text("\n".join(lines) + end, encoding="utf-8")
    return path
