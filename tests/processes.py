"""The `seqlab` command in processes forked from one that has imported torch: seconds saved on each."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path


@dataclass(frozen=True)
class Mishap:
    """What befalls a command: its disk is full at so many bytes, or SIGKILL at its n-th forced write.

    Only writes of files and folders whose path holds `writing` are counted.
    """

    file_limit: int | None = None
    killed_at_sync: int | None = None
    writing: str = ""


def killing(at: int, writing: str) -> Callable[[int], None]:
    """Return an fsync that lets `at` - 1 writes of such files through and kills the process at the next."""
    sync, calls = os.fsync, itertools.count(1)

    def fsync(descriptor: int) -> None:
        if writing in str(Path(f"/proc/self/fd/{descriptor}").readlink()) and next(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        sync(descriptor)

    return fsync


def command(args: Sequence[str], out: Path, mishap: Mishap) -> None:
    """Be the command: what a warm process does after its fork."""
    import resource

    from seqlab.cli.main import main

    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which `nohup pytest` ignores
    for stream, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(f"{out}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    if mishap.file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (mishap.file_limit, mishap.file_limit))
    if mishap.killed_at_sync is not None:
        os.fsync = killing(mishap.killed_at_sync, mishap.writing)
    sys.exit(main(args))


@dataclass(frozen=True)
class Started:
    """A command under way, or ended."""

    process: ForkServerProcess
    out: Path

    def wait(self) -> int:
        """Return the exit code; a signal's number, negative, where one ended it."""
        self.process.join(120)
        assert self.process.exitcode is not None, f"still running: {self.stderr}"
        return self.process.exitcode

    def ticks(self) -> Iterator[None]:
        """Yield, as fast as can be, for as long as the command runs."""
        while self.process.is_alive():
            yield

    @property
    def stdout(self) -> str:
        return Path(f"{self.out}.stdout").read_text()

    @property
    def stderr(self) -> str:
        return Path(f"{self.out}.stderr").read_text()


class Warm:
    """Starts commands; their output goes to files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["seqlab.run", "seqlab.cli.run", "torch._dynamo"])
        self.started: list[Started] = []

    def __call__(self, *args: object, mishap: Mishap = Mishap()) -> Started:
        """Start `seqlab ARGS`."""
        out = self.folder / str(len(self.started))
        process = self.context.Process(target=command, args=([str(arg) for arg in args], out, mishap))
        process.start()
        self.started.append(Started(process, out))
        return self.started[-1]

    def end(self) -> None:
        """Kill what is left."""
        for started in self.started:
            started.process.kill()
            started.process.join()
