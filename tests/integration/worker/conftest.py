"""Executors, and kinds of jobs that misbehave in their processes."""

from __future__ import annotations

import importlib
import sys

import pytest

from common.handlers.registry import Handler, HandlerRegistry, load
from common.worker.executor import JobExecutor
from tests.support.working import coordinator, executor, working

__all__ = ["coordinator", "executor", "working"]

CPU_KINDS = """
import os, sys, time

def die(payload): os._exit(int(payload))
def leave(payload): sys.exit("left")
def big(payload): return bytes(int(payload))
def wrong(payload): return "text"
def raises(payload): raise Odd(1, 2)
def pid(payload): return str(os.getpid()).encode()

class Odd(Exception):
    def __init__(self, one, two): super().__init__("odd \\ud800")
"""


@pytest.fixture
async def executing():
    """Makes executors, which are closed at the end."""
    made = []

    def make(registry: HandlerRegistry | None = None, **settings) -> JobExecutor:
        made.append(JobExecutor(registry or load(), **settings))
        return made[-1]

    yield make
    for runs in made:
        await runs.close()


@pytest.fixture
def cpu_kinds(tmp_path, monkeypatch):
    """Registers CPU handlers that misbehave, from a module that processes can import."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "misbehaving_kinds.py").write_text(CPU_KINDS)
    module = importlib.import_module("misbehaving_kinds")
    names = ["die", "leave", "big", "wrong", "raises", "pid"]
    yield HandlerRegistry(
        Handler(name, "", bytes, getattr(module, name), burns_cpu=True) for name in names
    )
    del sys.modules["misbehaving_kinds"]
