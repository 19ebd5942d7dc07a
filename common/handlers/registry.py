"""What a kind of job is, and the registry that finds all of them."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Generic, TypeVar

import common.handlers
from common.domain.errors import UnknownKind, UnreadablePayload
from common.domain.job import JobSpec

Params = TypeVar("Params")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")


class JobFailed(Exception):
    """A handler raises this to fail its job with a stable upper-snake reason of its own."""

    def __init__(self, reason: str, message: str) -> None:
        if not is_reason(reason):
            raise ValueError(f"reason must be upper snake case, is {reason!r}")
        super().__init__(reason, message)
        self.reason = reason
        self.message = message


class RegistryError(Exception):
    """The set of handlers is inconsistent; the message names the handler or module."""


@dataclass(frozen=True)
class Handler(Generic[Params]):
    """One kind of job.

    ``parse`` reads the payload and raises ``ValueError`` with an explanation if it cannot; it must
    be cheap, since every submit calls it. ``run`` returns the output. It is ``async`` and runs in
    the event loop, unless ``burns_cpu``: then it is a plain function that runs in a process of its
    own, to which it and ``parse`` travel by name, so both must be defined at module level.
    """

    name: str
    summary: str
    parse: Callable[[bytes], Params]
    run: Callable[[Params], Awaitable[bytes]] | Callable[[Params], bytes]
    burns_cpu: bool = False


class HandlerRegistry:
    """The kinds of job that this program can run. Implements the ``Kinds`` port."""

    def __init__(self, handlers: Iterable[Handler[Any]]) -> None:
        """Raises :class:`RegistryError` for a bad name and for a name that is given twice."""
        self._handlers: dict[str, Handler[Any]] = {}
        for handler in handlers:
            if not _NAME.match(handler.name):
                raise RegistryError(f"{handler.name!r} is no kind: use lower snake case")
            if handler.name in self._handlers:
                raise RegistryError(f"kind {handler.name!r} has two handlers")
            self._handlers[handler.name] = handler

    def names(self) -> list[str]:
        """Return the known kinds in alphabetical order."""
        return sorted(self._handlers)

    def get(self, name: str) -> Handler[Any]:
        """Return the handler of a kind. Raises :class:`UnknownKind`, naming the known ones."""
        handler = self._handlers.get(name)
        if handler is None:
            known = ", ".join(self.names())
            problem = f"{name[:64]!r} is unknown" if name else "must not be empty"
            raise UnknownKind("job.kind", f"{problem}; known kinds: {known}")
        return handler

    def check(self, spec: JobSpec) -> None:
        """Raise :class:`UnknownKind` or :class:`UnreadablePayload` unless the job can be run."""
        handler = self.get(spec.kind)
        try:
            handler.parse(spec.payload)
        except ValueError as error:
            problem = f"{spec.kind} cannot read it: {error}"
            raise UnreadablePayload("job.payload", problem) from None


def is_reason(text: str) -> bool:
    """Whether the text can be a failure's reason: upper snake case, at most 64 characters."""
    return _REASON.match(text) is not None


def load(package: ModuleType = common.handlers) -> HandlerRegistry:
    """Import every kind's module of the package and register its ``HANDLER``.

    Raises :class:`RegistryError` if a module has none or two have the same name.
    """
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    own = __name__.rpartition(".")[2] if package is common.handlers else ""
    return HandlerRegistry(
        _handler_of(f"{package.__name__}.{name}")
        for name in names
        if not name.startswith("_") and name != own
    )


def _handler_of(module_name: str) -> Handler[Any]:
    handler = getattr(importlib.import_module(module_name), "HANDLER", None)
    if not isinstance(handler, Handler):
        raise RegistryError(
            f"{module_name} has no HANDLER: bind one, or begin the module's name with an underscore"
        )
    return handler
