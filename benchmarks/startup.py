"""What the command costs before it does anything: CPU and wall seconds, medians of several runs.

    python benchmarks/startup.py [--runs 9] [--package runs/pos/model --input new.txt]

Each command has a process of its own, with compiled modules in place, since the first run of each is not
counted. `python` and `torch` are what no command can be below: the interpreter, and an import of torch in
it. With a package, `predict` is measured to the end of its answer to one small file.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

RECIPE = Path(__file__).parents[1] / "recipes" / "pos.yaml"
SEQLAB = (sys.executable, "-m", "seqlab")


def main() -> None:
    """Measure each command and print the table."""
    args = parse_args()
    commands: dict[str, Sequence[str]] = {
        "python": (sys.executable, "-c", "pass"),
        "seqlab --help": (*SEQLAB, "--help"),
        "seqlab check": (*SEQLAB, "check", str(RECIPE)),
        "torch": (sys.executable, "-c", "import torch"),
    }
    if args.package:
        commands["seqlab predict"] = (*SEQLAB, "predict", args.package, args.input, "--threads", "1")
    print(f"{'':<16}{'CPU s':>8}{'wall s':>8}")
    for name, command in commands.items():
        cpu, wall = medians(command, args.runs)
        print(f"{name:<16}{cpu:>8.3f}{wall:>8.3f}", flush=True)


def medians(command: Sequence[str], runs: int) -> tuple[float, float]:
    """Return the median CPU and wall seconds of a command, its first run left out."""
    spent(command)
    both = [spent(command) for _ in range(runs)]
    return statistics.median(cpu for cpu, _ in both), statistics.median(wall for _, wall in both)


def spent(command: Sequence[str]) -> tuple[float, float]:
    """Run a command; return the CPU seconds, user and system, and the wall seconds that it took."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--package", default="", help="a model package to predict with")
    parser.add_argument("--input", default="", help="the file that it predicts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
