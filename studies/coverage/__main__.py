"""Runs the studies and prints their tables: some minutes on one core."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from studies.coverage import means, percentiles, ratios, steady, usl, verdicts

Study = Callable[[int, int], str]

# Each with its number of repetitions.
STUDIES: dict[str, tuple[Study, int]] = {
    "ratio": (ratios.study, 1000),
    "mirrored": (ratios.mirrored, 1000),
    "early-stop": (ratios.stopping, 2000),
    "mean": (means.study, 600),
    "percentile": (percentiles.independent, 1000),
    "percentile-clumped": (percentiles.clumped, 300),
    "warm-up": (steady.study, 300),
    "verdict": (verdicts.study, 200),
    "scalability": (usl.study, 200),
}


def main() -> None:
    """Run the studies that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m studies.coverage")
    parser.description = "Measure the coverage of all intervals on synthetic data, as Markdown."
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=f"of {', '.join(STUDIES)}")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same tables")
    parser.add_argument("--scale", type=float, default=1.0, help="times as many repetitions")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.studies) - set(STUDIES))
    if unknown:
        parser.error(f"no study {', '.join(unknown)}: there are {', '.join(STUDIES)}")
    if arguments.scale <= 0 or arguments.seed < 0:
        parser.error("--scale must be above 0 and --seed not below 0")
    for name in arguments.studies or STUDIES:
        study, repeats = STUDIES[name]
        count = max(1, round(repeats * arguments.scale))
        sys.stdout.write(f"<!-- {name}: {count} repetitions, seed {arguments.seed} -->\n\n")
        sys.stdout.write(f"{study(count, arguments.seed)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
