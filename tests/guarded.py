"""What strangers bring, opened in processes of their own: what was said of it, and what memory it took.

A server that has imported what most need forks once for each deed; `python guarded.py` is that server.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CPU_SECONDS = 120
"""The system ends what computes for longer: nothing of a stranger may go on for ever."""


@dataclass(frozen=True)
class Outcome:
    """What became of a deed: `error` is the name of its exception, empty for none."""

    error: str
    message: str
    peak: int
    """Resident memory that the deed added, in MiB, at its peak."""


Guarded = Callable[..., Outcome]


@contextmanager
def guarding() -> Iterator[Guarded]:
    """Start the server; yield what does one of DEEDS in a process of its own."""
    import seqlab

    environment = os.environ | {"PYTHONPATH": str(Path(seqlab.__file__).parents[1])}
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, __file__], env=environment, **pipes) as process:
        assert process.stdin
        assert process.stdout
        stdin, stdout = process.stdin, process.stdout

        def guarded(deed: str, *args: object) -> Outcome:
            stdin.write(json.dumps([deed, *map(str, args)]) + "\n")
            stdin.flush()
            return Outcome(*json.loads(stdout.readline()))

        yield guarded
        stdin.close()  # the server ends with its input


@cache
def lab() -> Any:
    from seqlab import Lab

    return Lab(entry_points=False)


def check(recipe: str, *overrides: str) -> object:
    return lab().check(recipe, overrides)


def fetch(url: str, folder: str, limit: str) -> object:
    from seqlab.datasets import Download, fetching

    fetching.WAIT = 0.0
    download = Download(name="file", urls=(url,), max_bytes=int(limit))
    return fetching.fetch(download, Path(folder), lambda name, done, total: None)


def unpack(archive: str, folder: str, limit: str) -> object:
    from seqlab.datasets import unpack

    return unpack(Path(archive), Path(folder), max_bytes=int(limit))


DEEDS: Mapping[str, Callable[..., object]] = {"check": check, "fetch": fetch, "unpack": unpack}


def resident(figure: str) -> int:
    """Return a figure of /proc/self/status in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(figure)) >> 10


def outcome(deed: str, args: list[str]) -> Outcome:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = resident("VmRSS")
    try:
        error, message = "", str(DEEDS[deed](*args))
    except BaseException as raised:
        error, message = type(raised).__name__, str(raised)
    return Outcome(error, message[:1_000_000], resident("VmHWM") - before)


def serve() -> None:
    import seqlab.datasets.fetching  # noqa: F401 - imported once, for all deeds

    lab()
    for line in sys.stdin:
        reader, writer = os.pipe()
        if os.fork() == 0:
            deed, *args = json.loads(line)
            found: Any = outcome(deed, args)
            with open(writer, "w") as told:  # noqa: PTH123 - a descriptor, not a path
                json.dump([found.error, found.message, found.peak], told)
            os._exit(0)
        os.close(writer)
        with open(reader) as answer:  # noqa: PTH123 - a descriptor, not a path
            told = answer.read() or '["ended", "by the system", 0]'
        os.wait()
        print(told, flush=True)  # noqa: T201 - this is what it is for


if __name__ == "__main__":
    serve()
