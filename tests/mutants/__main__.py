"""``python -m tests.mutants MUTANT MODULE``: run a process of a design with a defect."""

from __future__ import annotations

import runpy
import sys

from tests.mutants import Patches, load


def main() -> None:
    """Switch the defect on, then be the module."""
    _, mutant, module = sys.argv
    load()[mutant].apply(Patches())
    sys.argv[1:] = []
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
