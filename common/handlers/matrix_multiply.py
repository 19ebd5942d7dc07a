"""Kind ``matrix_multiply``: multiplies two random matrices, in time cubic in their size."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from operator import mul

from common.handlers._payload import MAX_SEED, dump_json, integer, parse_json
from common.handlers.registry import Handler

Matrix = list[list[int]]


@dataclass(frozen=True, slots=True)
class Params:
    """The matrices have ``size`` rows and columns and are drawn from ``seed``."""

    size: int = integer(64, 1, 512)
    seed: int = integer(0, 0, MAX_SEED)


def parse(payload: bytes) -> Params:
    """Read the parameters from JSON."""
    return parse_json(payload, Params)


def draw(params: Params) -> tuple[Matrix, Matrix]:
    """Draw two matrices of whole numbers from -9 to 9."""
    generator = random.Random(params.seed)
    left, right = (
        [generator.choices(range(-9, 10), k=params.size) for _ in range(params.size)]
        for _ in range(2)
    )
    return left, right


def run(params: Params) -> bytes:
    """Multiply; the output has the product's trace, and a CRC-32 of its rows written as text."""
    left, right = draw(params)
    columns = list(zip(*right, strict=True))
    trace = checksum = 0
    for number, row in enumerate(left):
        product = [sum(map(mul, row, column)) for column in columns]
        trace += product[number]
        checksum = zlib.crc32(repr(product).encode(), checksum)
    return dump_json(
        {"size": params.size, "seed": params.seed, "trace": trace, "crc32": f"{checksum:08x}"}
    )


HANDLER = Handler(
    "matrix_multiply", "multiplies two seeded square matrices", parse, run, burns_cpu=True
)
