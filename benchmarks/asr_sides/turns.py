"""A side's end of `benchmarks/asr.py`: what it is to do, and the commands that it waits for.

On standard input comes a line `train N` (the next N batches of the plan) or `transcribe N` (the test split,
N strings at a time, from sound files to texts); on standard output goes one JSON object after each, with the
seconds that it took. A side that is not asked sleeps. Needs nothing but the standard library.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What all sides share: data, features, sizes, training, and the batches, one list of indices each.

    `window` and `hop` are in samples; the Fourier transform has as many points as a window has samples.
    """

    folder: Path
    sample_rate: int
    n_mels: int
    window: int
    hop: int
    hidden_size: int
    num_layers: int
    lr: float
    clip_norm: float
    batch_items: int
    epochs: int
    seed: int
    precision: str
    threads: int
    batches: list[list[int]]

    @classmethod
    def read(cls, file: Path) -> Setup:
        """Read what `benchmarks/asr.py` has written."""
        values = json.loads(file.read_text())
        return cls(**values | {"folder": Path(values["folder"])})


class Turns:
    """Waits for commands and answers them."""

    def __init__(self) -> None:
        self.started = 0.0

    def tell(self, **facts: Any) -> None:
        """Answer with facts."""
        print(json.dumps(facts), flush=True)

    def wait(self) -> tuple[str, int]:
        """Return the next command and its number, and start the clock; SystemExit where no more come."""
        line = sys.stdin.readline()
        if not line:
            raise SystemExit
        command, number = line.split()
        self.started = time.perf_counter()
        return command, int(number)

    def done(self, **facts: Any) -> None:
        """Answer with the seconds since the command came, and facts."""
        self.tell(seconds=time.perf_counter() - self.started, **facts)
