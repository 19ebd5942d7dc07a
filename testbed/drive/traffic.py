"""The load of a trial, as immutable values."""

from __future__ import annotations

from dataclasses import dataclass

# What shapes one kind of loop and means nothing in the other.
CLOSED_LOOP_KEYS = ("users", "think_time")
OPEN_LOOP_KEYS = ("rate", "arrivals", "max_in_flight")
# As in locustfiles/taskqueue_load/transports; recordings that name none were made with grpcio.
CLIENTS = ("grpc-gevent", "grpcio")
EARLIER_CLIENT = "grpcio"


@dataclass(frozen=True)
class Traffic:
    """The load of a trial. Times are in seconds, except ``job_ms``.

    ``think_time`` is the mean pause of a user between two calls; ``mix`` the weights of the calls
    as the load generator reads them. With a ``rate`` (calls per second in total) the loop is open:
    ``arrivals`` come as ``poisson`` or ``even``, at most ``max_in_flight`` at a time, and
    ``users`` and ``think_time`` have no meaning. ``client`` is what makes the calls.
    """

    users: int = 20
    duration: float = 20.0
    warmup: float = 4.0
    mix: str = "submit=40,status=30,result=20,cancel=5,list=5"
    kind: str = "sleep"
    job_ms: float = 20.0
    payload_bytes: int = 64
    deadline: float = 5.0
    think_time: float = 0.05
    seed: int = 1
    rate: float | None = None
    arrivals: str = "poisson"
    max_in_flight: int = 1000
    client: str = CLIENTS[0]

    @property
    def seconds(self) -> float:
        """How long the drive takes, warm-up included."""
        return self.warmup + self.duration
