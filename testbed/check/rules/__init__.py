"""The rules: one public module each, which binds ``RULE``. A new rule is one new file here.

Modules whose name begins with an underscore are shared helpers and no rules.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from testbed.check.verdict import Rule


class RuleError(Exception):
    """The set of rules is inconsistent; the message names the module."""


def load() -> list[Rule]:
    """Import every rule's module; return the rules by name.

    Raises :class:`RuleError` if a module has none or two have the same name.
    """
    found: dict[str, Rule] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        rule = _rule_of(importlib.import_module(f"{__name__}.{module.name}"))
        if rule.name in found:
            raise RuleError(f"{module.name}: there are two rules named {rule.name!r}")
        found[rule.name] = rule
    return [found[name] for name in sorted(found)]


def _rule_of(module: ModuleType) -> Rule:
    rule = getattr(module, "RULE", None)
    if not isinstance(rule, Rule):
        raise RuleError(f"{module.__name__} has no RULE: bind one, or begin its name with _")
    return rule
