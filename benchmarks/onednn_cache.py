"""What oneDNN's cache of compiled operations takes and gives where lengths vary, in turn with it bounded.

    python benchmarks/onednn_cache.py [--rounds 2] [--lengths 60] [--capacities 1024 64 16]

On a CPU oneDNN computes a batch of equal lengths (`seqlab/engine/recurrent/kernels.py`) and keeps what it
has compiled for its shape. Each capacity has a process of its own that trains a BiLSTM of 2 x 256 on 16
sequences, of another length in each step: printed are the growth of its peak memory over all steps and the
median time of a step, in the first round over the lengths, where all is compiled, and in the later ones.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

CAPACITY = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
SHORTEST = 60
KIB_PER_MB = 1024


def main() -> None:
    """Measure each capacity in a process of its own and print the table."""
    args = parse_args()
    if args.measure:
        print(json.dumps(measure(args.rounds, args.lengths)))
        return
    print(f"{'capacity':>8}{'MB more':>10}{'ms compiling':>14}{'ms later':>10}")
    for capacity in args.capacities:
        command = [
            sys.executable,
            __file__,
            "--measure",
            "--rounds",
            str(args.rounds),
            "--lengths",
            str(args.lengths),
        ]
        environment = os.environ | {CAPACITY: str(capacity)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        print(
            f"{capacity:>8}{found['memory']:>10.0f}{found['first']:>14.1f}{found['later']:>10.1f}", flush=True
        )


def parse_args() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=2, help="times over all lengths (default 2)")
    parser.add_argument("--lengths", type=int, default=60, help="different lengths (default 60)")
    parser.add_argument("--capacities", type=int, nargs="+", default=[1024, 64, 16])
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(rounds: int, lengths: int) -> dict[str, float]:
    """Return the growth of the peak memory in MB and the median times of a step in ms."""
    import torch

    from seqlab.engine import RecurrentSpec, RecurrentStack, Sequences

    stack = RecurrentStack(
        RecurrentSpec(cell="lstm", input_size=40, hidden_size=256, num_layers=2, bidirectional=True)
    )

    def step(length: int) -> float:
        rows = Sequences.from_list([torch.zeros(length, 40)] * 16)
        started = time.perf_counter()
        stack(rows)[0].data.sum().backward()
        return 1000 * (time.perf_counter() - started)

    step(SHORTEST + lengths)
    before = peak()
    times = [[step(length) for length in range(SHORTEST, SHORTEST + lengths)] for _ in range(rounds)]
    later = [each for one in times[1:] for each in one]
    return {
        "memory": peak() - before,
        "first": statistics.median(times[0]),
        "later": statistics.median(later or times[0]),
    }


def peak() -> float:
    """Return the peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MB


if __name__ == "__main__":
    main()
