"""What the command costs before it does anything: CPU and wall seconds, medians of several runs.

    python benchmarks/startup.py [--runs 9] [--package runs/pos/model --input new.txt]

Each command has a process of its own, with compiled modules in place, since the first run of each is not
counted. The commands take turns, so that other work on the machine slows all of them alike. `python`,
`libraries` and `torch` are what no command can be below: the interpreter; in it, the imports of what reads
recipes, with one class of settings made; and an import of torch. With a package, `predict` is measured to the
end of its answer to one small file.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

RECIPE = Path(__file__).parents[1] / "recipes" / "pos.yaml"
LIBRARIES = """
import click, importlib.metadata, pluggy, yaml
from pydantic import BaseModel

class Settings(BaseModel):
    size: int = 1
"""
SEQLAB = (sys.executable, "-m", "seqlab")


def main() -> None:
    """Measure each command and print the table."""
    args = parse_args()
    commands: dict[str, Sequence[str]] = {
        "python": (sys.executable, "-c", "pass"),
        "libraries": (sys.executable, "-c", LIBRARIES),
        "seqlab --help": (*SEQLAB, "--help"),
        "seqlab check": (*SEQLAB, "check", str(RECIPE)),
        "torch": (sys.executable, "-c", "import torch"),
    }
    if args.package:
        commands["seqlab predict"] = (*SEQLAB, "predict", args.package, args.input, "--threads", "1")
    print(f"{'':<16}{'CPU s':>8}{'wall s':>8}")
    for name, (cpu, wall) in medians(commands, args.runs).items():
        print(f"{name:<16}{cpu:>8.3f}{wall:>8.3f}")


def medians(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, tuple[float, float]]:
    """Return the median CPU and wall seconds of each command, first runs left out."""
    for command in commands.values():
        spent(command)
    rounds = [{name: spent(command) for name, command in commands.items()} for _ in range(runs)]
    return {
        name: (
            statistics.median(each[name][0] for each in rounds),
            statistics.median(each[name][1] for each in rounds),
        )
        for name in commands
    }


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
