"""The configuration of one process, read once at its entry point.

Every field of :class:`Settings` is the environment variable ``TASKQUEUE_<FIELD>``; a variable with
that prefix that is no field is refused by name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "TASKQUEUE_"
SECRET_VARIABLE = "TASKQUEUE_SECRET_FILE"  # noqa: S105  # its name
# Characters that a secret has at least: 64 bits, written in hexadecimal digits.
SHORTEST_SECRET = 16
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_DURATIONS = (
    "heartbeat_interval",
    "heartbeat_timeout",
    "lease",
    "long_poll",
    "default_deadline",
    "message_timeout",
    "connection_idle",
)
_LIMITS = (
    "max_queued_jobs",
    "max_queued_bytes",
    "max_concurrent_calls",
    "max_connections",
    "max_unread_bytes",
)


class ConfigError(ValueError):
    """A variable is unknown or its value impossible; the message names it."""


@dataclass(frozen=True)
class Settings:
    """What one process runs with. Times are in seconds, sizes in bytes.

    ``links`` is for the process of that name: where it listens for each ``caller>callee``.
    ``secret_file`` holds what the processes of a stack know each other by; empty for none.
    """

    name: str
    listen: str
    metrics: str
    peers: Mapping[str, str] = field(default_factory=dict)
    slots: int = 0
    fetchers: int = 1
    heartbeat_interval: float = 0.5
    heartbeat_timeout: float = 3.0
    lease: float = 6.0
    long_poll: float = 2.0
    default_deadline: float = 30.0
    max_queued_jobs: int = 180_000
    max_queued_bytes: int = 240 << 20
    max_concurrent_calls: int = 512
    max_connections: int = 4096
    max_unread_bytes: int = 256 << 20
    message_timeout: float = 10.0
    connection_idle: float = 1800.0
    stop_grace: float = 5.0
    log_level: str = "INFO"
    secret_file: str = ""
    links: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _DURATIONS:
            if not 0 < getattr(self, name) <= 3600:
                raise ConfigError(f"{name} must be more than 0 and at most 3600 seconds")
        for name in _LIMITS:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1")
        if not 0 <= self.stop_grace <= 3600:
            raise ConfigError("stop_grace must be 0 to 3600 seconds")
        if not self.heartbeat_interval * 2 <= self.heartbeat_timeout <= self.lease:
            raise ConfigError(
                "heartbeat_timeout must be at least twice heartbeat_interval and at most lease"
            )
        if self.log_level not in LOG_LEVELS:
            raise ConfigError(f"log_level must be one of {', '.join(LOG_LEVELS)}")
        if self.slots < 0:
            raise ConfigError("slots must not be negative")
        if not 1 <= self.fetchers <= max(1, self.slots):
            raise ConfigError("fetchers must be at least 1 and at most slots")

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Settings:
        """Read the settings. Raises :class:`ConfigError`, naming every variable that is wrong."""
        given = {
            key.removeprefix(PREFIX).lower(): value
            for key, value in variables.items()
            if key.startswith(PREFIX)
        }
        fields = {each.name: each for each in dataclasses.fields(cls)}
        required = [name for name, each in fields.items() if _required(each)]
        problems = [f"{_variable(name)} is unknown" for name in given if name not in fields]
        problems += [f"{_variable(name)} is missing" for name in required if name not in given]
        values: dict[str, object] = {}
        for name in given.keys() & fields.keys():
            try:
                values[name] = _parse(str(fields[name].type), given[name])
            except ValueError as error:
                problems.append(f"{_variable(name)}={given[name]!r}: {error}")
        if problems:
            raise ConfigError("; ".join(sorted(problems)))
        return cls(**values)  # type: ignore[arg-type]

    def read_secret(self) -> str:
        """Return the secret of the stack, empty without a file of it.

        Raises :class:`ConfigError`, which never quotes it, for a file that has none.
        """
        if not self.secret_file:
            return ""
        try:
            secret = Path(self.secret_file).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            what = error.strerror if isinstance(error, OSError) else "it is not ASCII text"
            raise ConfigError(f"{SECRET_VARIABLE}={self.secret_file!r}: {what}") from None
        if len(secret) < SHORTEST_SECRET or not secret.isprintable() or " " in secret:
            raise ConfigError(
                f"{SECRET_VARIABLE}={self.secret_file!r}: must hold one word of at least "
                f"{SHORTEST_SECRET} characters"
            )
        return secret


def environment_of(settings: Mapping[str, object]) -> dict[str, str]:
    """Return the environment variables that hold ``settings``, fields of :class:`Settings`."""
    known = {each.name for each in dataclasses.fields(Settings)}
    if unknown := sorted(settings.keys() - known):
        raise ConfigError(f"unknown settings: {', '.join(unknown)}")
    return {_variable(name): str(value) for name, value in settings.items()}


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _required(each: dataclasses.Field[object]) -> bool:
    return each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING


def _parse(kind: str, text: str) -> object:
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text)
    if kind.startswith("Mapping"):
        return dict(_peer(pair) for pair in text.split(",") if pair)
    return text


def _peer(pair: str) -> tuple[str, str]:
    name, separator, address = pair.partition("=")
    if not separator or not name or ":" not in address:
        raise ValueError(f"{pair!r} is not NAME=HOST:PORT")
    return name, address
