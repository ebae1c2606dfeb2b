"""The command `seqlab`, in a process of its own: `python -m seqlab` and the script that is installed."""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # `python -m` puts the current folder first: a click.py there would be imported, unlike by the script.
    del sys.path[0]

import os

from seqlab.cli.main import main

__all__ = ["command"]

ONEDNN_PRIMITIVES = "64"
"""How many compiled operations oneDNN, torch's library for CPUs, keeps: one per shape, with its memory.

Its own 1,024 come to gigabytes where lengths vary (decision 0013).
"""

CAPACITIES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY")
"""The variables that oneDNN reads, when torch first computes."""


def command() -> None:
    """Run the command line and leave the process with its exit code."""
    if not any(name in os.environ for name in CAPACITIES):
        os.environ[CAPACITIES[0]] = ONEDNN_PRIMITIVES
    sys.exit(main())


if __name__ == "__main__":
    command()
