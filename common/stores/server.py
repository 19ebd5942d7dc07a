"""Which server of the peers is the store of a process."""

from __future__ import annotations

from common.config import ConfigError, Settings


def server_of(settings: Settings) -> tuple[str, str]:
    """Return the name and the address, ``host:port``, of the server that is the store.

    It is the peer that has the name of the store, or begins with it: a service of Design A has a
    server of its own, such as ``redis-job``. Raises ``ConfigError`` unless there is exactly one.
    """
    found = [
        (name, address)
        for name, address in settings.peers.items()
        if name == settings.store or name.startswith(f"{settings.store}-")
    ]
    if len(found) != 1:
        raise ConfigError(
            f"store={settings.store} needs one peer of that name, and TASKQUEUE_PEERS has "
            f"{', '.join(name for name, _ in found) or 'none'}"
        )
    return found[0]
