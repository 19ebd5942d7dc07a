"""Which servers of the peers are the store of a process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from common.config import ConfigError, Settings
from common.topology import role_of

SECONDS = 5.0
"""How long a server may take for an answer, unless the caller has less time."""


@dataclass(frozen=True)
class Servers:
    """The ``name`` of a store, and the ``host:port`` of each server that has a copy of it."""

    name: str
    addresses: Mapping[str, str]

    @property
    def only(self) -> str:
        """The address, where there is one server and no copy."""
        (address,) = self.addresses.values()
        return address


def servers_of(settings: Settings) -> Servers:
    """Return the servers that are the store.

    They are the peers that have the name of the store, or begin with it: a service of Design A has
    a server of its own, such as ``redis-job``, and copies of one are numbered, as ``redis-job-1``.
    Raises ``ConfigError`` unless there is exactly one, or copies of one.
    """
    found = {
        name: address
        for name, address in settings.peers.items()
        if name == settings.store or name.startswith(f"{settings.store}-")
    }
    names = {role_of(name) for name in found}
    if len(names) != 1:
        raise ConfigError(
            f"store={settings.store} needs one peer of that name, and TASKQUEUE_PEERS has "
            f"{', '.join(found) or 'none'}"
        )
    return Servers(names.pop(), found)
