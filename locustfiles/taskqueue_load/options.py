"""The locustfiles' own options: declared once, parsed once into :class:`LoadOptions`.

Values stay text until :meth:`LoadOptions.parse`, because the web form writes text: the command
line, the environment and the form are read by the same code and refused with the same words.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from taskqueue_load import profile, schedule, transports, values
from taskqueue_load.profile import Profile

ENVIRONMENT_PREFIX = "LOAD_"
# Longer than the default deadline, so that calls in flight end before their users do.
STOP_TIMEOUT = 6

OPERATIONS = ("submit", "status", "result", "cancel", "list")


class OptionError(ValueError):
    """A value is impossible; the message names the option and says what is possible."""


def _option(
    default: str, read: Callable[[str], object], metavar: str, text: str, web: bool = True
) -> Any:
    """Declare an option as a field: its default as text, its reader and its help."""
    facts = {"default": default, "read": read, "metavar": metavar, "help": text, "web": web}
    return field(metadata=facts)


@dataclass(frozen=True)
class LoadOptions:
    """What the users do. Times are in seconds unless the name says otherwise, sizes in bytes."""

    rate: float | None = _option(
        "0",
        lambda text: values.number(0, 1_000_000)(text) or None,
        "<calls/s>",
        "Calls per second of all processes together, sent without waiting for answers (open "
        "loop). 0 for a closed loop: each user waits for an answer before its next call.",
    )
    arrivals: str = _option(
        schedule.POISSON,
        values.one_of(schedule.ARRIVALS),
        "<poisson|even>",
        "How the calls of an open loop arrive: independently of each other, as those of many "
        "people do, or at equal distances.",
    )
    max_in_flight: int = _option(
        "1000",
        values.whole(1, 100_000),
        "<calls>",
        "Most calls in flight of an open loop, over all processes. A call that is due while so "
        "many are is dropped, and counted as dropped.",
    )
    shape: Profile | None = _option(  # noqa: RUF009  # a field, as the others
        "",
        profile.parse,
        "<shape>",
        "Load over time, after which the test ends: " + profile.EXAMPLES + ". Values are users, "
        "or calls per second if --rate is above 0, which then says no more than that.",
    )
    mix: Mapping[str, int] = _option(
        "submit=40,status=30,result=20,cancel=5,list=5",
        lambda text: values.weights(text, OPERATIONS),
        "<name=weight,...>",
        "Weights of the operations submit, status, result, cancel and list, as whole numbers; one "
        "that is left out is not used (mixed.py).",
    )
    kind: str = _option(
        "noop", values.word, "<kind>", "Kind of the jobs: noop, sleep, spin, word_count, ..."
    )
    job_ms: float = _option(
        "100",
        values.number(0, 600_000),
        "<ms>",
        "Duration of sleep and spin jobs, in milliseconds.",
    )
    job_jitter: float = _option(
        "0",
        values.number(0, 1),
        "<fraction>",
        "Largest deviation from --job-ms, as a fraction of it; drawn evenly for each job.",
    )
    payload_bytes: int = _option(
        "64",
        values.whole(0, 1 << 20),
        "<bytes>",
        "Size of the payload of noop jobs, and of the text of word_count and text_stats jobs.",
    )
    payload: str = _option(
        "",
        str,
        "<text>",
        "Payload to send as it is, for a kind that needs another one, for example "
        "'{\"size\": 100}' with --kind matrix_multiply.",
    )
    execution_timeout: float | None = _option(
        "",
        values.optional(values.number(0.001, 86_400)),
        "<seconds>",
        "Longest time that one execution of a job may take. Empty for no limit.",
    )
    deadline: float = _option(
        "5",
        values.number(0.001, 60),
        "<seconds>",
        "Deadline of every call. If longer than --stop-timeout, raise that too.",
    )
    client: str = _option(
        transports.GRPC_GEVENT,
        values.one_of(transports.CLIENTS),
        f"<{'|'.join(transports.CLIENTS)}>",
        "What makes the calls: a transport for gevent, or grpcio, which takes a thread for each "
        "call that waits, and several times the CPU.",
    )
    think_time: float = _option(
        "0.05",
        values.number(0, 3600),
        "<seconds>",
        "Mean pause of a user between two calls, drawn evenly from half to one and a half of it, "
        "so that users do not march in step. 0 for none.",
    )
    remember: int = _option(
        "100",
        values.whole(1, 100_000),
        "<jobs>",
        "Jobs that a user remembers to ask for; the oldest is forgotten first.",
    )
    seed: int = _option(
        "1",
        values.whole(0, 2**63 - 1),
        "<number>",
        "Seed of every choice that users make: the same seed gives each the same operations.",
    )
    warmup: float = _option(
        "0",
        values.number(0, 86_400),
        "<seconds>",
        "Seconds after the start of a test that are to be left out of its figures; make it longer "
        "than the ramp to the full number of users. The record has them and says how many they "
        "are; Locust's own statistics include them.",
    )
    record: str = _option(
        "",
        str,
        "<directory>",
        "Directory for a record: what happened in each second (load.json), unrounded latencies "
        "(calls.hlog) and the accepted job ids. "
        "With the web UI each test gets a directory run-001, run-002, ... below it.",
        web=False,
    )
    history: str = _option(
        "",
        str,
        "<directory>",
        "Directory for a history of every call, which `testbed check` reads: who asked what, when, "
        "and what came of it. Each process writes a file of its own. Costs CPU time and disk.",
        web=False,
    )
    design: str = _option(
        "",
        str,
        "<side>",
        "Which stack to drive if several are up and no --host is given: a design, such as a, or "
        "what `testbed up` was given, such as a+lease=10.",
        web=False,
    )
    metrics_port: tuple[str, int] | None = _option(
        "",
        values.listen,
        "<[host:]port>",
        "Serve the figures of the load to Prometheus there, from the master or the only process. "
        "Without a host, for this machine alone. Empty to serve none.",
        web=False,
    )

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> LoadOptions:
        """Read all options from their texts, as ``vars(environment.parsed_options)`` has them.

        Raises :class:`OptionError` that names every option that is wrong.
        """
        read: dict[str, Any] = {}
        problems = []
        for each in fields(cls):
            try:
                read[each.name] = each.metadata["read"](str(given[each.name]).strip())
            except ValueError as error:
                problems.append(f"{_flag(each.name)}: {error}")
        if problems:
            raise OptionError("; ".join(problems))
        parsed = cls(**read)
        if parsed.shape is not None and parsed.rate is None and not parsed.shape.whole:
            raise OptionError("--shape: users are whole numbers; for calls per second give --rate")
        return parsed

    @property
    def is_open(self) -> bool:
        """Whether calls are sent at a rate, not by users who wait for answers."""
        return self.rate is not None


class Parser(Protocol):
    """The part of Locust's command-line parser that is used here."""

    def add_argument_group(self, title: str, description: str) -> Any:
        """Add a group to --help."""

    def set_defaults(self, **defaults: Any) -> None:
        """Change defaults."""


def declare(parser: Parser) -> None:
    """Add the options to Locust's, and give users time to end the call that they are in."""
    group = parser.add_argument_group(
        "Task queue",
        f"Each is also an environment variable, --job-ms for example {_variable('job_ms')}. "
        f"--stop-timeout is {STOP_TIMEOUT} seconds unless given.",
    )
    for each in fields(LoadOptions):
        facts = each.metadata
        action = group.add_argument(
            _flag(each.name),
            env_var=_variable(each.name),
            default=facts["default"],
            type=_checked(facts["read"]),
            metavar=facts["metavar"],
            help=f"{facts['help']} {_default_of(facts['default'])}".replace("%", "%%"),
        )
        # What Locust's parser has as an argument, but not its groups.
        action.include_in_web_ui = facts["web"]
    # Locust answers --help before it reads a locustfile, so its help lacks these options.
    group.add_argument("--help-all", action="help", help="Show Locust's options and these.")
    parser.set_defaults(stop_timeout=STOP_TIMEOUT)


def check_environment(variables: Iterable[str]) -> None:
    """Raise :class:`OptionError` for a variable ``LOAD_...`` that is no option."""
    known = [_variable(each.name) for each in fields(LoadOptions)]
    unknown = sorted({v for v in variables if v.startswith(ENVIRONMENT_PREFIX)} - set(known))
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise OptionError(f"unknown environment variable {', '.join(unknown)}{meant}")


def _checked(read: Callable[[str], object]) -> Callable[[str], str]:
    """Return a type for argparse that refuses what ``read`` refuses and keeps the text."""

    def check(text: str) -> str:
        try:
            read(text.strip())
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    return check


def _default_of(text: str) -> str:
    return f"Default: {text}." if text else ""


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _variable(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.upper()
