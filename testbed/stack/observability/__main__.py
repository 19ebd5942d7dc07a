"""Writes what Prometheus scrapes and the dashboards: ``python -m testbed.stack.observability``.

With ``--check`` it writes nothing and exits 1 if a committed file differs, naming it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from testbed import CHECKOUT
from testbed.stack.observability import dashboards, scrape

ROOT = CHECKOUT
DASHBOARDS = Path("grafana/dashboards")


def files() -> Mapping[Path, str]:
    """Return what each generated file holds, by its path from the root."""
    return {
        Path("compose/prometheus/prometheus.yml"): scrape.configuration(),
        **{DASHBOARDS / f"{name}.json": text for name, text in dashboards.texts().items()},
    }


def stale(root: Path = ROOT) -> list[Path]:
    """Name the files that differ from what they should hold, and dashboards that nothing makes."""
    wanted = files()
    found = {path: (root / path).read_text() for path in wanted if (root / path).exists()}
    extra = {path.relative_to(root) for path in (root / DASHBOARDS).glob("*.json")} - set(wanted)
    return sorted({path for path, text in wanted.items() if found.get(path) != text} | extra)


def main() -> int:
    """Run the command; returns its exit code."""
    if "--check" in sys.argv[1:]:
        differing = stale()
        for path in differing:
            sys.stderr.write(
                f"{path} is not what testbed.stack.observability gives; `make generate`\n"
            )
        return 1 if differing else 0
    for path, text in files().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
