"""The `seqlab` command in processes forked from one that has imported torch: seconds saved on each."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path


def command(args: Sequence[str], out: Path, file_limit: int | None) -> None:
    """Be the command: what a warm process does after its fork."""
    import resource

    from seqlab.cli.main import main

    for stream, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(f"{out}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
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

    def __call__(self, *args: object, file_limit: int | None = None) -> Started:
        """Start `seqlab ARGS`; `file_limit` is the size in bytes at which its disk is full."""
        out = self.folder / str(len(self.started))
        process = self.context.Process(target=command, args=([str(arg) for arg in args], out, file_limit))
        process.start()
        self.started.append(Started(process, out))
        return self.started[-1]

    def end(self) -> None:
        """Kill what is left."""
        for started in self.started:
            started.process.kill()
            started.process.join()
