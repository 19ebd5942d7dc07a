"""The configuration of one process, read once at its entry point.

Every field of :class:`Settings` is the environment variable ``TASKQUEUE_<FIELD>``; a variable with
that prefix that is no field is refused by name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PREFIX = "TASKQUEUE_"
SECRET_VARIABLE = "TASKQUEUE_SECRET_FILE"  # noqa: S105  # its name
# Characters that a secret has at least: 64 bits, written in hexadecimal digits.
SHORTEST_SECRET = 16
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# Limits of the queue as a whole, which those that hold a part of it share out.
QUEUE_LIMITS = ("max_queued_jobs", "max_queued_bytes")
# Where state is kept, and when what is written there is forced to the disk.
MEMORY, REDIS, POSTGRES = STORES = ("memory", "redis", "postgres")
FSYNC_LEVELS = ("always", "everysec", "no")
SYNC_LEVELS = ("on", "off")
# Whether there are copies of a Redis, and what makes one of them the primary.
OFF, SENTINEL = REDIS_HA = ("off", "sentinel")
# The same of the PostgreSQL, and whether a commit waits for one of them.
_, PATRONI = POSTGRES_HA = (OFF, "patroni")
ASYNC, SYNC = REPLICATIONS = ("async", "sync")

# Units of a setting; a level is a word.
SECONDS, COUNT, BYTES, LEVEL = "seconds", "", "bytes", "level"
LONGEST = 3600
YEAR = 365 * 86400


class ConfigError(ValueError):
    """A variable is unknown or its value impossible; the message names it."""


def _setting(
    default: Any,
    unit: str,
    about: str,
    buys: str = "",
    costs: str = "",
    zero: bool = False,
    most: float = LONGEST,
) -> Any:
    """Return a field that is also an option of a side, with what is said of it there.

    ``zero`` allows 0 seconds, and ``most`` are allowed.
    """
    words = {"about": about, "buys": buys, "costs": costs}
    return field(default=default, metadata={"unit": unit, "zero": zero, "most": most, **words})


_CHOICES = {
    "log_level": LOG_LEVELS,
    "store": STORES,
    "redis_fsync": FSYNC_LEVELS,
    "pg_sync": SYNC_LEVELS,
    "postgres_ha": POSTGRES_HA,
    "pg_replication": REPLICATIONS,
    "redis_ha": REDIS_HA,
}


@dataclass(frozen=True)
class Settings:
    """What one process runs with. Times are in seconds, sizes in bytes.

    ``links`` is for the process of that name: where it listens for each ``caller>callee``.
    ``store`` is where state is kept; how safely, ``redis_fsync`` and ``pg_sync`` say of a server
    that was started so. ``redis_ha`` is whether there are copies of a Redis, ``redis_wait`` how
    many replicas acknowledge before an answer is given, and ``redis_min_replicas`` how many there
    are as long as the primary writes. ``postgres_ha`` is whether there are copies of a PostgreSQL,
    and ``pg_replication`` whether a commit waits for one of them.
    ``membership`` is for a node that starts when others have joined or left: version and rings, as
    ``design_b.membership`` has them.
    ``secret_file`` holds what the processes of a stack know each other by; empty for none.
    """

    name: str
    listen: str
    metrics: str
    peers: Mapping[str, str] = field(default_factory=dict)
    slots: int = 0
    fetchers: int = 1
    heartbeat_interval: float = _setting(
        0.5,
        SECONDS,
        "the time between two heartbeats of a worker, in whose replies cancellations travel",
        "shorter: a cancellation reaches a running job sooner",
        "shorter: more calls while nothing happens",
    )
    heartbeat_timeout: float = _setting(
        3.0,
        SECONDS,
        "how long a worker may be silent before it is taken for lost and its jobs run elsewhere",
        "shorter: the jobs of a dead worker run again sooner",
        "shorter: a worker that is only slow loses its jobs, which then run twice",
    )
    lease: float = _setting(
        6.0,
        SECONDS,
        "how long an entry taken from the queue stays invisible before it is handed out again",
        "shorter: what a dead coordinator had taken is handed out again sooner",
        "shorter: entries that are only slow to be confirmed are handed out twice",
    )
    long_poll: float = _setting(
        2.0,
        SECONDS,
        "how long a fetch for work waits at an empty queue before it returns without any",
        "longer: fewer calls while idle",
        "longer: a stack takes longer to notice that the other end has gone",
    )
    default_deadline: float = _setting(
        30.0, SECONDS, "the deadline of a call that comes without one"
    )
    max_queued_jobs: int = _setting(
        180_000,
        COUNT,
        "how many jobs wait in a stack, all its queues together, before a submit is refused",
        "fewer: overload is refused while answers are still in time",
        "fewer: a burst is refused that could have been served",
    )
    max_queued_bytes: int = _setting(
        240 << 20, BYTES, "how many bytes of payload wait in a stack before a submit is refused"
    )
    max_concurrent_calls: int = _setting(
        512,
        COUNT,
        "how many calls a process serves at a time before it refuses more",
        "fewer: overload is refused while answers are still in time",
        "fewer: a burst is refused that could have been served",
    )
    max_connections: int = _setting(4096, COUNT, "how many connections a process accepts")
    max_unread_bytes: int = _setting(
        256 << 20, BYTES, "how many bytes of requests a process holds before it refuses more"
    )
    message_timeout: float = _setting(
        10.0, SECONDS, "how long a client may take for the message of a call"
    )
    connection_idle: float = _setting(
        1800.0, SECONDS, "how long a connection without calls stays open"
    )
    retention: float = _setting(
        0.0,
        SECONDS,
        "how long a job and its result are kept after its end, 0 for ever",
        "a stack that can run for ever, for memory and tables stay as they are",
        "whoever asks for a result too late gets NOT_FOUND",
        zero=True,
        most=YEAR,
    )
    stop_grace: float = _setting(
        5.0,
        SECONDS,
        "how long calls and jobs under way may take to end when a process stops",
        zero=True,
    )
    log_level: str = _setting(
        "INFO",
        LEVEL,
        "from which level on a process logs",
        "DEBUG: every step of a job can be followed",
        "DEBUG: CPU and disk for every call",
    )
    store: str = MEMORY
    redis_fsync: str = FSYNC_LEVELS[0]
    pg_sync: str = SYNC_LEVELS[0]
    postgres_ha: str = OFF
    pg_replication: str = ASYNC
    redis_ha: str = OFF
    redis_wait: int = 0
    redis_min_replicas: int = 0
    secret_file: str = ""
    membership: str = ""
    links: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            self._check_range(each)
        if not self.heartbeat_interval * 2 <= self.heartbeat_timeout <= self.lease:
            raise ConfigError(
                "heartbeat_timeout must be at least twice heartbeat_interval and at most lease"
            )
        for name, words in _CHOICES.items():
            if getattr(self, name) not in words:
                raise ConfigError(f"{name} must be one of {', '.join(words)}")
        if self.slots < 0:
            raise ConfigError("slots must not be negative")
        if not 1 <= self.fetchers <= max(1, self.slots):
            raise ConfigError("fetchers must be at least 1 and at most slots")

    def _check_range(self, each: dataclasses.Field[Any]) -> None:
        value, unit = getattr(self, each.name), each.metadata.get("unit")
        if unit == SECONDS:
            least = "0" if each.metadata["zero"] else "more than 0"
            most = each.metadata["most"]
            if not 0 < value <= most and (value or not each.metadata["zero"]):
                raise ConfigError(f"{each.name} must be {least} and at most {most:g} seconds")
        if unit in {COUNT, BYTES} and value < 1:
            raise ConfigError(f"{each.name} must be at least 1")

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


def optional() -> tuple[dataclasses.Field[Any], ...]:
    """Return the fields of :class:`Settings` that a user may set, the same for every process."""
    return tuple(each for each in dataclasses.fields(Settings) if "about" in each.metadata)


def environment_of(settings: Mapping[str, object]) -> dict[str, str]:
    """Return the environment variables that hold ``settings``, fields of :class:`Settings`."""
    known = {each.name for each in dataclasses.fields(Settings)}
    if unknown := sorted(settings.keys() - known):
        raise ConfigError(f"unknown settings: {', '.join(unknown)}")
    return {_variable(name): str(value) for name, value in settings.items()}


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _required(each: dataclasses.Field[Any]) -> bool:
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
