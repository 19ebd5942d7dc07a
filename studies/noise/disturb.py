"""Uses a core now and then, for some of the time, so that trials run beside other work.

Phases of 60 to 240 seconds alternate: in a disturbed one, bursts of 1 to 20 s of one busy process
come with pauses of 2 to 30 s; in a calm one nothing runs. The seed fixes all of it.

``python -m studies.noise.disturb SECONDS SEED LOG``
"""

from __future__ import annotations

import random
import subprocess
import sys
import time


def burst(seconds: float) -> None:
    """Keep one core busy."""
    code = f"import time; end = time.monotonic() + {seconds}\nwhile time.monotonic() < end: pass"
    subprocess.run([sys.executable, "-c", code], check=True)


def main(total: float, seed: int, log: str) -> None:
    """Disturb for ``total`` seconds; ``log`` is the file that gets when each burst began."""
    rng = random.Random(seed)
    end = time.monotonic() + total
    with open(log, "a", encoding="utf-8") as file:
        while time.monotonic() < end:
            phase_end = time.monotonic() + rng.uniform(60, 240)
            while time.monotonic() < min(phase_end, end):
                seconds = rng.uniform(1, 20)
                file.write(f"{time.time():.3f} {seconds:.3f}\n")
                file.flush()
                burst(seconds)
                time.sleep(rng.uniform(2, 30))
            time.sleep(max(0.0, min(rng.uniform(60, 240), end - time.monotonic())))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
