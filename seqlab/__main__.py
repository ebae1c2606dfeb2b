"""The command `seqlab`, in a process of its own: `python -m seqlab` and the script that is installed."""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # `python -m` puts the current folder first: a click.py there would be imported, unlike by the script.
    del sys.path[0]

import gc
import os
import signal
from types import FrameType

__all__ = ["command"]

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""

ONEDNN_PRIMITIVES = "64"
"""How many compiled operations oneDNN, torch's library for CPUs, keeps: one per shape, with its memory.

Its own 1,024 come to gigabytes where lengths vary (decision 0013).
"""

CAPACITIES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY")
"""The variables that oneDNN reads, when torch first computes."""


def interrupt(number: int, frame: FrameType | None) -> None:
    """End the process at once while it imports, else raise KeyboardInterrupt.

    An import that is interrupted fails in words of its own, or goes on as if nothing had happened.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os._exit(INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt


# Where it is ignored, in the background of a shell, it stays so.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, interrupt)


def command() -> None:
    """Run the command line and leave the process with its exit code."""
    # What imports make stays: a search for garbage would find none. `seqlab.cli.garbage` turns it on again.
    gc.disable()
    from seqlab.cli.main import main

    if not any(name in os.environ for name in CAPACITIES):
        os.environ[CAPACITIES[0]] = ONEDNN_PRIMITIVES
    sys.exit(main())


if __name__ == "__main__":
    command()
