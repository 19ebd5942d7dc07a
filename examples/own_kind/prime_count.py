"""Kind ``prime_count``: counts the primes below a number, as an example of a kind of one's own."""

from __future__ import annotations

from common.handlers.registry import Handler

DEFAULT, LOWEST, HIGHEST = 100_000, 2, 20_000_000


def parse(payload: bytes) -> int:
    """Read the number, in decimal digits; ``ValueError`` says to the client what is wrong.

    Every submit calls this, so it has to be cheap.
    """
    if payload and not payload.isdigit():
        raise ValueError(f"must be a whole number such as {DEFAULT}")
    below = int(payload or str(DEFAULT))
    if not LOWEST <= below <= HIGHEST:
        raise ValueError(f"must be {LOWEST} to {HIGHEST}")
    return below


def run(below: int) -> bytes:
    """Return how many primes are lower, by the sieve of Eratosthenes."""
    is_prime = bytearray([1]) * below
    is_prime[:2] = b"\0\0"
    for number in range(2, int(below**0.5) + 1):
        if is_prime[number]:
            is_prime[number * number :: number] = bytes(len(range(number * number, below, number)))
    return str(sum(is_prime)).encode()


# With burns_cpu it runs in a process of its own, which a cancel or a timeout can end.
HANDLER = Handler("prime_count", "counts the primes below a number", parse, run, burns_cpu=True)
