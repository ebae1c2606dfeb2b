"""How much memory the `seqlab` command takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import seqlab


def peak_kib(*args: object) -> int:
    """Run `python -m seqlab ARGS` in a process of its own; return its largest resident memory."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-m", "seqlab", *map(str, args)]
    environment = os.environ | {"PYTHONPATH": str(Path(seqlab.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code, *command], check=True, capture_output=True, text=True, env=environment
    )
    return int(done.stdout)
