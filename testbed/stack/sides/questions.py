"""Run by the interpreter of a revision, in its tree: answers what its code says of itself.

It imports the code of the revision and, apart from that, the standard library alone. The question
comes as JSON on standard input, the answer goes as JSON to standard output.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any


def describe(module: str) -> dict[str, Any]:
    """Return a design's topology as plain data, and the settings by name with their defaults."""
    topology = import_module(module).TOPOLOGY
    fields = dataclasses.fields(_settings())
    return {
        "topology": dataclasses.asdict(topology),
        "settings": {each.name: _default(each) for each in fields},
    }


def check(environments: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return what is wrong with the environment of each process, as the process would say it."""
    problems = []
    for name, variables in environments.items():
        try:
            _settings().from_environment(variables)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    return {"problems": problems}


def _settings() -> Any:
    config = import_module("common.config")
    here = Path.cwd().resolve()
    if here not in Path(str(config.__file__)).resolve().parents:
        raise ImportError(f"common.config comes from {config.__file__}, and not from {here}")
    return config.Settings


def _default(each: dataclasses.Field[Any]) -> str | None:
    return None if each.default is dataclasses.MISSING else str(each.default)


def main() -> None:
    """Answer one question: the name of a function here, and its argument."""
    question, argument = json.load(sys.stdin)
    with redirect_stdout(sys.stderr):
        answer = describe(argument) if question == "describe" else check(argument)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
